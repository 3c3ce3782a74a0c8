"""`docs/contributing.md`: what it says can be opened is there."""

import re
from pathlib import Path

import pytest

import dj_sessions
from tests.conftest import TESTS
from tests.docs.pages import DOCS, docs

PACKAGE = Path(dj_sessions.__file__).parent
PAGE = docs("contributing")
CHANGES = [tuple(row.values()) for row in PAGE.sections["To change something"].rows]
ROOMS = PAGE.sections["The rooms"]
#: An example of something new, which is not there yet.
NEW = "dynamodb"


def paths(text):
    return re.findall(r"`([\w/]+(?:\.py|/))`", text)


def test_twenty_changes_are_answered():
    assert len(CHANGES) >= 20


@pytest.mark.parametrize(("modules", "tests"), [change[1:] for change in CHANGES])
def test_a_change_names_modules_and_tests_that_are_there(modules, tests):
    assert paths(modules)
    assert paths(tests)
    for path in paths(modules):
        assert (PACKAGE / path).exists() or NEW in path, path
    for path in paths(tests):
        assert (TESTS / path).exists(), path


def rooms():
    """What the table of rooms names."""
    return [room for row in ROOMS.rows for room in paths(row["Room"])]


@pytest.mark.parametrize("room", rooms())
def test_a_room_is_there(room):
    assert (PACKAGE / room).is_dir()


def test_what_is_said_of_rooms_names_what_is_there():
    assert all((PACKAGE / path).exists() for path in paths(ROOMS.text))


def test_the_picture_shows_rooms_that_are_there_and_all_of_the_table():
    drawn = re.findall(r">([a-z_/]+(?:/|\.py))<", (DOCS / "_static" / "rooms.svg").read_text())
    assert all((PACKAGE / room).exists() for room in drawn)
    beside = {"user_sessions/", "testing/", "_metrics/", "_health/", "_statistics/"}
    apps = {"checks/", "management/", "migrations/", "templatetags/", "templates/"}
    apps |= {"static/", "locale/"}
    assert set(rooms()) - apps - beside <= set(drawn)
    assert {f"storage/{name}" for name in folders(PACKAGE / "storage")} <= set(drawn)


def folders(place):
    return {f"{each.name}/" for each in place.iterdir() if (each / "__init__.py").exists()}


def test_each_room_is_in_the_table():
    assert folders(PACKAGE) <= set(rooms())
