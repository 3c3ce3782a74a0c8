"""One database under both packages: nothing to migrate, and foreign keys that hold."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.conftest import COMMANDS
from tests.interop.places import DJANGO, OURS, SHARED, Place, prepared
from tests.interop.processes import Worker
from tests.interop.remote import RemoteSession, call

CASES = [case for case in SHARED if case.engine == "db"]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def fresh(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param.missing:
        pytest.skip(request.param.missing)
    with prepared(request.param, "takeover") as place:
        yield place


@dataclass
class Takeover:
    maker: Worker
    taker: Worker


@pytest.fixture(
    scope="module",
    params=[(DJANGO, OURS), (OURS, DJANGO)],
    ids=["made-by-django", "made-by-ours"],
)
def takeover(request: pytest.FixtureRequest, fresh: Place) -> Iterator[Takeover]:
    """A database that one site made, and the site that takes it over."""
    maker, taker = (Worker(COMMANDS, fresh.site(root)) for root in request.param)
    with maker, taker:
        maker.ask("manage", arguments=["migrate"])
        yield Takeover(maker, taker)
        for app in ("bookmarks", "sessions"):
            taker.ask("manage", arguments=["migrate", app, "zero"])


def test_there_is_nothing_to_migrate(takeover: Takeover) -> None:
    plan = takeover.taker.ask("manage", arguments=["migrate", "--plan"])
    assert plan == "Planned operations:\n  No planned migration operations."
    before = takeover.maker.ask("count_rows")
    assert "No migrations to apply." in takeover.taker.ask("manage", arguments=["migrate"])
    assert takeover.taker.ask("count_rows") == before  # no second content type or permission


def test_there_is_nothing_to_make_a_migration_of(takeover: Takeover) -> None:
    for site in (takeover.maker, takeover.taker):
        answer = site.ask("manage", arguments=["makemigrations", "--check", "--dry-run"])
        assert answer == "No changes detected"


def test_both_show_the_same_migrations_as_applied(takeover: Takeover) -> None:
    shown = takeover.taker.ask("manage", arguments=["showmigrations"])
    assert shown == takeover.maker.ask("manage", arguments=["showmigrations"])
    assert "sessions\n [X] 0001_initial" in shown


def test_both_make_the_same_table(takeover: Takeover) -> None:
    statements = ["sqlmigrate", "sessions", "0001"]
    made = takeover.maker.ask("manage", arguments=statements)
    assert takeover.taker.ask("manage", arguments=statements) == made
    assert "django_session" in made


def test_a_foreign_key_to_a_session_holds(takeover: Takeover, spelling: str) -> None:
    key = RemoteSession(takeover.maker, spelling).write({"a": 1})
    takeover.maker.ask("bookmark", key=key, page="home")
    takeover.taker.ask("bookmark", key=key, page="shop")
    for site in (takeover.maker, takeover.taker):
        assert site.ask("bookmarks", key=key) == [("home", {"a": 1}), ("shop", {"a": 1})]


def test_what_points_at_a_session_goes_with_it(takeover: Takeover, spelling: str) -> None:
    key = RemoteSession(takeover.maker, spelling).write({"a": 1})
    takeover.maker.ask("bookmark", key=key, page="home")
    RemoteSession(takeover.taker, spelling, key).do(call("flush"))
    assert takeover.maker.ask("bookmarks", key=key) == []
