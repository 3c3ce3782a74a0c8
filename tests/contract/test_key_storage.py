"""SESSION_KEY_STORAGE: what the store has of a key, and sessions that change from form to form."""

from __future__ import annotations

import string
from base64 import b64encode
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from hashlib import sha256

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import signals
from django.test import override_settings
from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions import _keys
from dj_sessions._codec import forwards
from dj_sessions.exceptions import CreateError, UpdateError
from dj_sessions.models import Session
from dj_sessions.storage import Record, Storage
from dj_sessions.storage.hashed import TwoFormsStorage
from dj_sessions.storage.wrapper import StorageWrapper
from tests.contract.moments import before
from tests.contract.visits import session_cookie, visit
from tests.counters import round_trips, statements
from tests.stores import in_thread

pytestmark = pytest.mark.stores("db", "cache", "cached_db", "file", "redis")

PLAIN, HASHED = ["plain"], ["hashed"]
TO_HASHED, BACK = ["hashed", "plain"], ["plain", "hashed"]
#: How a site gets there, and back.
CHANGES = {"on": (PLAIN, TO_HASHED, HASHED), "off": (HASHED, BACK, PLAIN)}


@contextmanager
def forms(value):
    with override_settings(SESSION_KEY_STORAGE=value):
        yield


def names_in(store):
    """The names under which the store has sessions, where it tells."""
    if store.kind == "file":
        return sorted(file.name.removeprefix("sessionid") for file in store.path.iterdir())
    if store.kind in ("db", "cached_db"):
        rows = store.SessionStore.get_model_class()._base_manager.using(store.database)
        return sorted(rows.values_list("session_key", flat=True))
    return None


def has(store, name):
    """Whether the store has something under this very name."""
    names = names_in(store)
    return store.SessionStore().get_storage().holds(name) if names is None else name in names


@pytest.fixture(params=CHANGES)
def change(request, store):
    """What a site sets before, during and after a change.

    Where the store cannot rename in one step, a session stays where it is until its key changes,
    and the last step has to wait for that.
    """
    before_, during, after_ = CHANGES[request.param]
    return before_, during, after_ if renames(store) else during


def renames(store):
    return store.SessionStore().get_storage().atomic_rename


# What the store has


def test_a_hashed_key_is_a_part_of_its_sha_256():
    key = "k" * 32
    digest = b64encode(sha256(key.encode()).digest(), b"-.").decode()
    assert _keys.hashed(key) == f"~{digest[:39]}"
    assert len(_keys.hashed(key)) == 40


def test_a_key_is_hashed_once():
    name = _keys.hashed("k" * 32)
    assert _keys.hashed(name) == name


def test_a_key_that_is_no_unicode_is_hashed_as_any_other():
    names = {_keys.hashed(key) for key in ("\ud800" * 9, "\ud801" * 9, "?" * 9)}
    assert len(names) == 3


def test_the_name_of_a_file_that_is_being_written_is_in_no_hashed_key():
    allowed = set(string.ascii_letters + string.digits + "-.~")
    assert all(set(_keys.hashed(_keys.new_key())) <= allowed for _ in range(1000))


def test_the_store_has_no_key(store, save, reopen):
    with forms(HASHED):
        key = save(colour="green")
        session = reopen(key)
        assert session.get("colour") == "green"
        session.set("colour", "red")
        session.save()
        assert reopen(key).get("colour") == "red"
        assert session.raw.session_key == key
        assert (has(store, _keys.hashed(key)), has(store, key)) == (True, False)
        if names_in(store) is not None:
            assert names_in(store) == [_keys.hashed(key)]
        session.cycle_key()
        assert not has(store, session.raw.session_key)
        assert not any(key in name for name in names_in(store) or ())
        assert reopen(session.raw.session_key).get("colour") == "red"
        assert reopen(key).get("colour") is None


def test_what_is_sent_has_no_key(store, save, reopen):
    with forms(HASHED):
        key = save(colour="green")
        with statements() as sent, round_trips() as made:
            session = reopen(key)
            session.set("colour", "red")
            session.save()
            session.flush()
        assert sent or made or store.kind == "file" or store.cache == "default"
        assert key not in f"{sent}{made}"


@pytest.mark.stores("db", "redis")
@pytest.mark.parametrize("value", [PLAIN, HASHED], ids="-".join)
def test_a_miss_asks_the_store_what_a_hit_asks(store, save, reopen, value):
    """With hashes, what it asks for has nothing in common with a part of a key that was guessed."""
    with forms(value):
        asked = []
        for key in (save(colour="green"), "0" * 32):
            with statements() as sent, round_trips() as made:
                reopen(key).get("colour")
            asked.append((len(sent), len(made)))
    assert asked[0] == asked[1]


def test_a_lifecycle_costs_what_it_does_with_plain_keys(save, new, reopen):
    costs = []
    reopen(save()).get("colour")  # so that the copies in the cache have a generation
    for value in (PLAIN, HASHED):
        with forms(value), statements() as sent, round_trips() as made:
            session = new()
            session.set("colour", "green")
            session.save()
            again = reopen(session.raw.session_key)
            again.set("size", 3)
            again.save()
            again.cycle_key()
            reopen("0" * 32).get("colour")
            again.flush()
        costs.append((len(sent), len(made)))
    assert costs[0] == costs[1]


# Cookies


@pytest.mark.parametrize("value", [PLAIN, HASHED, TO_HASHED, BACK], ids="-".join)
def test_no_cookie_that_equals_a_hashed_key_is_accepted(store, mode, save, reopen, value):
    with forms(HASHED):
        key = save(colour="green")
    name = _keys.hashed(key)
    with forms(value):
        response = visit(mode, lambda session: session.get("colour"), cookie=name)
        assert response.seen == [None]
        assert reopen(name).raw.session_key is None
        assert not reopen(None).exists(name)
        reopen(None).delete(name)
        visit(mode, lambda session: session.flush(), cookie=name)
    with forms(HASHED):
        assert reopen(key).get("colour") == "green"


@pytest.mark.modes("sync")
@pytest.mark.parametrize("value", [PLAIN, HASHED, TO_HASHED, BACK], ids="-".join)
def test_not_by_a_store_that_takes_any_key(store, mode, save, value):
    class SessionStore(store.SessionStore):
        def _validate_session_key(self, key):
            return bool(key)

        def _get_new_session_key(self):
            return "Eu:" + super()._get_new_session_key()

    with forms(HASHED):
        session = mode.wrap(SessionStore())
        session.set("colour", "green")
        session.save()
        key = session.raw.session_key
        assert mode.wrap(SessionStore(key)).get("colour") == "green"
    with forms(value):
        name = _keys.hashed(key)
        assert mode.wrap(SessionStore(name)).get("colour") is None
        assert not mode.wrap(SessionStore()).exists(name)
        mode.wrap(SessionStore()).delete(name)
    assert has(store, name)


@pytest.mark.modes("sync")
@pytest.mark.stores("db")
def test_the_row_of_a_key_is_not_found_by_its_stored_form(save):
    with forms(HASHED):
        key = save(colour="green")
        assert Session.objects.for_key(key).exists()
        assert not Session.objects.for_key(_keys.hashed(key)).exists()


# From form to form


def test_nobody_is_logged_out_by_a_change(store, mode, save, reopen, change):
    before_, during, after_ = change
    with forms(before_):
        key, unused = save(colour="green"), save(colour="blue")
    with forms(during):
        session = reopen(key)
        assert session.get("colour") == "green"
        session.set("size", 3)
        session.save()
        session.set("size", 4)
        session.save()
        assert dict(reopen(key).items()) == {"colour": "green", "size": 4}
        assert reopen(unused).get("colour") == "blue"
    with forms(after_):
        assert dict(reopen(key).items()) == {"colour": "green", "size": 4}
        assert reopen(unused).get("colour") == (None if renames(store) else "blue")


@pytest.mark.parametrize("way", ["save", "cycle_key"])
def test_a_session_has_one_name(store, save, reopen, change, way):
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")
    with forms(during):
        session = reopen(key)
        session.set("size", 3)
        getattr(session, way)()
    names = {form: make(session.raw.session_key) for form, make in _keys.FORMS.items()}
    first, other = during if way == "cycle_key" or renames(store) else during[::-1]
    assert has(store, names[first])
    assert not has(store, names[other])
    assert way == "save" or not has(store, _keys.FORMS[before_[0]](key))


@pytest.mark.modes("sync")
def test_a_new_session_is_stored_under_the_first_form(store, save, change):
    with forms(change[1]):
        key = save(colour="green")
    assert has(store, _keys.FORMS[change[1][0]](key))


@pytest.mark.modes("sync")
def test_a_key_that_is_taken_under_the_other_form_is_taken(store, mode, save, reopen, change):
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")
    with forms(during):
        with pytest.raises(CreateError):
            reopen(key).save(must_create=True)
        assert reopen(key).get("colour") == "green"
        assert reopen(None).exists(key)


@pytest.mark.parametrize("way", ["flush", "delete"])
def test_a_logout_is_final(store, save, reopen, change, way):
    before_, during, after_ = change
    with forms(before_):
        key, other = save(colour="green"), save(colour="red")
    with forms(during):
        running = reopen(key)
        assert running.get("colour") == "green"
        getattr(reopen(key), way)()
        reopen(None).delete(other)
        running.set("size", 3)
        with pytest.raises(UpdateError):
            running.save()
    for value in (before_, during, after_):
        with forms(value):
            assert reopen(key).get("colour") is None
            assert reopen(other).get("colour") is None


def test_a_session_without_a_baseline_replaces_what_is_stored(store, save, reopen, change):
    before_, during, after_ = change
    with forms(before_):
        key = save(colour="green", size=3)
    with forms(during):
        session = reopen(key)
        session.clear()
        session.set("colour", "red")
        session.save()
    with forms(after_):
        assert dict(reopen(key).items()) == {"colour": "red"}


def test_nothing_that_has_expired_is_brought_back(store, new, reopen, change):
    before_, during, _ = change
    with forms(before_):
        session = new()
        session.set("colour", "green")
        session.set_expiry(-1)
        session.save()
        key = session.raw.session_key
    with forms(during):
        again = reopen(key)
        again.clear()
        again.set("colour", "red")
        with pytest.raises(UpdateError):
            again.save()
        assert reopen(key).get("colour") is None


# Requests that meet


def save_elsewhere(store, key, value, **data):
    """Save as a server does whose SESSION_KEY_STORAGE is ``value``."""
    with forms(value):
        session = store.SessionStore(key)
        session.update(data)
        session.save()


def test_both_changes_are_kept_of_requests_that_loaded_the_old_form(save, reopen, change):
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")
    with forms(during):
        one, other = reopen(key), reopen(key)
        one.set("one", 1)
        other.set("other", 2)
        one.save()
        other.save()
        assert dict(reopen(key).items()) == {"colour": "green", "one": 1, "other": 2}


def test_a_change_between_two_looks_of_a_save_is_kept(store, save, reopen, change):
    """Of a server that still stores the old form first."""
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")

    with forms(during):
        session = reopen(key)
        session.set("one", 1)
        save_elsewhere(store, key, before_, other=2)
        session.save()
        assert dict(reopen(key).items()) == {"colour": "green", "one": 1, "other": 2}


def test_a_session_that_is_renamed_between_two_looks_is_found(store, save, reopen, change):
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")

    rename = partial(save_elsewhere, store, key, during, size=3)
    with forms(during), before(store.Storage, "read_renamed", rename):
        assert dict(reopen(key).items()) == {"colour": "green", "size": 3}


@pytest.mark.parametrize("way", ["flush", "delete", "cycle_key"])
def test_what_ends_a_session_finds_it_while_it_is_renamed(store, save, reopen, change, way):
    before_, during, after_ = change
    with forms(before_):
        key = save(colour="green")

    rename = partial(save_elsewhere, store, key, during, size=3)
    with forms(during):
        session = reopen(key)
        if way != "delete":
            session.get("colour")
        deed = "move" if way == "cycle_key" else "remove"
        with before(store.Storage, deed, rename):
            getattr(session, way)()
        assert reopen(key).get("colour") is None
        if way == "cycle_key":
            assert reopen(session.raw.session_key).get("size") == 3
    for value in (before_, after_):
        with forms(value):
            assert reopen(key).get("colour") is None


class RenamedMeanwhile(StorageWrapper):
    """Another server renames a session before the second look of what ends it."""

    def __init__(self, inner, rename):
        super().__init__(inner)
        self._steps = iter([lambda: None, rename, lambda: None])

    def remove(self, key, expected=None):
        next(self._steps)()
        return super().remove(key, expected)

    def move(self, key, expected, forward):
        next(self._steps)()
        return super().move(key, expected, forward)


@pytest.mark.modes("sync")
@pytest.mark.stores("db", "file", "redis")
@pytest.mark.parametrize("way", ["remove", "move"])
def test_what_ends_a_session_looks_again_where_it_looked_first(store, save, reopen, way):
    with forms(TO_HASHED):
        key = save(colour="green")

    def rename():
        with forms(BACK):
            session = store.SessionStore(key)
            session["size"] = 3
            session.save()

    inner = RenamedMeanwhile(store.SessionStore(key).get_storage(), rename)
    storage = TwoFormsStorage(inner, TO_HASHED)
    if way == "remove":
        assert storage.remove(key)
    else:
        assert storage.move(key, None, forwards.make(key, "b" * 32))
    with forms(TO_HASHED):
        assert reopen(key).get("colour") is None


@pytest.mark.modes("sync")
def test_servers_that_rename_to_and_fro_lose_nothing(store, save, reopen):
    """As in a rolling change from the one order to the other."""
    with forms(PLAIN):
        key = save(count=0)

    def server(value):
        class SessionStore(store.SessionStore):
            @cached_property
            def _storage(self):
                return TwoFormsStorage(self.get_storage(), value)

        SessionStore.__qualname__ = "SessionStore"  # as payloads are signed
        return SessionStore

    with forms(TO_HASHED):
        for number in range(6):
            session = server(TO_HASHED if number % 2 else BACK)(key)
            assert session["count"] == number
            late = server(BACK if number % 2 else TO_HASHED)(key)
            late["late"] = late.get("late", 0) + 1
            session["count"] += 1
            session.save()
            late.save()
        assert dict(reopen(key).items()) == {"count": 6, "late": 6}
        reopen(key).flush()
        assert reopen(key).get("count") is None


class Fleeing(Storage):
    """A session that is renamed before each of some looks: to where nobody looks now."""

    atomic_rename = True

    def __init__(self, key, times):
        self.names, self.times = {key, _keys.hashed(key)}, times
        self.name = key

    def _is_at(self, key):
        if self.times:
            self.times -= 1
            [self.name] = self.names - {key}
        return key == self.name

    def remove(self, key, expected=None):
        return self._is_at(key)

    def read_renamed(self, key, new, latest):
        return self.name, Record("green")


@pytest.mark.parametrize("times", range(8))
def test_a_logout_catches_up_with_servers_that_rename_to_and_fro(times):
    key = "k" * 32
    for value in (TO_HASHED, BACK):
        assert TwoFormsStorage(Fleeing(key, times), value).remove(key)


def test_a_request_that_loaded_the_session_follows_its_key(save, reopen, change):
    before_, during, _ = change
    login = {"_auth_user_id": "1", "_auth_user_backend": "b", "_auth_user_hash": "h"}
    with forms(before_):
        key = save(**login)
    with forms(during):
        one, late = reopen(key), reopen(key)
        assert late.get("_auth_user_id") == "1"
        one.cycle_key()
        late.set("late", 1)
        late.save()
        assert reopen(one.raw.session_key).get("late") == 1
        assert reopen(key).get("_auth_user_id") is None


# Rows that a hook finds


@pytest.fixture
def hooked(store, mode):
    """Open sessions of an engine that leaves out the rows of other tenants."""

    class SessionStore(store.SessionStore):
        def _get_session_from_db(self):
            row = super()._get_session_from_db()
            return row if row is not None and row.get_decoded().get("tenant") == 1 else None

    SessionStore.__qualname__ = "SessionStore"  # as payloads are signed
    return lambda key: mode.wrap(SessionStore(key))


@pytest.mark.stores("db")
@pytest.mark.parametrize("is_turned", [True, False])
def test_a_hook_that_finds_rows_is_asked_for_both_forms(save, hooked, change, is_turned):
    before_, during, after_ = change
    with forms(before_ if is_turned else after_):
        key, other = save(tenant=1), save(tenant=2)
    with forms(during):
        assert hooked(other).get("tenant") is None
        session = hooked(key)
        session.set("size", 3)
        session.save()
        assert session.raw.session_key == key
        assert dict(hooked(key).items()) == {"tenant": 1, "size": 3}


# What it costs


@pytest.mark.stores("db", "cache", "redis")
def test_a_miss_costs_one_more_look(store, reopen, change):
    costs = []
    for value in change[:2]:
        with forms(value), statements() as sent, round_trips() as made:
            assert reopen("0" * 32).get("colour") is None
        costs.append(len(sent) + len(made))
    assert costs[1] == costs[0] + (costs[0] > 0)


@pytest.mark.stores("db", "cached_db")
def test_the_end_of_a_session_that_was_loaded_costs_no_look(save, reopen):
    costs = []
    for value in (HASHED, TO_HASHED):
        with forms(value):
            session = reopen(save(colour="green"))
            session.get("colour")
            with statements() as sent:
                session.flush()
        costs.append(len(sent))
    assert costs[0] == costs[1]


@pytest.mark.stores("db", "cached_db", "redis")
def test_renaming_costs_no_more_than_a_save(store, save, reopen, change):
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")
    with forms(during):
        session = reopen(key)
        session.set("size", 3)
        with statements() as sent, round_trips() as made:
            session.save()
    assert len(made if store.kind == "redis" else sent) == 1


@pytest.mark.stores("db", "cached_db")
def test_who_watches_saves_sees_a_renaming_as_any_other(store, save, reopen, change):
    before_, during, _ = change
    seen = []

    def watch(instance, created, **kwargs):
        seen.append((instance.session_key, created))

    with forms(before_):
        key = save(colour="green")
    model = store.SessionStore.get_model_class()
    signals.post_save.connect(watch, sender=model)
    try:
        with forms(during):
            session = reopen(key)
            session.set("size", 3)
            session.save()
    finally:
        signals.post_save.disconnect(watch, sender=model)
    assert seen == [(_keys.FORMS[during[0]](key), False)]
    assert names_in(store) == [_keys.FORMS[during[0]](key)]


@pytest.mark.stores("cached_db")
def test_copies_are_made_of_hashed_sessions(store, save, reopen, change):
    before_, during, after_ = change
    for value in (before_, during, after_):
        with forms(value):
            key = save(colour="green")
            reopen(key).get("colour")
            with statements() as sent:
                assert reopen(key).get("colour") == "green"
            assert sent == []


@pytest.mark.stores("cached_db")
def test_the_copy_ends_with_its_row(store, save, reopen):
    with forms(HASHED):
        key = save(colour="green")
        assert reopen(key).get("colour") == "green"
        store.SessionStore.get_model_class().objects.for_key(key).get().delete()
        assert reopen(key).get("colour") is None


@pytest.mark.stores("db", "cached_db")
@pytest.mark.modes("sync")
def test_a_rename_that_is_rolled_back_has_not_been(store, save, reopen, change):
    before_, during, after_ = change
    with forms(before_):
        key = save(colour="green")

    def fail():
        with transaction.atomic(using=store.database):
            session = store.SessionStore(key)
            session["colour"] = "red"
            session.save()
            assert store.SessionStore(key)["colour"] == "red"
            raise LookupError

    with forms(during):
        with pytest.raises(LookupError):
            in_thread(fail)
        assert reopen(key).get("colour") == "green"
        with transaction.atomic(using=store.database):
            session = store.SessionStore(key)
            session["colour"] = "red"
            session.save()
        assert reopen(key).get("colour") == "red"
    with forms(after_):
        assert reopen(key).get("colour") == "red"


# Clearing


@pytest.mark.stores("db", "cached_db", "file")
@pytest.mark.parametrize("value", [PLAIN, HASHED, TO_HASHED], ids="-".join)
def test_expired_sessions_are_cleared_in_whatever_form(store, new, value):
    for form in (PLAIN, HASHED):
        with forms(form):
            session = new()
            session.set_expiry(timezone.now() - timedelta(days=1))
            session.save()
    with forms(value):
        new().clear_expired()
    assert names_in(store) == []


# Where the stored form is asked for


@pytest.mark.stores("db")
@pytest.mark.parametrize("value", [PLAIN, HASHED, TO_HASHED, BACK], ids="-".join)
def test_the_row_of_a_key(store, save, value):
    rows = Session.objects.using(store.database)
    with forms(value):
        key, _ = save(colour="green"), save(colour="red")
        found = Session.objects.db_manager(store.database).for_key(key).get()
        assert found.get_decoded()["colour"] == "green"
        assert found.public_id == store.SessionStore(key).public_id
        assert not Session.objects.db_manager(store.database).for_key("0" * 32).exists()
        Session.objects.db_manager(store.database).for_key(key).delete()
        assert rows.count() == 1


@pytest.mark.stores("db", "file")
def test_the_public_id_is_the_same_in_every_form(store, save, reopen):
    ids = set()
    with forms(PLAIN):
        key = save(colour="green")
    for value in (PLAIN, TO_HASHED, HASHED, BACK):
        with forms(value):
            ids.add(reopen(key).raw.public_id)
    assert ids == {_keys.public_id(key)}
    assert _keys.public_id(_keys.hashed(key)) == _keys.public_id(key)
    assert key not in ids


@pytest.mark.stores("db")
def test_the_manager_stores_the_first_form(store, reopen):
    key = "k" * 32
    ends = timezone.now() + timedelta(hours=1)
    with forms(HASHED):
        Session.objects.db_manager(store.database).save(key, {"colour": "green"}, ends)
        assert reopen(key).get("colour") == "green"
    assert names_in(store) == [_keys.hashed(key)]


@pytest.mark.modes("sync")
@pytest.mark.stores("db")
@pytest.mark.parametrize("data", [{"colour": "red"}, {}], ids=["data", "none"])
def test_the_manager_leaves_no_session_under_the_other_form(store, save, reopen, change, data):
    before_, during, _ = change
    with forms(before_):
        key = save(colour="green")
    ends = timezone.now() + timedelta(hours=1)
    with forms(during):
        Session.objects.db_manager(store.database).save(key, data, ends)
        assert dict(reopen(key).items()) == data
    assert key not in names_in(store) or _keys.hashed(key) not in names_in(store)


@pytest.mark.stores("cache", "cached_db")
def test_the_cache_key_is_the_one_of_the_stored_form(store, save):
    with forms(HASHED):
        session = store.SessionStore(save(colour="green"))
        prefix = store.SessionStore.cache_key_prefix
        assert session.cache_key == prefix + _keys.hashed(session.session_key)


# What it refuses


@pytest.mark.stores("db")
@pytest.mark.modes("sync")
@pytest.mark.parametrize("value", ["hashed", [], ["hashed", "sha1"], ["plain", "plain"], None])
def test_what_is_no_list_of_forms_is_an_error(reopen, value):
    with forms(value), pytest.raises(ImproperlyConfigured, match="SESSION_KEY_STORAGE"):
        reopen("k" * 32).get("colour")


def test_a_login_goes_on_when_hashes_are_turned_on(store, mode, user, change):
    before_, during, after_ = change
    client = mode.client()
    with forms(before_):
        client.force_login(user)
    for value in (during, during, after_):
        with forms(value):
            key = client.cookies["sessionid"].value
            session = mode.wrap(store.SessionStore(key))
            assert session.get("_auth_user_id") == str(user.pk)
            session.set("visits", session.get("visits", 0) + 1)
            session.save()
    with forms(after_):
        answer = visit(mode, lambda session: session.flush(), cookie=key)
        assert session_cookie(answer)["max-age"] == 0
        assert mode.wrap(store.SessionStore(key)).get("visits") is None
