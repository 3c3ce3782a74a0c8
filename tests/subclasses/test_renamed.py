"""Models of sites whose sessions change the form of their keys: renamed, or left where they are."""

from __future__ import annotations

import pytest
from django.db.models.signals import post_save
from django.test import override_settings

from dj_sessions import _keys
from dj_sessions.models import Session
from tests.subclasses.models import (
    BareSession,
    InheritedSession,
    NumberedSession,
    RevocableSession,
    SealedSession,
    TurnedSession,
)

pytestmark = [
    pytest.mark.stores("db"),
    pytest.mark.modes("sync"),  # what both modes share comes before the rows
    pytest.mark.usefixtures("seen"),
]

#: Each with whether a row is renamed: not where another table has its key.
MODELS = {
    BareSession: True,
    NumberedSession: True,
    RevocableSession: True,
    SealedSession: True,
    TurnedSession: True,
    Session: False,  # to which others here point by foreign keys
    InheritedSession: False,
}


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model(request):
    return request.param


@pytest.fixture
def session_of(keep_in, mode, model):
    SessionStore = keep_in(model)
    return lambda key=None: mode.wrap(SessionStore(key))


@pytest.fixture
def key(session_of):
    session = session_of()
    session.set("colour", "green")
    session.save()
    return session.raw.session_key


@pytest.fixture(params=[False, True], ids=["unwatched", "watched"])
def seen(request, model):
    """What a receiver sees of saves, in half of the runs."""
    seen = []

    def receive(instance, created, **kwargs):
        seen.append((instance.session_key, created))

    if request.param and model is NumberedSession:
        pytest.skip("as with Django, a save that is watched needs the session key as primary key")
    if request.param:
        post_save.connect(receive, sender=model)
    yield seen
    post_save.disconnect(receive, sender=model)


def keys_of(model):
    return list(model._base_manager.values_list("session_key", flat=True))


def name_of(model, key):
    return _keys.hashed(key) if MODELS[model] else key


@pytest.fixture
def both(key):
    """The two forms, after a session was stored under a plain key."""
    with override_settings(SESSION_KEY_STORAGE=["hashed", "plain"]):
        yield


def test_a_save_renames_the_row_or_leaves_it_where_it_is(session_of, model, key, both, seen):
    session = session_of(key)
    assert session.get("colour") == "green"
    session.set("size", 3)
    seen.clear()
    assert session.raw._storage.names_around_save(key) == (key, name_of(model, key))
    session.save()
    assert keys_of(model) == [name_of(model, key)]
    assert seen in ([], [(name_of(model, key), False)])
    assert dict(session_of(key).items()) == {"colour": "green", "size": 3}


def test_requests_that_meet_keep_each_other_s_changes(session_of, model, key, both):
    one, other = session_of(key), session_of(key)
    one.set("one", 1)
    other.set("other", 2)
    one.save()
    other.save()
    assert keys_of(model) == [name_of(model, key)]
    assert dict(session_of(key).items()) == {"colour": "green", "one": 1, "other": 2}


def test_data_without_a_baseline_replaces_the_row(session_of, model, key, both):
    session = session_of(key)
    session.clear()
    session.set("colour", "red")
    session.save()
    assert keys_of(model) == [name_of(model, key)]
    assert dict(session_of(key).items()) == {"colour": "red"}


def test_a_logout_ends_it(session_of, model, key, both):
    running = session_of(key)
    assert running.get("colour") == "green"
    session_of(key).flush()
    assert session_of(key).get("colour") is None
