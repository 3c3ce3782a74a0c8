"""How much the list has of whoever uses a session, and for how long."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import path

from dj_sessions.signals import EndReason, new_device
from dj_sessions.user_sessions import privacy, sessions_of
from dj_sessions.user_sessions.models import UserSession
from tests.counters import statements
from tests.user_sessions.test_limit import log_in_view

urlpatterns = [path("", log_in_view), path("who/", lambda request: HttpResponse(request.user))]


@pytest.mark.parametrize(
    ("given", "truncated", "full"),
    [
        ("192.0.2.77", "192.0.2.0", "192.0.2.77"),
        ("2001:db8:1:2::7", "2001:db8:1::", "2001:db8:1:2::7"),
        ("::ffff:192.0.2.77", "192.0.2.0", "192.0.2.77"),
        ("fe80::1%eth0", "fe80::", "fe80::1"),
        (" 192.0.2.77 ", "192.0.2.0", "192.0.2.77"),
        ("", None, None),
        ("unix:", None, None),
        ("192.0.2.77, 198.51.100.1", None, None),
    ],
)
def test_an_address_is_kept_as_the_setting_says(given, truncated, full):
    request = RequestFactory().get("/", REMOTE_ADDR=given)
    assert privacy.address_of(request) == truncated
    with override_settings(SESSION_IP_ADDRESS="full"):
        assert privacy.address_of(request) == full
    with override_settings(SESSION_IP_ADDRESS="none"):
        assert privacy.address_of(request) is None


def behind_one_proxy(request):
    return request.META["HTTP_X_FORWARDED_FOR"].split(",")[-1]


def test_a_forwarded_header_counts_by_a_function_alone():
    request = RequestFactory().get("/", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.9"})
    assert privacy.address_of(request) == "127.0.0.0"
    with override_settings(SESSION_CLIENT_ADDRESS=f"{__name__}.behind_one_proxy"):
        assert privacy.address_of(request) == "203.0.113.0"


def test_a_user_agent_is_cut_and_fits_each_database():
    request = RequestFactory().get("/", headers={"user-agent": "a\x00\ud800" + "b" * 300})
    assert privacy.agent_of(request) == "a?" + "b" * 253


# How long


@pytest.mark.stores(name=("db-postgres", "redis"))
@pytest.mark.modes("sync")
@override_settings(SESSION_HISTORY_DAYS=2)
def test_clearsessions_removes_rows_without_a_session_and_old_history(log_in, user, store, clock):
    ended, gone, lives = (log_in(user) for _ in range(3))
    ended.flush()
    store.SessionStore().get_storage().remove(gone.session_key)
    clock.move(3600)
    assert cleared() == "Users' sessions: 1 found gone, 0 removed from the history."
    rows = UserSession.objects.order_by("pk")
    assert [row.reason for row in rows] == [EndReason.FLUSHED, EndReason.GONE, ""]
    clock.move(2 * 86400 + 60)
    assert cleared() == "Users' sessions: 0 found gone, 1 removed from the history."
    clock.move(2 * 86400 + 3660)
    assert cleared() == "Users' sessions: 0 found gone, 1 removed from the history."
    assert [row.public_id for row in sessions_of(user)] == [lives.public_id]


def cleared():
    out = StringIO()
    call_command("clearsessions", stdout=out)
    return out.getvalue().splitlines()[-1]


# When it is told


@pytest.mark.stores(name=("db-sqlite", "redis"))
def test_use_is_noted_once_in_a_while(mode, user, store, clock):
    with override_settings(ROOT_URLCONF=__name__):
        client = mode.client()
        client.get("/", headers={"user-agent": "Lynx"})
        for moment, expected in ((299, 0), (300, 1), (301, 0), (599, 0), (600, 1)):
            clock.move(moment)
            with statements() as seen:
                client.get("/who/", headers={"user-agent": f"Lynx {moment}"})
            told = [sql for sql in seen if "dj_user_sessions" in sql]
            assert len(told) == expected, (moment, told)
    [row] = sessions_of(user)
    assert (row.last_seen, row.user_agent) == (clock.after(seconds=600), "Lynx 600")
    assert row.created == clock.start


@pytest.mark.stores(name=("db-sqlite", "redis"))
@pytest.mark.parametrize("limit", [None, 9])
@override_settings(SESSION_LIMIT_ACTION="refuse")
def test_a_new_device_is_told_of(mode, user, store, limit, settings):
    settings.SESSION_LIMIT_PER_USER = limit
    told = []

    def note(sender, user_session, request, **kwargs):
        told.append((user_session.user_id, user_session.user_agent, request.path))

    new_device.connect(note)
    with override_settings(ROOT_URLCONF=__name__):
        for agent in ("Lynx/2.9", "Lynx/2.10", "Links/2.8", "Links/2.9"):
            mode.client().get("/", headers={"user-agent": agent})
    new_device.disconnect(note)
    assert told == [(user.pk, "Lynx/2.9", "/"), (user.pk, "Links/2.8", "/")]


def test_who_uses_a_session_that_no_request_has_stored(mode, user):
    client = mode.client()
    client.force_login(user)
    with override_settings(ROOT_URLCONF="tests.user_sessions.test_automatic"):
        client.get("/who/", headers={"user-agent": "Firefox"})
    assert UserSession.objects.get().user_agent == "Firefox"
