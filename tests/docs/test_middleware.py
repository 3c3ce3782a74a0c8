"""The middleware of the page `extending` does what the text around it says."""

from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import SESSION_KEY
from django.http import JsonResponse
from django.test import override_settings

from dj_sessions.backends.db import SessionStore
from tests.counters import thread_hops
from tests.docs.urls import urls


@pytest.fixture
def visit(example, mode, databases):
    """Ask a site with one of the page's middleware; the query goes into the session."""
    client = mode.client()

    def view(request):
        if request.GET:
            request.session.update(request.GET.dict())
        return JsonResponse(dict(request.session.items()) | {"path": request.path})

    async def aview(request):
        if request.GET:
            await request.session.aupdate(request.GET.dict())
        return JsonResponse(dict(await request.session.aitems()) | {"path": request.path})

    def get(middleware, path, data=None, **options):
        example("extending", middleware.rpartition(".")[0])
        with override_settings(
            MIDDLEWARE=[middleware], ROOT_URLCONF=urls(aview if mode.is_async else view)
        ):
            response = client.get(path, data, **options)
        for name, morsel in response.cookies.items():
            client.cookies[name] = morsel.value
        return response

    get.cookies = client.raw.cookies
    return get


def test_the_admin_has_a_cookie_of_its_own(visit):
    site = "shop.admin_cookie.AdminCookieMiddleware"
    visit(site, "/", {"who": "customer"})
    visit(site, "/admin/", {"who": "staff"})
    assert set(visit.cookies) == {"sessionid", "adminsessionid"}
    assert visit(site, "/").json()["who"] == "customer"
    assert visit(site, "/admin/users/").json()["who"] == "staff"


def test_an_embedded_page_s_cookie_is_sent_across_sites(visit):
    site = "shop.embedded_cookie.EmbeddedCookieMiddleware"
    embedded = visit(site, "/embed/", {"a": 1}).cookies["sessionid"]
    assert (embedded["samesite"], embedded["secure"]) == ("None", True)
    plain = visit(site, "/", {"a": 1}).cookies["sessionid"]
    assert (plain["samesite"], plain["secure"]) == ("Lax", "")


def test_a_key_in_a_header_stands_before_the_cookie_and_in_vary(visit, mode):
    site = "shop.header_key.HeaderKeyMiddleware"
    session = SessionStore()
    session["who"] = "app"
    session.save()
    visit(site, "/", {"who": "browser"})
    response = visit(site, "/", headers={"X-Session-Key": session.session_key})
    assert response.json()["who"] == "app"
    assert response.headers["Vary"] == "X-Session-Key, Cookie"
    assert visit(site, "/").json()["who"] == "browser"


def test_no_cookie_before_consent(visit):
    site = "shop.consent.ConsentMiddleware"
    assert not visit(site, "/", {"a": 1}).cookies
    assert "sessionid" in visit(site, "/", {SESSION_KEY: "1"}).cookies  # a login is no tracking
    assert visit(site, "/").json()[SESSION_KEY] == "1"
    visit.cookies.clear()
    visit.cookies["consent"] = "yes"
    assert "sessionid" in visit(site, "/", {"a": 1}).cookies
    assert visit(site, "/").json()["a"] == "1"


def test_the_session_knows_the_browser(example, mode):
    middleware = example("extending", "shop.browser").BrowserMiddleware
    request = SimpleNamespace(COOKIES={}, headers={"User-Agent": "Lynx"})
    with override_settings(SESSION_ENGINE="dj_sessions.backends.db"):
        mode.wrap(middleware(lambda request: None)).process_request(request)
    assert request.session.browser == "Lynx"


@pytest.mark.parametrize(
    ("module", "name", "hops"),
    [
        ("admin_cookie", "AdminCookieMiddleware", 0),
        ("embedded_cookie", "EmbeddedCookieMiddleware", 0),
        ("consent", "ConsentMiddleware", 0),
        ("browser", "BrowserMiddleware", 1),
        ("header_key", "HeaderKeyMiddleware", 1),
    ],
)
def test_small_steps_cost_no_hop_and_overridden_halves_cost_one(example, rf, module, name, hops):
    middleware = getattr(example("extending", f"shop.{module}"), name)

    async def view(request):
        return JsonResponse({})

    with thread_hops() as seen:
        async_to_sync(middleware(view))(rf.get("/"))
    assert len(seen) == hops
