"""`_names`: the names of values, held once for all sessions."""

from collections import OrderedDict

import pytest

from dj_sessions._session import shared_names


@pytest.fixture(autouse=True)
def nothing_shared(monkeypatch):
    monkeypatch.setattr(shared_names, "_shared", {})


def fresh(text):
    """A text equal to `text` that nobody else holds."""
    return "".join(list(text))


def names(data):
    return list(shared_names.share(data))


def test_sessions_have_the_names_of_earlier_ones_and_values_of_their_own():
    value = ["green"]
    first = shared_names.share({fresh("colour"): value, fresh("size"): 3})
    second = shared_names.share({fresh("size"): 4, fresh("colour"): value})
    assert (list(first), list(second)) == (["colour", "size"], ["size", "colour"])
    assert second == {"size": 4, "colour": value}
    assert second["colour"] is value
    assert [id(name) for name in sorted(first)] == [id(name) for name in sorted(second)]


class Name(str):
    """A text with more to it."""


def test_what_only_equals_a_name_stays_what_it_is():
    shared_names.share({fresh("colour"): 1})
    name = Name("colour")
    assert names({True: 0, 1.5: 0, None: 0}) == [True, 1.5, None]
    assert names({name: 0})[0] is name
    assert [type(name) for name in names({True: 0}) + names({1: 0})] == [bool, int]


def test_sites_that_put_data_into_names_do_not_fill_the_memory():
    for number in range(3):
        data = {f"basket {number} of {other}": 1 for other in range(shared_names.MOST)}
        assert shared_names.share(data) == data
        assert len(shared_names._shared) == shared_names.MOST
    assert shared_names.share({"one more": 2}) == {"one more": 2}


def test_long_names_are_not_kept_once_their_sessions_are_gone():
    short, long = "x" * shared_names.LONGEST, "x" * (shared_names.LONGEST + 1)
    data = {long: 1, short: 2, "colour": 3}
    for _ in range(2):
        assert shared_names.share(data) == data
        assert list(shared_names._shared) == [short, "colour"]


def test_data_of_another_class_is_left_alone():
    data = OrderedDict(colour="green")
    assert shared_names.share(data) is data
