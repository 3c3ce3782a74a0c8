"""A headless Chromium against demo sites that run as processes of their own.

Playwright's synchronous API leaves an event loop running in the thread that started it, in which
Django then refuses database work. So the browser lives in a thread of its own, where the bodies of
the tests that use it run as well, and the other tests never meet it, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial, wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.db import connections
from django.test import Client

from tests import services
from tests.browser.demo import Demo
from tests.browser.needs import chromium, missing, server, url
from tests.browser.visitor import Visitor
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # For tests of cookies: a site with hosts below its domain.
    "--host-resolver-rules=MAP example.test 127.0.0.1, MAP *.example.test 127.0.0.1",
)
HOME = "https://site.test"
ENGINES = ("db", "cache", "cached_db", "file", "signed_cookies")
SITES = [(engine, "wsgi") for engine in ENGINES] + [("db", "asgi"), ("cache", "asgi")]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    thread = pyfuncitem.funcargs.get("browser_thread")
    if thread is not None:
        body = pyfuncitem.obj

        @wraps(body)
        def in_thread(**arguments: Any) -> None:
            thread.submit(body, **arguments).result()

        pyfuncitem.obj = in_thread
    return (yield)


@pytest.fixture(scope="session")
def browser_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, thread_name_prefix="browser") as thread:
        yield thread


@pytest.fixture(scope="session")
def browser(browser_thread: ThreadPoolExecutor) -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    executable = chromium()
    playwright = browser_thread.submit(sync_playwright().start).result()
    start = playwright.chromium.launch
    launch = partial(start, executable_path=executable, args=FLAGS, timeout=1000 * PATIENCE)
    browser = browser_thread.submit(launch).result()
    yield browser
    browser_thread.submit(browser.close).result()
    browser_thread.submit(playwright.stop).result()


@pytest.fixture(scope="session")
def redis_url() -> str:
    return url("redis", server("redis"), f"/{services.REDIS_DB}")


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Demo]]:
    """Each kind of site is started when a test first needs it, and serves all that come later."""
    running: dict[tuple[object, ...], Demo] = {}
    with ExitStack() as stack:

        def demo(interface: str, **choices: str) -> Demo:
            kind = (interface, *choices.items())
            if kind not in running:
                var_dir = tmp_path_factory.mktemp("demo")
                running[kind] = stack.enter_context(Demo(var_dir, interface, **choices))
            return running[kind]

        yield demo


@pytest.fixture(params=SITES, ids="-".join)
def demo(request: pytest.FixtureRequest, demos: Callable[..., Demo]) -> Demo:
    engine, interface = request.param
    choices = {"SESSION_ENGINE": engine}
    if engine in {"cache", "cached_db"}:
        # A session in the memory of a server does not outlive it.
        choices["CACHE_URL"] = request.getfixturevalue("redis_url")
    return demos(interface, **choices)


@pytest.fixture
def visitors(
    browser: Browser, browser_thread: ThreadPoolExecutor, demo: Demo
) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, each with a browser of their own."""
    came: list[Visitor] = []

    def visitor(**options: Any) -> Visitor:
        came.append(Visitor(browser, demo, **options))
        return came[-1]

    yield visitor
    for visitor in came:
        browser_thread.submit(visitor.context.close).result()


@pytest.fixture
def visitor(visitors: Callable[..., Visitor], browser_thread: ThreadPoolExecutor) -> Visitor:
    return browser_thread.submit(visitors).result()


# The admin of the test-suite's own site: Django's test client answers the browser


@pytest.fixture
def django_thread(store: Any) -> Iterator[ThreadPoolExecutor]:
    """A thread in which Django works: it refuses to beside the event loop of the browser."""
    with ThreadPoolExecutor(1) as thread:
        yield thread
        thread.submit(connections.close_all).result()


@pytest.fixture
def answer(django_thread: ThreadPoolExecutor) -> Callable[[Route], None]:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss"))

    def respond(method: str, url: str, body: bytes, kind: str) -> dict[str, Any]:
        path = urlsplit(url).path
        if path.startswith("/static/"):
            found = finders.find(path.removeprefix("/static/"))
            return {"path": found} if found else {"status": 404}
        address = url.removeprefix(HOME)
        if method == "POST":  # Chromium follows by itself what it is answered, and asks the network
            response = client.post(address, body, content_type=kind, follow=True)
        else:
            response = client.get(address, follow=True)
        headers = dict(response.headers)
        return {"status": response.status_code, "headers": headers, "body": response.content}

    def answer(route: Route) -> None:
        request = route.request
        body, kind = request.post_data_buffer or b"", request.headers.get("content-type", "")
        answered = django_thread.submit(respond, request.method, request.url, body, kind).result()
        route.fulfill(**answered)

    return answer


@pytest.fixture
def admin_pages(
    browser: Browser, browser_thread: ThreadPoolExecutor, answer: Any
) -> Iterator[Callable[..., Page]]:
    """Opens pages of the admin, for a superuser; the console has to stay empty."""
    contexts, problems = [], []

    def opened(path: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        context.route("**/*", answer)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(HOME + path)
        return page

    yield opened
    for context in contexts:
        browser_thread.submit(context.close).result()
    assert problems == []
