"""`_session.merge`: the laws of the three-way merge."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_sessions._session.merge import ABSENT, LOGIN, changes, merge, take_over

# Without 0 and 1, which compare equal to False and True: see the last test.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(2, 5) | st.sampled_from(["", "green", "blue"]),
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(st.sampled_from("xy"), parts),
    max_leaves=4,
)
# Few keys, so that all three often hold the same one.
SESSIONS = st.dictionaries(st.sampled_from(["cart", "colour", "visits", "_auth_user_id"]), VALUES)


def changed(base, other):
    """The keys that were added, changed or removed."""
    return {
        key
        for key in {*base, *other}
        if key not in base or key not in other or base[key] != other[key]
    }


def kept(session, keys):
    return {key: value for key, value in session.items() if key in keys}


@given(SESSIONS, SESSIONS)
def test_with_no_change_of_ours_it_is_theirs(base, theirs):
    assert merge(base, base, theirs) == theirs


@given(SESSIONS, SESSIONS)
def test_with_no_change_of_theirs_it_is_ours(base, ours):
    assert merge(base, ours, base) == ours


@given(SESSIONS, SESSIONS)
def test_the_same_change_on_both_sides_is_made_once(base, both):
    assert merge(base, both, both) == both


@given(SESSIONS, SESSIONS, SESSIONS)
def test_each_key_is_ours_where_we_changed_it_and_theirs_elsewhere(base, ours, theirs):
    merged = merge(base, ours, theirs)
    mine = changed(base, ours)
    everything = {*base, *ours, *theirs, *merged}
    assert kept(merged, mine) == kept(ours, mine)
    assert kept(merged, everything - mine) == kept(theirs, everything - mine)


@given(SESSIONS, SESSIONS, SESSIONS)
def test_merging_again_changes_nothing(base, ours, theirs):
    merged = merge(base, ours, theirs)
    assert merge(base, ours, merged) == merged
    assert merge(theirs, merged, theirs) == merged


@given(SESSIONS, SESSIONS, SESSIONS)
def test_changes_of_different_keys_commute(base, ours, theirs):
    mine = changed(base, ours)
    apart = {**kept(theirs, {*theirs} - mine), **kept(base, mine)}
    assert merge(base, ours, apart) == merge(base, apart, ours)


@given(SESSIONS, SESSIONS, SESSIONS, SESSIONS)
def test_conflicts_in_a_row_end_like_one(base, ours, first, second):
    step = merge(first, merge(base, ours, first), second)
    mine = changed(base, ours)
    everything = {*base, *ours, *first, *second}
    # A key of ours that the first writer had brought to our value already is no longer a change.
    still_mine = {key for key in mine if key in changed(first, merge(base, ours, first))}
    assert kept(step, still_mine) == kept(ours, still_mine)
    assert kept(step, everything - mine) == kept(second, everything - mine)


@given(SESSIONS, SESSIONS, SESSIONS)
def test_nothing_given_is_changed(base, ours, theirs):
    before = deepcopy((base, ours, theirs))
    merged = merge(base, ours, theirs)
    assert (base, ours, theirs) == before
    assert merged is not base
    assert merged is not ours
    assert merged is not theirs


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ({"a": 1}, {}, {"a": 2}, {}),  # we removed what they changed
        ({"a": 1}, {"a": 2}, {}, {"a": 2}),  # we changed what they removed
        ({"a": 1}, {"a": 1}, {}, {}),  # they removed what we left
        ({}, {"a": 1}, {"a": 2}, {"a": 1}),  # both added
        ({"a": 1}, {"a": None}, {"a": 1}, {"a": None}),  # None is a value
        ({"a": None}, {}, {"a": None}, {}),
        ({"c": {"x": 1}}, {"c": {"x": 2}}, {"c": {"y": 3}}, {"c": {"x": 2}}),  # whole top level
    ],
)
def test_examples(base, ours, theirs, merged):
    assert merge(base, ours, theirs) == merged


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), ([1], [True])])
def test_a_change_of_type_between_values_that_compare_equal_is_a_change(before, after):
    merged = merge({"agreed": before}, {"agreed": after}, {"agreed": before, "visits": 1})
    assert repr(merged["agreed"]) == repr(after)


class Silent:
    """An object that says nothing about equality."""

    def __init__(self, value):
        self.value = value


class Keyed(Silent):
    """One that is equal to any other of its kind, as a model instance is with the same key."""

    def __eq__(self, other):
        return type(self) is type(other)

    __hash__ = None


class Vague(Silent):
    """One whose comparison is no answer, as that of two arrays."""

    def __eq__(self, other):
        raise ValueError("which of them?")

    __hash__ = None


@pytest.mark.parametrize("make", [Silent, Keyed, Vague, lambda value: [Vague({"value": value})]])
def test_objects_are_compared_as_they_are_stored(make):
    base, untouched, theirs = ({"cart": make(number)} for number in (1, 1, 2))
    assert merge(base, untouched, theirs)["cart"] is theirs["cart"]
    ours = {"cart": make(3)}
    assert merge(base, ours, {**base, "visits": 1})["cart"] is ours["cart"]


def test_what_is_no_number_did_not_change_for_being_unequal_to_itself():
    merged = merge({"rate": float("nan")}, {"rate": float("nan")}, {"rate": 1.5})
    assert merged == {"rate": 1.5}


def test_a_tuple_is_the_list_that_it_was_stored_as():
    merged = merge({"rights": ["read"]}, {"rights": ("read",)}, {"rights": ["read", "write"]})
    assert merged == {"rights": ["read", "write"]}


@pytest.mark.parametrize(
    ("one", "other"), [((1,), [1]), ([1], (1,)), ({"x": [(1,)]}, {"x": [[1]]})]
)
def test_a_tuple_is_no_list_where_that_counts(one, other):
    assert changes({"a": one}, {"a": other}) == set()
    assert changes({"a": one}, {"a": other}, tuples_are_lists=False) == {"a"}
    assert changes({"a": one}, {"a": deepcopy(one)}, tuples_are_lists=False) == set()


def test_what_cannot_be_pickled_is_compared_by_itself():
    merged = merge({"call": merge}, {"call": lambda: None}, {"call": merge, "visits": 1})
    assert merged["call"] is not merge


@pytest.mark.parametrize(
    ("ours", "theirs", "asked"),
    [
        ({"a": 2}, {"a": 3}, [("a", 1, 2, 3)]),
        ({"a": 2}, {}, [("a", 1, 2, ABSENT)]),
        ({}, {"a": 3}, [("a", 1, ABSENT, 3)]),
        ({"a": 2}, {"a": 1}, []),  # we changed it alone
        ({"a": 1}, {"a": 3}, []),  # they changed it alone
        ({"a": 2}, {"a": 2}, []),  # to the same
    ],
)
def test_who_resolves_is_asked_where_both_changed_a_key_and_differently(ours, theirs, asked):
    calls = []

    def resolve(*values):
        calls.append(values)
        return 4

    merged = merge({"a": 1}, ours, theirs, resolve)
    assert calls == asked
    if asked:
        assert merged == {"a": 4}
        assert merge({"a": 1}, ours, theirs, lambda *values: ABSENT) == {}


def test_nobody_is_asked_about_a_login_which_is_ours_as_a_whole():
    base, ours, theirs = (dict.fromkeys(LOGIN, login) for login in ("before", "ours", "theirs"))
    ours[LOGIN[1]] = "before"  # the backend is the same
    assert merge(base, ours, theirs, pytest.fail) == ours


def test_which_keys_we_changed_may_be_known():
    base, ours, theirs = {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 3, "b": 3}
    assert merge(base, ours, theirs, changed={"a"}) == {"a": 1, "b": 3}


def test_what_was_changed_again_meanwhile_is_not_taken_over():
    base = {"asked": 1, "set": 1, "gone": 1, "added": 1, "left": 1}
    theirs = {"asked": 3, "set": 3, "gone": 3, "left": 3, "new": 3}
    live = base | {"asked": 2}

    def resolve(*values):
        live["set"] = 4
        del live["gone"]
        return 5

    take_over(live, base, theirs, resolve)
    assert live == {"asked": 5, "set": 4, "left": 3, "new": 3}


def test_no_value_is_false():
    assert not ABSENT
