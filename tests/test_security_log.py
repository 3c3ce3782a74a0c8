"""The security log: a line for each event, who and from where, no key, and nothing when off."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.core.cache import caches
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils import timezone

from dj_sessions import _keys, security_log, signals
from dj_sessions._codec.log_rate import MOST, SECONDS, LogRate
from dj_sessions.models import Session
from dj_sessions.security_log import FIELDS
from dj_sessions.signals import EndReason
from dj_sessions.storage import Record
from dj_sessions.user_sessions import end_sessions, sessions_of
from dj_sessions.user_sessions.decorators import recent_login_required
from tests.fresh import run
from tests.user_sessions.test_limit import log_in_view

STORES = pytest.mark.stores(name=("db-sqlite", "redis"))
ONE_STORE = pytest.mark.stores(name="db-sqlite")


def who(request):
    return HttpResponse(request.user)


async def awho(request):
    return HttpResponse(await request.auser())


urlpatterns = [
    path("", log_in_view),
    path("sync/who/", who),
    path("async/who/", awho),
    path("sync/recent/", recent_login_required(60)(who)),
    path("async/recent/", recent_login_required(60)(awho)),
]


class Lines:
    """What the log has, each line as its facts without the rest of its record."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def records(self) -> list[logging.LogRecord]:
        records = self._caplog.get_records("call")
        return [record for record in records if record.name == "dj_sessions.security"]

    def facts(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(getattr(record, name) for name in names) for record in self.records]

    @property
    def events(self) -> list[str]:
        return [event for (event,) in self.facts("session_event")]


@pytest.fixture
def lines(caplog, clock, monkeypatch):
    caplog.set_level(logging.INFO, "dj_sessions.security")
    for event in security_log.rates:
        rate = LogRate(lambda: timezone.now().timestamp())
        monkeypatch.setitem(security_log.rates, event, rate)
    with override_settings(SESSION_SECURITY_LOG=True, ROOT_URLCONF=__name__, LOGIN_URL="/login/"):
        security_log.turn_on()
        yield Lines(caplog)
        security_log.turn_off()


def stored(store, mode, **data):
    session = mode.wrap(store.SessionStore())
    session.update({"colour": "green"} | data)
    session.save()
    return session


# Each event


@STORES
def test_a_life_is_logged_with_the_ids_and_the_user_and_no_key(store, mode, lines):
    session = stored(store, mode)
    keys, ids = [session.session_key], [session.raw.public_id]
    session.set(SESSION_KEY, "7")
    session.save()
    session.cycle_key()
    keys.append(session.session_key)
    ids.append(session.raw.public_id)
    session.set("colour", "red")
    session.save()
    session.pop(SESSION_KEY)
    session.save()
    session.set(SESSION_KEY, "8")
    session.save()
    session.flush()
    names = ("session_event", "public_id", "old_public_id", "user_id", "reason")
    assert lines.facts(*names) == [
        ("started", ids[0], None, None, None),
        ("bound", ids[0], None, "7", None),
        ("key-changed", ids[1], ids[0], "7", None),
        ("unbound", ids[1], None, "7", None),
        ("bound", ids[1], None, "8", None),
        ("ended", ids[1], None, "8", "flushed"),
    ]
    assert lines.records[2].getMessage() == (
        f"session_event=key-changed public_id={ids[1]} old_public_id={ids[0]} user_id=7"
    )
    for record in lines.records:
        assert set(FIELDS) <= set(vars(record))
        assert not any(key in f"{vars(record)}" for key in keys)


@STORES
def test_a_login_is_logged_with_the_address_as_the_setting_has_it_kept(store, mode, user, lines):
    for kept, address in (("truncated", "127.0.0.0"), ("full", "127.0.0.1"), ("none", None)):
        with override_settings(SESSION_IP_ADDRESS=kept):
            mode.client().get("/")
        started, bound = lines.facts("session_event", "user_id", "address")[-2:]
        assert started == ("started", None, address)
        assert bound == ("bound", str(user.pk), address)


@STORES
def test_an_end_from_the_list_is_logged_with_its_user(store, mode, user, lines, listed):
    visitor = mode.client()
    visitor.get("/")
    end_sessions(user)
    assert visitor.get(mode.url("who")).content == b"AnonymousUser"
    started, *_, ended, refused = lines.facts("session_event", "public_id", "user_id", "reason")
    assert ended == ("ended", started[1], str(user.pk), EndReason.ENDED)
    assert refused == ("key-refused", started[1], None, "unknown")


@ONE_STORE
def test_a_row_that_is_deleted_through_the_orm_is_no_event(store, mode, user, lines, listed):
    visitor = mode.client()
    visitor.get("/")
    Session.objects.all().delete()
    assert visitor.get(mode.url("who")).content == b"AnonymousUser"
    assert list(sessions_of(user)) == []
    assert lines.events == ["started", "bound", "key-refused"]


@ONE_STORE
def test_whoever_deletes_the_session_of_somebody_else_is_not_taken_for_them(store, mode, lines):
    other = stored(store, mode, **{SESSION_KEY: "7"})
    mine = stored(store, mode, **{SESSION_KEY: "5000"})
    mine.delete(other.session_key)
    assert lines.facts("session_event", "public_id", "user_id")[-1] == (
        *("ended", other.raw.public_id),
        None,
    )


@STORES
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("a" * 32, "unknown"),
        ("../../etc/passwd", "malformed"),
        (_keys.hashed("a" * 32), "hashed"),
    ],
)
def test_a_refused_key_is_logged(store, mode, lines, key, reason):
    client = mode.client()
    client.raw.cookies["sessionid"] = key
    client.get(mode.url("who"))
    assert lines.facts("session_event", "public_id", "address", "reason", "levelname") == [
        ("key-refused", _keys.public_id(key), "127.0.0.0", reason, "WARNING")
    ]
    assert key not in f"{vars(lines.records[0])}"
    client.get(mode.url("who"))  # the browser was told to forget the cookie
    assert len(lines.records) == 1


@STORES
@pytest.mark.parametrize("keys", [("a" * 32, None), (None, "a" * 32), ("a" * 32, "b" * 32)])
def test_of_two_cookies_one_is_refused_if_neither_has_a_session(store, mode, lines, keys):
    good = stored(store, mode).session_key
    session = mode.wrap(store.SessionStore(keys[0] or good))
    session.raw._offer_keys([keys[1] or good])
    assert session.get("colour") == ("green" if None in keys else None)
    refused = lines.facts("session_event", "public_id")[1:]
    assert refused == ([] if None in keys else [("key-refused", _keys.public_id("a" * 32))])


@pytest.mark.stores(name=("db-sqlite", "redis", "cache-locmem", "signed_cookies"))
def test_corrupt_data_is_logged(store, mode, lines, no_encryption):
    key = "a" * 32 if store.server_side else "forged:data:here"
    ends = timezone.now() + timedelta(hours=1)
    if store.kind == "cache":
        storage = store.SessionStore().get_storage()
        caches[store.cache].set(storage._name(key), ["no", "session"])
    elif store.server_side:
        store.SessionStore().get_storage().insert(key, Record("forged:data:here", ends))
    assert mode.wrap(store.SessionStore(key)).get("colour") is None
    [record] = lines.records
    assert (record.session_event, record.levelname) == ("data-corrupt", "WARNING")
    assert record.public_id == _keys.public_id(key)
    expected = "the cache holds a list" if store.kind == "cache" else "its signature does not match"
    assert record.reason.startswith(expected)


@ONE_STORE
def test_a_login_beyond_the_limit_is_logged(store, mode, user, lines, listed):
    with override_settings(SESSION_LIMIT_PER_USER=1, SESSION_LIMIT_ACTION="refuse"):
        mode.client().get("/")
        assert lines.facts("session_event", "user_id")[-1] == ("bound", str(user.pk))
        mode.client().get("/")
    assert ("login-refused", str(user.pk), "limit", "127.0.0.0") in lines.facts(
        "session_event", "user_id", "reason", "address"
    )


@ONE_STORE
def test_a_login_that_is_asked_for_again_is_logged(store, mode, user, lines, clock):
    visitor = mode.client()
    assert visitor.get(mode.url("recent")).status_code == 302
    assert lines.events == [], "nobody is logged in"
    visitor.get("/")
    assert visitor.get(mode.url("recent")).status_code == 200
    assert lines.events == ["started", "bound"]
    clock.move(61)
    assert visitor.get(mode.url("recent")).status_code == 302
    started, _, asked = lines.facts("session_event", "public_id", "user_id", "address")
    assert asked == ("relogin-asked", started[1], str(user.pk), "127.0.0.0")


@STORES
def test_a_renewal_is_logged_if_it_is_named(store, mode, lines, no_limits):
    session = stored(store, mode)
    session.modified = False
    session.save()
    assert lines.events == ["started"]
    with override_settings(SESSION_SECURITY_LOG=["renewed", "key-changed"]):
        session.save()
        session.cycle_key()
        session.flush()
    assert lines.events == ["started", "renewed", "key-changed"]


# What nobody can do by it


@ONE_STORE
def test_refused_keys_are_counted_after_the_first_of_a_minute(store, mode, lines, clock):
    def refuse(times):
        for number in range(times):
            mode.wrap(store.SessionStore(f"{number:032}")).get("colour")

    refuse(MOST + 30)
    assert [record.reason for record in lines.records] == ["unknown"] * MOST + ["too-many"]
    too_many = lines.records[-1]
    assert (too_many.public_id, too_many.address) == (None, None)
    stored(store, mode)
    assert lines.events[-1] == "started", "another event has no part in it"
    clock.move(SECONDS)
    refuse(2)
    assert lines.facts("session_event", "left_out")[-2:] == [
        ("key-refused", 30),
        ("key-refused", None),
    ]


@ONE_STORE
def test_no_value_begins_a_line_or_a_field_of_its_own(store, mode, lines):
    stored(store, mode, **{SESSION_KEY: '7\r\n8\u202e reason="x' + "y" * 300})
    bound = lines.records[-1]
    assert bound.user_id == '7\\u000d\\u000a8\\u202e reason="x' + "y" * 185
    message = bound.getMessage()
    assert message.isprintable()
    assert 'user_id="7' in message
    assert ' reason=\\"x' in message


def no_address(request):
    raise KeyError("X-Forwarded-For")


@ONE_STORE
def test_no_request_fails_for_an_address_that_cannot_be_found(store, mode, user, lines):
    with override_settings(SESSION_CLIENT_ADDRESS=f"{__name__}.no_address"):
        assert mode.client().get("/").content == b"in"
    assert lines.facts("session_event", "address") == [("started", None), ("bound", None)]


# On and off


def test_off_nothing_listens_and_on_each_event_is_heard_once():
    code = """
    from dj_sessions import security_log, signals
    from dj_sessions._codec import payloads
    from dj_sessions.registry import registries
    sent = [one for one in vars(signals).values() if isinstance(one, signals.Signal)]
    print(len(registries), sum(len(one.receivers) for one in sent), len(payloads.listeners))
    security_log.turn_on()
    print(len(registries), sum(len(one.receivers) for one in sent), len(payloads.listeners))
    security_log.turn_off()
    print(len(registries), sum(len(one.receivers) for one in sent), len(payloads.listeners))
    """
    apps = ["dj_sessions"]
    assert run(code, INSTALLED_APPS=apps).splitlines() == ["0 0 0", "1 3 1", "0 0 0"]
    on = run(code, INSTALLED_APPS=apps, SESSION_SECURITY_LOG=True).splitlines()
    assert on == ["1 3 1", "1 3 1", "0 0 0"]


@STORES
def test_off_nothing_is_logged(store, mode, lines):
    with override_settings(SESSION_SECURITY_LOG=False):
        stored(store, mode, **{SESSION_KEY: "7"}).flush()
        mode.wrap(store.SessionStore("a" * 32)).get("colour")
    assert lines.records == []


@STORES
def test_a_refused_key_is_told_by_a_signal_without_the_log(store, mode):
    told = []

    def note(sender, public_id, reason, **kwargs):
        told.append((sender, public_id, reason))

    signals.session_key_refused.connect(note)
    for key in ("a" * 32, "b"):
        session = mode.wrap(store.SessionStore(key))
        session.get("colour")
        session.get("colour")
    mode.wrap(store.SessionStore()).get("colour")
    signals.session_key_refused.disconnect(note)
    assert told == [
        (store.SessionStore, _keys.public_id("a" * 32), "unknown"),
        (store.SessionStore, _keys.public_id("b"), "malformed"),
    ]
