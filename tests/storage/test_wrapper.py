"""`StorageWrapper`: what a subclass does not override is done by the storage inside."""

from copy import copy
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.checks import Error
from django.utils import timezone

from dj_sessions.storage import Record, Storage, StorageWrapper
from tests.counters import thread_hops
from tests.subclasses.engines.native_stored import NativeStorage
from tests.subclasses.engines.stored import DictStorage

KEY = "a" * 32

METHODS = {
    "read": (KEY,),
    "read_latest": (KEY,),
    "insert": (KEY, Record("new")),
    "replace": (KEY, Record("new"), None),
    "remove": (KEY,),
    "move": (KEY, None, "forward"),
    "holds": (KEY,),
}


def noting(name, base=StorageWrapper):
    """A wrapper that overrides one method, and notes the calls."""

    def method(self, *args):
        self.calls.append(name)
        return getattr(super(made, self), name)(*args)

    made = type("Noting", (base,), {name: method, "calls": []})
    return made


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("records", [{}, {KEY: Record("old")}], ids=["nothing", "a record"])
def test_an_override_is_reached_in_both_modes_once(name, records, mode):
    wrapper = noting(name)(DictStorage(dict(records)))
    expected = getattr(DictStorage(dict(records)), name)(*METHODS[name])
    assert getattr(mode.wrap(wrapper), name)(*METHODS[name]) == expected
    assert wrapper.calls == [name]


@pytest.mark.parametrize("name", METHODS)
def test_an_async_storage_inside_is_awaited_without_a_hop(name):
    wrapper = StorageWrapper(NativeStorage({}))
    assert wrapper.async_native
    with thread_hops() as hops:
        async_to_sync(getattr(wrapper, f"a{name}"))(*METHODS[name])
    assert hops == []


@pytest.mark.parametrize(
    ("ability", "value"),
    [
        ("atomic_replace", True),
        ("forgets_expired", True),
        ("async_native", True),
        ("blocking", False),
        ("commit", object()),
    ],
)
def test_it_declares_what_the_storage_inside_does(ability, value):
    inner = DictStorage({})
    assert getattr(StorageWrapper(inner), ability) == getattr(Storage, ability) != value
    setattr(inner, ability, value)
    assert getattr(StorageWrapper(inner), ability) == value


def test_a_subclass_may_declare_otherwise():
    class Careless(StorageWrapper):
        atomic_replace = False

    inner = DictStorage({})
    inner.atomic_replace = True
    assert Careless(inner).atomic_replace is False


def test_it_waits_if_the_storage_inside_may():
    class Busy(DictStorage):
        def may_wait(self):
            return False

    assert StorageWrapper(DictStorage({})).may_wait()
    assert not StorageWrapper(Busy({})).may_wait()


def test_it_is_checked_by_what_is_inside():
    (fault,) = StorageWrapper(StorageWrapper(Storage())).check()[:1]
    assert isinstance(fault, Error)
    assert "dj_sessions.storage.base.Storage has no read()" in fault.msg
    assert StorageWrapper(DictStorage({})).check() == []


def over():
    return {f"{n:032}": Record("", timezone.now() - timedelta(days=1)) for n in range(3)}


def test_it_purges_as_the_storage_inside_does():
    inner = DictStorage(over())
    assert StorageWrapper(inner).purge(timezone.now(), 2) == 2
    assert sum(b.removed for b in StorageWrapper(inner).start_purge(timezone.now()).batches()) == 1
    assert inner.records == {}


def test_a_purge_of_its_own_is_what_clears():
    wrapper = noting("purge")(DictStorage(over()))
    assert [batch.removed for batch in wrapper.start_purge(timezone.now()).batches(2)] == [2, 1]
    assert wrapper.calls == ["purge", "purge"]


def test_what_the_storage_inside_has_beyond_the_contract_is_reached():
    wrapper = StorageWrapper(DictStorage({KEY: Record("kept")}))
    assert wrapper.records == {KEY: Record("kept")}
    assert copy(wrapper).inner is wrapper.inner
    with pytest.raises(AttributeError, match="missing"):
        _ = wrapper.missing
