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

import pytest

from tests import services
from tests.browser.demo import Demo
from tests.browser.needs import chromium, missing, server, url
from tests.browser.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
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
    launch = partial(playwright.chromium.launch, executable_path=executable, args=FLAGS)
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
