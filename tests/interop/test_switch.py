"""A site with live sessions is switched to ours and back: nobody is logged out."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.interop.browser import Browser
from tests.interop.conftest import COMMANDS
from tests.interop.places import DJANGO, OURS, Place
from tests.interop.processes import Worker


@pytest.fixture(scope="module")
def populated(place: Place) -> Place:
    """The place with a user who can log in."""
    with Worker(COMMANDS, place.site(DJANGO)) as site:
        site.ask("manage", arguments=["migrate"])
        site.ask("add_user", username="grace")
    return place


@contextmanager
def running(place: Place, root: str, interface: str) -> Iterator[str]:
    """The site, deployed on this package, migrated and serving, until it is shut down."""
    with Worker(COMMANDS, place.site(root)) as site:
        site.ask("manage", arguments=["migrate"])
        site.ask("manage", arguments=["check"])
        yield site.ask("serve")[interface]


def look(browser: Browser, address: str) -> tuple[str, dict[str, object]]:
    seen = browser.visit(address, "look")
    return seen["user"], seen["data"]


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_nobody_is_logged_out_by_the_switch_nor_by_switching_back(
    populated: Place, interface: str
) -> None:
    before, during, leaving, guest = (Browser() for _ in range(4))

    with running(populated, DJANGO, interface) as address:
        for browser in (before, leaving):
            browser.visit(address, "log_in", "grace")
        before.visit(address, "put", {"since": "django"})
        guest.visit(address, "put", {"cart": [1]})

    with running(populated, OURS, interface) as address:
        assert look(before, address) == ("grace", {"since": "django"})
        assert look(guest, address) == ("", {"cart": [1]})
        before.visit(address, "put", {"then": "ours"})
        guest.visit(address, "log_in", "grace")
        during.visit(address, "log_in", "grace")
        leaving.visit(address, "log_out")

    with running(populated, DJANGO, interface) as address:
        assert look(before, address) == ("grace", {"since": "django", "then": "ours"})
        assert look(guest, address) == ("grace", {"cart": [1]})
        assert look(during, address) == ("grace", {})
        assert look(leaving, address) == ("", {})
        before.visit(address, "put", {"again": "django"})

    with running(populated, OURS, interface) as address:
        data = {"since": "django", "then": "ours", "again": "django"}
        assert look(before, address) == ("grace", data)
