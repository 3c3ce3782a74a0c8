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
def running(place: Place, root: str) -> Iterator[dict[str, str]]:
    """The site, deployed on this package, migrated and serving, until it is shut down."""
    with Worker(COMMANDS, place.site(root)) as site:
        site.ask("manage", arguments=["migrate"])
        site.ask("manage", arguments=["check"])
        yield site.ask("serve")


def look(browser: Browser, address: str) -> tuple[str, dict[str, object]]:
    seen = browser.visit(address, "look")
    return seen["user"], seen["data"]


class People:
    """The browsers that meet the site, through one interface, before, during and after."""

    def __init__(self) -> None:
        self.before, self.during, self.leaving, self.guest = (Browser() for _ in range(4))

    def meet_django(self, address: str) -> None:
        for browser in (self.before, self.leaving):
            browser.visit(address, "log_in", "grace")
        self.before.visit(address, "put", {"since": "django"})
        self.guest.visit(address, "put", {"cart": [1]})

    def meet_ours(self, address: str) -> None:
        assert look(self.before, address) == ("grace", {"since": "django"})
        assert look(self.guest, address) == ("", {"cart": [1]})
        self.before.visit(address, "put", {"then": "ours"})
        self.guest.visit(address, "log_in", "grace")
        self.during.visit(address, "log_in", "grace")
        self.leaving.visit(address, "log_out")

    def meet_django_again(self, address: str) -> None:
        assert look(self.before, address) == ("grace", {"since": "django", "then": "ours"})
        assert look(self.guest, address) == ("grace", {"cart": [1]})
        assert look(self.during, address) == ("grace", {})
        assert look(self.leaving, address) == ("", {})
        self.before.visit(address, "put", {"again": "django"})

    def meet_ours_again(self, address: str) -> None:
        data = {"since": "django", "then": "ours", "again": "django"}
        assert look(self.before, address) == ("grace", data)


STEPS = [
    (DJANGO, People.meet_django),
    (OURS, People.meet_ours),
    (DJANGO, People.meet_django_again),
    (OURS, People.meet_ours_again),
]


def test_nobody_is_logged_out_by_the_switch_nor_by_switching_back(populated: Place) -> None:
    people = {"wsgi": People(), "asgi": People()}
    for root, meet in STEPS:
        with running(populated, root) as addresses:
            for interface, those in people.items():
                meet(those, addresses[interface])
