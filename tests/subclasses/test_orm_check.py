"""The check that names what has sessions go through the ORM: by the reasons that decide it."""

from __future__ import annotations

import gc

import pytest
from django.contrib.sessions.models import Session
from django.core.checks import Info
from django.db.models import signals

from dj_sessions.checks.orm import check_orm
from dj_sessions.storage.rows.prepared import PreparedRows, rows_of
from tests.counters import statements
from tests.subclasses import test_costs
from tests.subclasses.models import (
    AccountSession,
    BareSession,
    DeviceSession,
    InheritedSession,
    NamedSession,
    RevocableSession,
    SealedSession,
    TaggedSession,
    TurnedSession,
)

pytestmark = [pytest.mark.stores("db", "cached_db"), pytest.mark.modes("sync")]

on_rows = pytest.mark.stores("db")

MODELS = "tests.subclasses.models"


@pytest.fixture
def said(keep_in, settings, store):
    """Return what the check says of a model, each with its hint."""

    def said(model):
        keep_in(model)
        with statements() as sent:
            messages = list(check_orm(None))
        assert sent == []
        for message in messages:
            assert isinstance(message, Info)
            assert message.id == "dj_sessions.I033"
        return [(message.msg, message.hint) for message in messages]

    return said


def listener(**kwargs):
    """A receiver at the top of a module."""


class Listening:
    def __call__(self, **kwargs):
        """A receiver that is an object."""

    def hear(self, **kwargs):
        """A receiver that is a method."""


LISTENING = Listening()
NAMES = {
    listener: f"{__name__}.listener",
    LISTENING: f"{__name__}.Listening",
    LISTENING.hear: f"{__name__}.Listening.hear",
}
DEEDS = {
    "pre_init": "kept",
    "post_init": "kept",
    "pre_save": "saved",
    "post_save": "saved",
    "pre_delete": "ended",
    "post_delete": "ended",
}


def test_a_site_on_which_nobody_watches_hears_nothing(said):
    assert said(AccountSession) == []
    assert said(BareSession) == []


@pytest.mark.parametrize("name", ["cache", "file", "signed_cookies"])
@pytest.mark.stores("db", database="sqlite")
def test_nor_does_one_whose_sessions_are_no_rows(settings, name):
    settings.SESSION_ENGINE = f"dj_sessions.backends.{name}"
    signals.pre_save.connect(listener)
    try:
        assert list(check_orm(None)) == []
    finally:
        signals.pre_save.disconnect(listener)


@pytest.mark.stores("db", database="sqlite")
@pytest.mark.parametrize("engine", ["tests.no_such_module", "tests.settings"])
def test_nor_does_one_whose_engine_another_check_reports(settings, engine):
    settings.SESSION_ENGINE = engine
    assert list(check_orm(None)) == []


@on_rows
@pytest.mark.parametrize("receiver", NAMES, ids=NAMES.values())
@pytest.mark.parametrize("name", DEEDS)
def test_a_receiver_of_every_model_is_named_with_the_remedy(said, name, receiver):
    signal = getattr(signals, name)
    signal.connect(receiver)
    try:
        [(what, hint)] = said(AccountSession)
    finally:
        signal.disconnect(receiver)
    assert f"Sessions are {DEEDS[name]} through Django's ORM" in what
    assert f"{NAMES[receiver]} receives {name} of every model." in what
    assert "sender=" in hint
    assert said(AccountSession) == []


@on_rows
@pytest.mark.parametrize("name", DEEDS)
def test_a_receiver_of_the_sessions_is_named(said, name):
    signal = getattr(signals, name)
    signal.connect(listener, sender=AccountSession)
    try:
        [(what, hint)] = said(AccountSession)
    finally:
        signal.disconnect(listener, sender=AccountSession)
    assert f"{NAMES[listener]} receives {name} of {MODELS}.AccountSession." in what
    assert hint.startswith("Disconnect it")


@on_rows
def test_a_receiver_with_a_sender_of_its_own_is_none_of_the_sessions(said):
    signals.pre_save.connect(listener, sender=DeviceSession)
    try:
        assert said(AccountSession) == []
    finally:
        signals.pre_save.disconnect(listener, sender=DeviceSession)


@on_rows
def test_a_receiver_that_is_gone_is_not_named(said):
    gone = Listening()
    signals.pre_save.connect(gone)
    del gone
    gc.collect()
    assert said(AccountSession) == []


@pytest.mark.stores("cached_db")
def test_the_receiver_of_the_package_itself_is_not_named(said, store):
    store.SessionStore()  # which listens for rows that others delete
    assert signals.post_delete.has_listeners(Session)
    assert not [what for what, _ in said(Session) if "receives" in what]


OF_MODELS = {
    InheritedSession: [
        ("kept", f"the primary key of {MODELS}.InheritedSession is 'session_ptr'"),
        ("kept", f"{MODELS}.InheritedSession.session_ptr is a django.db.models.fields.related.One"),
        ("saved and ended", "has a part of its row in the table of dj_sessions.models.Session"),
    ],
    DeviceSession: [
        (
            "kept",
            f"{MODELS}.DeviceSession.user is a django.db.models.fields.related.ForeignKey",
        )
    ],
    RevocableSession: [
        ("kept", f"{MODELS}.RevocableSession.objects has a query set of its own"),
        ("ended", f"{MODELS}.RevocableSession overrides delete()"),
    ],
    SealedSession: [("kept", f"{MODELS}.SealedSession.session_data is a {MODELS}.SealedField")],
    TurnedSession: [
        ("kept", f"{MODELS}.TurnedSession overrides from_db()"),
        ("saved", f"{MODELS}.TurnedSession overrides save()"),
    ],
    NamedSession: [("ended", f"{MODELS}.Visit.session points at {MODELS}.NamedSession")],
    TaggedSession: [("ended", f"{MODELS}.TaggedSession.notes is a django.contrib.contenttypes")],
    Session: [("ended", f"{MODELS}.Basket.session points at dj_sessions.models.Session")],
}


@on_rows
@pytest.mark.parametrize("model", OF_MODELS)
def test_what_a_model_has_of_its_own_is_named(said, model):
    messages = said(model)
    for done, what in OF_MODELS[model]:
        start = f"Sessions are {done} through Django's ORM, not by a prepared statement: "
        assert any(text.startswith(start) and what in text for text, _ in messages), messages
    assert all(hint.endswith(".") for _, hint in messages)
    assert len({text for text, _ in messages}) == len(messages)


@pytest.mark.stores("db", database="mariadb")
def test_a_database_that_counts_changed_rows_alone_is_named(counting_changed_rows, said):
    [(what, hint)] = said(AccountSession)
    assert "DATABASES['mariadb']['OPTIONS'] leaves out CLIENT.FOUND_ROWS" in what
    assert "FOUND_ROWS" in hint


@on_rows
@pytest.mark.parametrize("who", test_costs.WATCHED | test_costs.LOCKED)
def test_the_check_speaks_where_the_engine_leaves_its_statements_and_nowhere_else(store, said, who):
    model, watching = (test_costs.WATCHED | test_costs.LOCKED)[who]
    with watching():
        rows = rows_of(model, store.database)
        prepared = isinstance(rows, PreparedRows)
        is_left = not prepared or rows._values((), model(), adding=True) is None
        is_left = is_left or not rows.goes_unseen()
        assert bool(said(model)) is is_left
