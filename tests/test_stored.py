"""`backends.stored`: the lifecycle over a storage, with somebody acting between two of them."""

import pytest

from dj_sessions.backends import stored
from dj_sessions.backends.stored import Record, Storage, StoredSession
from dj_sessions.exceptions import CreateError, SessionConflict, UpdateError


class Box(Storage):
    """A storage in a dictionary; `between` acts before each write over a session."""

    def __init__(self, shelf):
        self.shelf = shelf
        self.kept = shelf.kept

    def read(self, key):
        return self.kept.get(key)

    def insert(self, key, record):
        return self.kept.setdefault(key, record) is record

    def replace(self, key, record, expected):
        self.shelf.between()
        if not self.has(key, expected):
            return False
        self.kept[key] = record
        return True

    def remove(self, key, expected=None):
        return self.has(key, expected) and self.kept.pop(key, None) is not None

    def has(self, key, expected):
        found = self.kept.get(key)
        return found is not None and (expected is None or found.payload == expected.payload)


class Shelf(StoredSession):
    kept: dict[str, Record]
    between = staticmethod(lambda: None)

    def get_storage(self):
        return Box(type(self))


@pytest.fixture
def shelf(monkeypatch):
    monkeypatch.setattr(Shelf, "kept", {}, raising=False)
    return Shelf


@pytest.fixture
def between(monkeypatch, shelf):
    """Sets what somebody else does between reading and writing."""

    def act(action):
        def others():
            with monkeypatch.context() as alone:
                alone.setattr(shelf, "between", staticmethod(lambda: None))
                action()

        monkeypatch.setattr(shelf, "between", staticmethod(others))

    return act


def save(session, **values):
    session.update(values)
    session.save()
    return session.session_key


def test_a_key_that_is_taken_is_tried_a_bounded_number_of_times(shelf, monkeypatch):
    key = save(shelf(), colour="green")
    asked = []
    monkeypatch.setattr(shelf, "_get_new_session_key", lambda self: asked.append(key) or key)
    session = shelf()
    with pytest.raises(RuntimeError, match="Unable to create a new session key"):
        session.create()
    assert len(asked) == stored.CREATE_ATTEMPTS
    assert session.session_key is None
    assert shelf(key)["colour"] == "green"


def test_a_collision_is_followed_by_another_key(shelf, monkeypatch):
    taken = save(shelf(), colour="green")
    keys = iter([taken, taken, "0123456789abcdef"])
    monkeypatch.setattr(shelf, "_get_new_session_key", lambda self: next(keys))
    assert save(shelf(), colour="blue") == "0123456789abcdef"
    assert shelf(taken)["colour"] == "green"


def test_a_taken_key_is_a_create_error_that_stores_nothing(shelf):
    key = save(shelf(), colour="green")
    session = shelf(key)
    session["colour"] = "blue"
    with pytest.raises(CreateError):
        session.save(must_create=True)
    assert shelf(key)["colour"] == "green"


@pytest.fixture
def impatient(settings):
    settings.SESSION_CONFLICT_TIMEOUT = 0.05


@pytest.mark.usefixtures("impatient")
def test_what_others_store_during_each_attempt_ends_in_a_conflict_that_says_so(shelf, between):
    key = save(shelf(), n=0)
    session = shelf(key)
    session["colour"] = "green"
    between(lambda: save(shelf(key), n=shelf(key)["n"] + 1))
    with pytest.raises(SessionConflict, match="until SESSION_CONFLICT_TIMEOUT was over") as caught:
        session.save()
    assert caught.value.attempts >= 1
    assert f"{caught.value.attempts} in all" in str(caught.value)
    assert "colour" not in shelf(key)


@pytest.mark.usefixtures("impatient")
def test_saving_again_after_a_conflict_loses_nothing_of_the_others(shelf, between):
    key = save(shelf(), n=0)
    session = shelf(key)
    session["colour"] = "green"
    between(lambda: save(shelf(key), n=shelf(key)["n"] + 1))
    with pytest.raises(SessionConflict):
        session.save()
    between(lambda: None)
    save(shelf(key), n="newest")
    session.save()
    assert dict(shelf(key).items()) == {"n": "newest", "colour": "green"}


def test_a_session_that_others_delete_meanwhile_stays_deleted(shelf, between):
    key = save(shelf(), n=0)
    session = shelf(key)
    session["colour"] = "green"
    between(lambda: shelf(key).delete())
    with pytest.raises(UpdateError):
        session.save()
    assert shelf.kept == {}


def test_clear_replaces_what_others_stored_meanwhile(shelf):
    key = save(shelf(), colour="green")
    session = shelf(key)
    assert session["colour"] == "green"
    save(shelf(key), visits=1)
    session.clear()
    save(session, n=1)
    assert dict(shelf(key).items()) == {"n": 1}


def test_a_new_key_forgets_what_was_read_under_the_old_one(shelf):
    one, other = save(shelf(), colour="green"), save(shelf(), colour="blue")
    session = shelf(one)
    assert session["colour"] == "green"
    session._session_key = other
    session.save()
    assert shelf(other)["colour"] == "green"


def test_a_maker_of_impossible_keys_is_told_so(shelf, monkeypatch):
    monkeypatch.setattr(shelf, "_get_new_session_key", lambda self: "with/slash")
    session = shelf()
    with pytest.raises(ValueError, match="'with/slash', which cannot be a session key"):
        session.save()
    assert session.session_key is None


class Bare(Storage):
    """A storage that says nothing of how it keeps sessions."""


class BareStore(StoredSession):
    def get_storage(self):
        return Bare()


@pytest.mark.parametrize(
    ("method", "deed"),
    [
        ("read", lambda session: session.get("n")),
        ("insert", lambda session: session.create()),
        ("replace", lambda session: session.save()),
        ("remove", lambda session: session.delete()),
    ],
)
def test_a_storage_without_a_method_is_told_which_it_must_provide(method, deed, mode, monkeypatch):
    if method != "read":
        monkeypatch.setattr(Bare, "read", lambda self, key: Record(BareStore().encode({})))
    with pytest.raises(NotImplementedError, match=rf"\.Bare must provide {method}\(\)"):
        deed(mode.wrap(BareStore("a" * 32)))


def test_a_storage_that_cannot_purge_is_told_so():
    with pytest.raises(NotImplementedError, match=r"\.Bare must provide purge\(\)"):
        BareStore.clear_expired()


def test_a_store_without_a_storage_is_told_so(mode):
    with pytest.raises(NotImplementedError, match=r"\.StoredSession must provide get_storage\(\)"):
        mode.wrap(StoredSession("a" * 32)).load()


def test_a_session_asks_for_its_storage_once(shelf, monkeypatch):
    asked, get_storage = [], shelf.get_storage
    monkeypatch.setattr(shelf, "get_storage", lambda self: asked.append(1) or get_storage(self))
    session = shelf()
    assert asked == []
    save(session, n=1)
    session.cycle_key()
    session.flush()
    assert asked == [1]
