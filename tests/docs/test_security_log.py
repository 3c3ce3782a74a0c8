"""`docs/security-log.md`: its tables are those of the code, its formatter and its alert work."""

import json
import logging
import logging.config
from copy import deepcopy
from io import StringIO

import pytest
from django.contrib.auth import get_user_model, login, logout
from django.http import HttpResponse
from django.test import override_settings

from dj_sessions import security_log
from dj_sessions._codec.log_rate import MOST, LogRate
from dj_sessions.security_log import FIELDS, WARNINGS, SecurityEvent
from dj_sessions.signals import RefusalReason
from tests.docs.pages import docs
from tests.docs.urls import urls

PAGE = docs("security-log")
NAMES = ("dj_sessions.security", "shop.alerts")


@pytest.fixture
def as_shown(example, monkeypatch):
    """Log as a section of the page sets it up; returns what is written to stderr."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(one.level, one.propagate, one.handlers[:]) for one in loggers]
    out = StringIO()
    for event in security_log.rates:
        monkeypatch.setitem(security_log.rates, event, LogRate())
    security_log.turn_on()

    def show(heading, module):
        example("security-log", module)
        [shown] = PAGE.sections[heading].settings
        chosen = deepcopy(shown.settings())
        monkeypatch.setattr("sys.stderr", out)
        logging.config.dictConfig(chosen["LOGGING"])
        return chosen, out

    yield show
    security_log.turn_off()
    for one, (level, propagate, handlers) in zip(loggers, before, strict=True):
        one.level, one.propagate, one.handlers = level, propagate, handlers


def test_the_tables_name_every_event_and_every_field():
    rows = PAGE.sections["The events"].rows
    assert [row["`session_event`"].strip("`") for row in rows] == list(SecurityEvent)
    for row, event in zip(rows, SecurityEvent, strict=True):
        assert row["Level"] == ("`WARNING`" if event in WARNINGS else "`INFO`")
    fields = [row["Attribute"].strip("`") for row in PAGE.sections["The fields"].rows]
    assert fields == [*FIELDS, "created"]
    for reason in RefusalReason:
        assert f"`{reason}`" in PAGE.text


def log_in(request):
    login(request, get_user_model().objects.get())
    return HttpResponse()


def log_out(request):
    logout(request)
    return HttpResponse()


def with_the_ids_of_the_page(text, public_id, user):
    """What is written of one session, with its ids, its address and its times as shown."""
    text = text.replace(public_id, "0b2e0e3ad9f8c4d1").replace("127.0.0.0", "192.0.2.0")
    text = text.replace(f"user_id={user.pk}", "user_id=7")
    return text.replace(f'"user_id": "{user.pk}"', '"user_id": "7"')


@pytest.mark.stores(name="db-sqlite")
@pytest.mark.modes("sync")
def test_a_login_and_a_logout_are_the_lines_that_are_shown(store, mode, user, as_shown):
    _, as_json = as_shown("As JSON", "shop.json_lines")
    as_text = StringIO()
    logging.getLogger("dj_sessions.security").addHandler(logging.StreamHandler(as_text))
    with override_settings(SESSION_SECURITY_LOG=True, ROOT_URLCONF=urls(log_in, log_out)):
        client = mode.client()
        client.get("/log_in/")
        client.get("/log_out/")
    found = [json.loads(line) for line in as_json.getvalue().splitlines()]
    public_id = found[0]["public_id"]
    [text], [line] = PAGE.all("text"), PAGE.sections["As JSON"].all("json")
    assert with_the_ids_of_the_page(as_text.getvalue(), public_id, user) == text.text
    shown = json.loads(line.text)
    logout_line = json.loads(with_the_ids_of_the_page(json.dumps(found[-1]), public_id, user))
    assert logout_line | {"time": shown["time"]} == shown
    assert list(logout_line) == list(shown)


@pytest.mark.stores(name="db-sqlite")
@pytest.mark.modes("sync")
def test_the_lines_are_json_as_shown(store, mode, clock, as_shown):
    chosen, out = as_shown("As JSON", "shop.json_lines")
    with override_settings(SESSION_SECURITY_LOG=chosen["SESSION_SECURITY_LOG"]):
        session = store.SessionStore()
        session["_auth_user_id"] = 'a "b"\n'
        session.save()
        public_id = session.public_id
        session.flush()
    logging.getLogger("dj_sessions.security").info("a line of %s", "the site's")
    started, bound, ended, other = map(json.loads, out.getvalue().splitlines())
    assert started["session_event"] == "started"
    assert bound.keys() == {"time", "level", "logger", "session_event", "public_id", "user_id"}
    assert ended["user_id"] == 'a "b"\\u000a'
    assert (ended["reason"], ended["public_id"]) == ("flushed", public_id)
    assert other["message"] == "a line of the site's"


@pytest.mark.stores(name="db-sqlite")
@pytest.mark.modes("sync")
def test_the_alert_counts_keys_of_one_address(store, mode, as_shown, caplog):
    chosen, out = as_shown("An alert for guessed keys", "shop.alerts")

    def bring(keys, address):
        for key in keys:
            mode.client(REMOTE_ADDR=address).get(
                mode.url("read"), headers={"cookie": f"sessionid={key}"}
            )
        return [line for line in out.getvalue().splitlines() if "without a session" in line]

    with override_settings(SESSION_SECURITY_LOG=chosen["SESSION_SECURITY_LOG"]):
        assert bring(["a" * 32] * 3, "192.0.2.1") == []
        assert bring([f"{n:032}" for n in range(8)], "198.51.100.1") == []
        alert = "10 keys without a session from 198.51.100.0"
        assert bring([f"{n:032}" for n in range(5, 10)], "198.51.100.2") == [alert]
        bring([f"{n:032}" for n in range(MOST)], "203.0.113.1")
    assert "More keys without a session than are logged" in out.getvalue()
