"""What Chromium makes of the cookies and headers: it is the browser that sets, drops and clears."""

from __future__ import annotations

import socketserver
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext


def choose(request: HttpRequest) -> HttpResponse:
    request.session["colour"] = "blue"
    return look(request)


def look(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"colour: {request.session.get('colour')}")


def leave(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse("gone")


def leave_with_a_note(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    request.session["colour"] = "of the note"
    return HttpResponse("gone")


def frame(request: HttpRequest) -> HttpResponse:
    """A page of another site that shows ours."""
    return HttpResponse(f'<iframe src="{request.GET["src"]}"></iframe>')


def other(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("set")
    response.set_cookie("other", "1")
    return response


urlpatterns = [
    path("choose/", choose),
    path("look/", look),
    path("leave/", leave),
    path("leave-with-a-note/", leave_with_a_note),
    path("frame/", frame),
    path("other/", other),
]
SITE = {
    "ROOT_URLCONF": __name__,
    "ALLOWED_HOSTS": ["*"],
    "MIDDLEWARE": ["dj_sessions.middleware.SessionMiddleware"],
    "SESSION_ENGINE": "dj_sessions.backends.cache",
}


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A browser opens more than one connection."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def port(fresh_caches: str) -> Iterator[int]:
    """The port of a server in this process, so that the test changes its settings at will."""
    with override_settings(**SITE), Server(("127.0.0.1", 0), Quiet) as server:
        server.set_app(WSGIHandler())
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def visitor(browser: Browser, browser_thread: ThreadPoolExecutor) -> Iterator[BrowserContext]:
    context = browser_thread.submit(browser.new_context).result()
    yield context
    browser_thread.submit(context.close).result()


def go(visitor: BrowserContext, url: str) -> str:
    page = visitor.new_page()
    page.goto(url)
    text = page.locator("body").inner_text()
    page.close()
    return text


def in_frame(visitor: BrowserContext, port: int, place: str) -> str:
    """What the page of ours shows in a frame on a page of another site."""
    page = visitor.new_page()
    page.goto(f"http://127.0.0.1:{port}/frame/?src=http://localhost:{port}/{place}/")
    text = page.frame_locator("iframe").locator("body").inner_text()
    page.close()
    return text


def test_a_partitioned_cookie_is_kept_for_one_site_and_deleted(
    visitor: BrowserContext, port: int, browser_thread: ThreadPoolExecutor
) -> None:
    with override_settings(
        SESSION_COOKIE_PARTITIONED=True,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="None",
    ):
        assert in_frame(visitor, port, "choose") == "colour: blue"
        assert in_frame(visitor, port, "look") == "colour: blue"
        assert go(visitor, f"http://localhost:{port}/look/") == "colour: None"
        [cookie] = visitor.cookies()
        assert cookie["partitionKey"]
        assert in_frame(visitor, port, "leave") == "gone"
        assert visitor.cookies() == []


@pytest.mark.parametrize("host", ["www.example.test", "example.test"])
def test_the_cookie_of_the_parent_domain_goes_when_the_host_has_its_own(
    visitor: BrowserContext, port: int, browser_thread: ThreadPoolExecutor, host: str
) -> None:
    url = f"http://{host}:{port}"
    with override_settings(SESSION_COOKIE_DOMAIN="example.test"):
        go(visitor, f"{url}/choose/")
    [old] = visitor.cookies()
    assert old["domain"] == ".example.test"
    with override_settings(SESSION_COOKIE_ALSO_EXPIRE=[{"domain": ".example.test"}]):
        assert go(visitor, f"{url}/choose/") == "colour: blue"
        [new] = visitor.cookies()
        assert new["domain"] == host
        assert new["value"] == old["value"]
        go(visitor, f"{url}/leave/")
        assert visitor.cookies() == []


@pytest.mark.parametrize(("cleared", "kept"), [(None, ["other"]), ("cookies", [])])
def test_a_logout_has_the_browser_delete_the_other_cookies_where_the_site_wants_it(
    visitor: BrowserContext,
    port: int,
    browser_thread: ThreadPoolExecutor,
    cleared: str | None,
    kept: list[str],
) -> None:
    url = f"http://localhost:{port}"
    with override_settings(SESSION_CLEAR_SITE_DATA=cleared):
        for place in ("other", "choose"):
            go(visitor, f"{url}/{place}/")
        assert {cookie["name"] for cookie in visitor.cookies()} == {"other", "sessionid"}
        go(visitor, f"{url}/leave/")
        assert [cookie["name"] for cookie in visitor.cookies()] == kept


def test_with_the_cookies_goes_what_a_view_leaves_in_the_session_after_the_logout(
    visitor: BrowserContext, port: int, browser_thread: ThreadPoolExecutor
) -> None:
    """So the docs say where to leave it instead."""
    url = f"http://localhost:{port}"
    with override_settings(SESSION_CLEAR_SITE_DATA="cookies"):
        go(visitor, f"{url}/choose/")
        go(visitor, f"{url}/leave-with-a-note/")
        assert visitor.cookies() == []
