"""What the reports of errors by mail show: no session key, wherever the site has it from."""

import logging
import re

import pytest
from django.core import mail
from django.core.cache import caches
from django.test import RequestFactory, override_settings
from django.utils.log import AdminEmailHandler
from django.views import debug
from django.views.debug import SafeExceptionReporterFilter

from dj_sessions._http import error_reports
from dj_sessions.middleware import SessionMiddleware
from dj_sessions.storage.caches.locmem import LocMemAdapter
from tests.middleware.serving import serve, stored

#: The newest Django wants the settings of mails in another way, which the oldest does not know.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*default mailer", "ignore:.*pairs in the ADMINS setting"
)

COLOUR = "a colour for the report"


class AdminCookie(SessionMiddleware):
    def cookie_name(self, request):
        return "adminsessionid"


class HeaderKey(SessionMiddleware):
    def get_session_key(self, request):
        return request.headers.get("X-Session-Key")


class Broken(SessionMiddleware):
    def cookie_name(self, request):
        raise LookupError("the tenant is not known")


def in_cookie(name):
    def bring(key):
        request = RequestFactory().get("/")
        request.COOKIES[name] = key
        request.META["HTTP_COOKIE"] = f"{name}={key}"
        return request

    return bring


def in_header(key):
    return RequestFactory().get("/", headers={"X-Session-Key": key})


WAYS = {
    "stock": (SessionMiddleware, in_cookie("sessionid")),
    "another cookie": (AdminCookie, in_cookie("adminsessionid")),
    "the cookie of another path": (SessionMiddleware, in_cookie("adminsessionid")),
    "a header": (HeaderKey, in_header),
    "a hook that fails": (Broken, in_cookie("adminsessionid")),
}


def boom(request):
    key, colour = request.session.session_key, COLOUR
    found = {"nested": [f"before {key} after"], colour: 1}
    raise ValueError(f"{len(found)} colours")


def boom_in_the_store(request):
    request.session["colour"] = COLOUR


@pytest.fixture(params=[False, True], ids=["text", "html"])
def mailed(request, mode, mailoutbox, settings):
    """What the mail to the admins says of the error that a request ends in."""
    settings.ADMINS = [("ops", "ops@example.com")]
    settings.DEBUG = False

    def send(view, middleware, visit):
        try:
            serve(mode, view, middleware=middleware, request=visit)
        except (ValueError, ConnectionError, LookupError) as error:
            told = type(error), error, error.__traceback__
        record = logging.LogRecord("django.request", logging.ERROR, "", 0, "boom", (), told)
        record.request = visit
        AdminEmailHandler(include_html=request.param).emit(record)
        [sent] = mail.outbox
        return sent.body + "".join(part.content for part in sent.alternatives)

    return send


@pytest.mark.parametrize(("middleware", "bring"), WAYS.values(), ids=WAYS)
def test_the_key_is_in_no_mail_and_the_rest_is(mailed, middleware, bring):
    key = stored()
    visit = bring(key)
    visit.COOKIES["theme"] = "dark-and-blue"
    said = mailed(boom, middleware, visit)
    assert key not in said
    assert re.search("ValueError|LookupError", said)
    assert ("dark-and-blue" in said) is (middleware is not Broken)


def test_the_key_is_in_no_frame_of_the_store(mailed, monkeypatch):
    def gone(self, *args):
        raise ConnectionError("gone")

    key = stored()
    monkeypatch.setattr(LocMemAdapter, "replace", gone)
    said = mailed(boom_in_the_store, SessionMiddleware, in_cookie("sessionid")(key))
    assert key not in said
    assert "ConnectionError" in said


def test_no_key_of_two_cookies_is_in_a_frame_of_the_store(mailed, monkeypatch):
    def gone(self, *args):
        raise ConnectionError("gone")

    one, other = stored(), stored()
    visit = RequestFactory().get("/", headers={"Cookie": f"sessionid={one}; sessionid={other}"})
    monkeypatch.setattr(LocMemAdapter, "read", gone)
    said = mailed(boom_in_the_store, SessionMiddleware, visit)
    assert "ConnectionError" in said
    assert one not in said
    assert other not in said


def test_no_other_key_is_in_a_frame(mailed, monkeypatch):
    """Neither that of a session just stored, whose answer was lost, nor those in a list."""
    insert, others = LocMemAdapter.insert, [stored(), stored()]

    def lost(self, name, *args):
        insert(self, name, *args)
        raise ConnectionError("the answer is lost")

    def boom_in_a_list(request):
        names, looked_up = list(others), {f"cache{key}": 1 for key in others}
        number = "0123456789abcdef" * 4
        request.session.cycle_key()
        raise ValueError(f"{len(names)} of {len(looked_up)}, {number}")

    key = stored()
    before = set(caches["default"]._cache)
    monkeypatch.setattr(LocMemAdapter, "insert", lost)
    said = mailed(boom_in_a_list, SessionMiddleware, in_cookie("sessionid")(key))
    [new] = {name[-32:] for name in set(caches["default"]._cache) - before}
    assert "the answer is lost" in said
    assert ("<td>number</td>" in said) is ("0123456789abcdef" * 4 in said)
    assert not [each for each in (key, new, *others) if each in said]


@pytest.mark.parametrize("size", [32, 100_000])
def test_what_is_no_key_is_shown_as_fast_as_it_is_long(size):
    shown = "0123456789abcdef" * (size // 16)
    assert not error_reports._holds(shown, set())
    assert error_reports._holds(f"{shown}xyz", set())


def test_another_cookie_is_shown_and_where_the_site_is_debugged_all_are(mode):
    request = in_cookie("adminsessionid")("a" * 32)
    request.COOKIES["coupon"] = "TEN-PERCENT"
    serve(mode, lambda request: None, middleware=AdminCookie, request=request)
    cookies = request.exception_reporter_filter.get_safe_cookies(request)
    assert cookies == {
        "adminsessionid": SafeExceptionReporterFilter.cleansed_substitute,
        "coupon": "TEN-PERCENT",
    }
    with override_settings(DEBUG=True):
        assert request.exception_reporter_filter.get_safe_cookies(request) == {
            "adminsessionid": "a" * 32,
            "coupon": "TEN-PERCENT",
        }


class HidesCoupons(SafeExceptionReporterFilter):
    hidden_settings = re.compile("coupon")


def test_what_the_site_s_own_filter_hides_stays_hidden(mode, monkeypatch):
    monkeypatch.setattr(debug, "get_default_exception_reporter_filter", HidesCoupons)
    request = in_cookie("adminsessionid")("a" * 32)
    request.COOKIES["coupon"] = "TEN-PERCENT"
    serve(mode, lambda request: None, middleware=AdminCookie, request=request)
    cookies = request.exception_reporter_filter.get_safe_cookies(request)
    assert set(cookies.values()) == {HidesCoupons.cleansed_substitute}


def test_a_report_counts_as_no_access(mode):
    request = in_cookie("sessionid")(stored())
    serve(mode, lambda request: None, request=request)
    request.exception_reporter_filter.get_safe_cookies(request)
    assert request.session.accessed is False
