"""Both requests changed the same key: who wins; and one ended what the other was moving."""

import pytest
from django.contrib.auth import SESSION_KEY

from dj_sessions.backends.stored import ABSENT
from dj_sessions.exceptions import SessionEnded, SessionInterrupted, UpdateError
from tests.contract.moments import before, instead

pytestmark = pytest.mark.stores(server_side=True)


@pytest.fixture
def adding(store, mode):
    """Open sessions of a store that adds up what two requests put into the cart."""
    seen = []

    class SessionStore(store.SessionStore):
        def resolve_conflict(self, name, base, ours, theirs):
            seen.append((name, base, ours, theirs))
            if name != "cart" or ABSENT in (ours, theirs):
                return super().resolve_conflict(name, base, ours, theirs)
            return base + ours[len(base) :] + theirs[len(base) :]

    SessionStore.__qualname__ = "SessionStore"  # which is part of the signatures' salt

    def open_session(key=None):
        return mode.wrap(SessionStore(key))

    open_session.seen = seen
    return open_session


@pytest.fixture
def two(save, adding):
    key = save(cart=["apple"], colour="green", size=3)
    requests = adding(key), adding(key)
    for request in requests:
        assert request.get("colour") == "green"
    return requests


def stored(session, reopen):
    return dict(reopen(session.raw.session_key).items())


def test_the_hook_decides_what_two_requests_make_of_one_value(two, adding, reopen):
    one, other = two
    one.set("cart", ["apple", "pear"])
    other.set("cart", ["apple", "plum"])
    one.save()
    other.save()
    assert stored(one, reopen)["cart"] == ["apple", "plum", "pear"]
    assert adding.seen == [("cart", ["apple"], ["apple", "plum"], ["apple", "pear"])]


def test_the_hook_is_not_asked_without_a_conflict(two, adding, reopen):
    one, other = two
    one.set("colour", "red")
    one.pop("size")
    other.set("cart", [])
    other.pop("size")
    one.save()
    other.save()
    assert adding.seen == []
    assert stored(one, reopen) == {"cart": [], "colour": "red"}


def test_the_hook_learns_of_what_was_removed_and_added(two, adding):
    one, other = two
    one.pop("size")
    one.set("shape", "round")
    other.set("size", 4)
    other.set("shape", "square")
    one.save()
    other.save()
    assert sorted(adding.seen) == [("shape", ABSENT, "square", "round"), ("size", 3, 4, ABSENT)]


def test_what_the_hook_returns_is_in_the_session_that_was_saved(two):
    one, other = two
    one.set("cart", ["apple", "pear"])
    other.set("cart", ["apple", "plum"])
    one.save()
    other.save()
    assert other.get("cart") == ["apple", "plum", "pear"]


def test_a_login_that_was_ended_is_not_carried_over_to_a_new_key(save, reopen):
    key = save(**{SESSION_KEY: "1", "cart": ["apple"]})
    moving = reopen(key)
    assert moving.get("cart") == ["apple"]
    reopen(key).flush()
    moving.cycle_key()
    assert moving.raw.session_key is None
    with pytest.raises(SessionEnded) as caught:
        moving.save()
    assert isinstance(caught.value, UpdateError)
    assert isinstance(caught.value, SessionInterrupted)
    assert moving.raw.session_key is None
    assert dict(moving.items()) == {}


def test_nothing_is_left_of_it_in_the_store(store, save, reopen):
    key = save(**{SESSION_KEY: "1"})
    moving = reopen(key)
    moving.get("cart")
    made = []
    original = store.Storage.insert

    def insert(self, key, record):
        made.append(key)
        return original(self, key, record)

    reopen(key).flush()
    with instead(store.Storage, "insert", insert):
        moving.cycle_key()
    [new] = made
    assert not store.SessionStore().exists(new)


@pytest.fixture
def moving(save, reopen):
    """A session that was read, has a change, and is about to get another key."""
    session = reopen(save(cart=["apple"], colour="green", size=3))
    session.set("colour", "red")
    return session


def put_and_remove(store, key):
    other = store.SessionStore(key)
    other["cart"] = ["apple", "pear"]
    del other["size"]
    other.save()


def test_what_others_saved_meanwhile_follows_a_session_to_its_new_key(store, moving, reopen):
    old = moving.raw.session_key
    put_and_remove(store, old)
    moving.cycle_key()
    moving.set("user", "ada")
    moving.save()
    expected = {"cart": ["apple", "pear"], "colour": "red", "user": "ada"}
    assert stored(moving, reopen) == expected
    assert not store.SessionStore().exists(old)


def test_and_so_does_what_they_save_at_the_last_moment(store, moving, reopen):
    old = moving.raw.session_key
    with before(store.Storage, "move", lambda: put_and_remove(store, old)):
        moving.cycle_key()
    assert stored(moving, reopen) == {"cart": ["apple", "pear"], "colour": "red"}
    assert not store.SessionStore().exists(old)


def test_what_was_cleared_takes_nothing_along(store, moving, reopen):
    old = moving.raw.session_key
    put_and_remove(store, old)
    moving.clear()
    moving.set("only", "this")
    moving.cycle_key()
    assert stored(moving, reopen) == {"only": "this"}
    assert not store.SessionStore().exists(old)


def test_a_visitor_who_logs_in_twice_at_once_is_logged_in_twice(save, reopen):
    """A double click on the button: both move the anonymous session, and the first has ended it."""
    key = save(cart=["apple"])
    one, other = reopen(key), reopen(key)
    for login in (one, other):
        assert login.get("cart") == ["apple"]
    for login in (one, other):
        login.cycle_key()
        login.set(SESSION_KEY, "1")
        login.save()
    for login in (one, other):
        assert stored(login, reopen) == {"cart": ["apple"], SESSION_KEY: "1"}
