"""`_session.twins`: one body in two modes, whichever of the two twins people override."""

import asyncio
import inspect
import threading
from functools import cached_property, partialmethod, wraps
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.utils.functional import SimpleLazyObject

from dj_sessions._session import twin_makers, twins
from dj_sessions._session.modes import finish, in_async, in_sync
from dj_sessions._session.twins import (
    Twinned,
    after_load,
    at_once,
    in_thread,
    operation,
    operation_on_data,
    twin_of,
)
from tests.counters import thread_hops

# Driving a coroutine


async def returning(value):
    return value


async def raising(error):
    raise error


def test_finish_returns_what_the_body_returns():
    assert finish(returning(42)) == 42


def test_finish_raises_what_the_body_raises():
    error = KeyError("from the body")
    with pytest.raises(KeyError) as caught:
        finish(raising(error))
    assert caught.value is error


def test_finish_needs_no_event_loop_and_works_inside_one():
    async def inside():
        return finish(returning(42))

    assert asyncio.run(inside()) == 42


def test_finish_refuses_a_body_that_waits_says_why_and_closes_it():
    closed = []

    async def waiting():
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="overridden by a coroutine function") as caught:
        finish(waiting())
    assert "waiting" in str(caught.value)
    assert closed == [True]


def test_each_mode_calls_its_twin_alone():
    called = []

    def sync(*args, **kwargs):
        called.append(("sync", args, kwargs))
        return "sync"

    async def twin(*args, **kwargs):
        called.append(("async", args, kwargs))
        return "async"

    assert finish(in_sync(sync, twin, 1, sync="keyword")) == "sync"
    assert finish(in_async(sync, twin, 2, twin="keyword")) == "async"
    assert called == [("sync", (1,), {"sync": "keyword"}), ("async", (2,), {"twin": "keyword"})]


# A store in the manner of this package: each kind of twin once


class Store(Twinned):
    """Notes in `calls` what ran, and in which thread in `threads`."""

    def __init__(self):
        self.calls = []
        self.threads = set()

    def note(self, what):
        self.calls.append(what)
        self.threads.add(threading.current_thread())

    async def _aget_session(self):
        self.note("loaded")

    @after_load
    def get(self, key, default=None):
        """Return a value."""
        self.note("Store.get")
        return (key, default)

    @in_thread
    def load(self, *args):
        """Read the store."""
        self.note("Store.load")
        return args

    @at_once
    def new_key(self):
        self.note("Store.new_key")
        return "key"

    @operation
    async def save(self, mode, must_create: bool = False) -> tuple:
        """Write the store."""
        self.note("Store.save")
        key = await mode(self.new_key, self.anew_key)
        return (key, must_create, await mode(self.load, self.aload, 1))

    @operation_on_data
    async def swap(self, mode, key):
        """Exchange a value."""
        return await mode(self.get, self.aget, key)

    @property
    def cache_key(self):
        self.note("Store.cache_key")
        return "Store"

    @twin_of(cache_key.fget)
    async def acache_key(self):
        self.note("Store.acache_key")
        return "Store"

    @classmethod
    @in_thread
    def clear(cls):
        return ("Store", cls)


def call(thing, name, *args, **kwargs):
    """Call an async method, and return its result with what ran, and the thread hops it took."""
    with thread_hops() as hops:
        result = async_to_sync(getattr(thing, name))(*args, **kwargs)
    return result, getattr(thing, "calls", None), len(hops)


def own(name, twin=False):
    """A method that notes its class's name and calls the next one."""

    def sync(self, *args, **kwargs):
        self.note(f"{name}.load")
        return getattr(super(CLASSES[name], self), "load")(*args, **kwargs)  # noqa: B009

    async def asynchronous(self, *args, **kwargs):
        self.note(f"{name}.aload")
        return await super(CLASSES[name], self).aload(*args, **kwargs)

    return asynchronous if twin else sync


CLASSES = {}


def make(name, *bases, overrides=""):
    """A class that overrides load, aload, both or neither, each calling super()."""
    body = {twin: own(name, twin == "aload") for twin in overrides.split()}
    CLASSES[name] = type(name, bases, body)
    return CLASSES[name]


def test_a_class_without_overrides_runs_its_own_methods():
    assert call(Store(), "aget", "a", default=1) == (("a", 1), ["loaded", "Store.get"], 0)
    assert call(Store(), "aload", 1, 2) == ((1, 2), ["Store.load"], 1)
    assert call(Store(), "anew_key") == ("key", ["Store.new_key"], 0)
    assert call(Store(), "acache_key") == ("Store", ["Store.acache_key"], 0)
    assert call(Store, "aclear")[0] == ("Store", Store)


def test_orchestration_is_one_hop_around_the_whole_body():
    result, calls, hops = call(Store(), "asave", must_create=True)
    assert result == ("key", True, (1,))
    assert calls == ["Store.save", "Store.new_key", "Store.load"]
    assert hops == 1
    assert Store().save(True) == ("key", True, (1,))


def test_orchestration_on_data_loads_once_and_takes_no_hop_of_its_own():
    assert Store().swap("a") == ("a", None)
    assert call(Store(), "aswap", "a") == (("a", None), ["loaded", "Store.get"], 0)


def test_orchestration_on_data_reaches_an_async_override():
    class Native(Store):
        async def aget(self, key):
            self.note("Native.aget")
            return key

    assert call(Native(), "aswap", "a") == ("a", ["Native.aget"], 0)


def test_a_store_whose_storage_is_async_is_awaited_step_by_step():
    class Native(Store):
        _is_awaited = True

    result, calls, hops = call(Native(), "asave")
    assert result == ("key", False, (1,))
    assert calls == ["Store.save", "Store.new_key", "Store.load"]
    assert hops == 1  # of the load alone


def test_a_store_that_does_not_block_takes_no_hop():
    class Quick(Store):
        blocking = False

    result, calls, hops = call(Quick(), "asave")
    assert result == ("key", False, (1,))
    assert calls == ["Store.save", "Store.new_key", "Store.load"]
    assert hops == 0


def test_what_an_expiry_is_given_to_does_not_load():
    class Lasting(Store):
        def get(self, **kwargs):
            return kwargs

    assert call(Lasting(), "aget", expiry=None) == ({"expiry": None}, [], 1)
    assert call(Lasting(), "aget", modification=1) == ({"modification": 1}, ["loaded"], 1)


def test_twins_have_the_names_and_the_documentation_that_readers_of_tracebacks_expect():
    for name, documentation in [
        ("aget", "Return a value."),
        ("aload", "Read the store."),
        ("asave", "Write the store."),
    ]:
        twin = getattr(Store, name)
        assert twin.__name__ == name
        assert twin.__qualname__ == f"Store.{name}"
        assert twin.__module__ == __name__
        assert twin.__doc__ == documentation
        assert inspect.iscoroutinefunction(twin)
    assert [*inspect.signature(Store.aget).parameters] == ["self", "key", "default"]
    assert [*inspect.signature(Store.asave).parameters] == ["self", "must_create"]


def test_an_operation_shows_what_its_callers_may_pass():
    assert [*inspect.signature(Store.save).parameters] == ["self", "must_create"]
    assert "mode" not in Store.save.__annotations__
    assert Store.save.__qualname__ == "Store.save"
    assert not inspect.iscoroutinefunction(Store.save)
    with pytest.raises(TypeError):
        Store().save(mode=in_async)


@pytest.mark.parametrize(
    ("sync", "twin"),
    [
        ("get", "aget"),
        ("__setitem__", "aset"),
        ("_get_session", "_aget_session"),
        ("_get_new_session_key", "_aget_new_session_key"),
        ("clear_expired", "aclear_expired"),
    ],
)
def test_a_twin_is_named_as_django_names_it(sync, twin):
    def method(self):
        pass

    method.__name__ = sync
    method.__qualname__ = f"Named.{sync}"
    named = type("Named", (Twinned,), {sync: in_thread(method)})
    assert getattr(named, twin).__name__ == twin
    assert getattr(named, twin).__qualname__ == f"Named.{twin}"


def test_a_twin_that_is_written_by_hand_stays():
    class Written(Twinned):
        @in_thread
        def load(self):
            return "sync"

        @twin_of(load)
        async def aload(self):
            return "by hand"

    assert call(Written(), "aload")[0] == "by hand"
    assert Written._async_overrides is False


# Who overrides what: the expected order of calls for load() and for aload()

SYNC, ASYNC, BOTH = "load", "aload", "load aload"

CONSTELLATIONS = {
    "a sync override is honoured in both modes": (
        [("A", "Store", SYNC)],
        ["A.load", "Store.load"],
        ["A.load", "Store.load"],
    ),
    "an async override concerns the async mode alone": (
        [("A", "Store", ASYNC)],
        ["Store.load"],
        ["A.aload", "Store.load"],
    ),
    "two overrides each have their mode": (
        [("A", "Store", BOTH)],
        ["A.load", "Store.load"],
        ["A.aload", "Store.load"],
    ),
    "a class between changes nothing": (
        [("A", "Store", SYNC), ("B", "A", "")],
        ["A.load", "Store.load"],
        ["A.load", "Store.load"],
    ),
    "sync overrides in a row are each applied once": (
        [("A", "Store", SYNC), ("B", "A", SYNC)],
        ["B.load", "A.load", "Store.load"],
        ["B.load", "A.load", "Store.load"],
    ),
    "an async override reaches the sync override above it": (
        [("A", "Store", SYNC), ("B", "A", ASYNC)],
        ["A.load", "Store.load"],
        ["B.aload", "A.load", "Store.load"],
    ),
    "a sync override replaces the async one above it, being the younger": (
        [("A", "Store", ASYNC), ("B", "A", SYNC)],
        ["B.load", "Store.load"],
        ["B.load", "Store.load"],
    ),
    "both overridden below a sync override": (
        [("A", "Store", SYNC), ("B", "A", BOTH)],
        ["B.load", "A.load", "Store.load"],
        ["B.aload", "A.load", "Store.load"],
    ),
    "both overridden below an async override": (
        [("A", "Store", ASYNC), ("B", "A", BOTH)],
        ["B.load", "Store.load"],
        ["B.aload", "A.aload", "Store.load"],
    ),
    "both overridden twice": (
        [("A", "Store", BOTH), ("B", "A", BOTH)],
        ["B.load", "A.load", "Store.load"],
        ["B.aload", "A.aload", "Store.load"],
    ),
    "a sync override below both": (
        [("A", "Store", BOTH), ("B", "A", SYNC)],
        ["B.load", "A.load", "Store.load"],
        ["B.load", "A.load", "Store.load"],
    ),
    "an async override below both": (
        [("A", "Store", BOTH), ("B", "A", ASYNC)],
        ["A.load", "Store.load"],
        ["B.aload", "A.aload", "Store.load"],
    ),
    "a sync mixin": (
        [("M", "object", SYNC), ("B", "M Store", "")],
        ["M.load", "Store.load"],
        ["M.load", "Store.load"],
    ),
    "an async mixin": (
        [("M", "object", ASYNC), ("B", "M Store", "")],
        ["Store.load"],
        ["M.aload", "Store.load"],
    ),
    "a mixin with both": (
        [("M", "object", BOTH), ("B", "M Store", "")],
        ["M.load", "Store.load"],
        ["M.aload", "Store.load"],
    ),
    "a sync mixin over a sync override": (
        [("M", "object", SYNC), ("A", "Store", SYNC), ("B", "M A", "")],
        ["M.load", "A.load", "Store.load"],
        ["M.load", "A.load", "Store.load"],
    ),
    "an async mixin over a sync override": (
        [("M", "object", ASYNC), ("A", "Store", SYNC), ("B", "M A", "")],
        ["A.load", "Store.load"],
        ["M.aload", "A.load", "Store.load"],
    ),
    "a mixin with both over a sync override": (
        [("M", "object", BOTH), ("A", "Store", SYNC), ("B", "M A", "")],
        ["M.load", "A.load", "Store.load"],
        ["M.aload", "A.load", "Store.load"],
    ),
    "a sync override over a mixin with both": (
        [("M", "object", BOTH), ("B", "M Store", SYNC)],
        ["B.load", "M.load", "Store.load"],
        ["B.load", "M.load", "Store.load"],
    ),
    # super().aload() finds none in M, which as no store is given no bridge: B owns the async path.
    "an async override beside a sync mixin of its own": (
        [("M", "object", SYNC), ("B", "M Store", ASYNC)],
        ["M.load", "Store.load"],
        ["B.aload", "Store.load"],
    ),
    "an async override below a class with a sync mixin": (
        [("M", "object", SYNC), ("A", "M Store", ""), ("B", "A", ASYNC)],
        ["M.load", "Store.load"],
        ["B.aload", "M.load", "Store.load"],
    ),
    "two sync mixins": (
        [("M", "object", SYNC), ("N", "object", SYNC), ("B", "M N Store", "")],
        ["M.load", "N.load", "Store.load"],
        ["M.load", "N.load", "Store.load"],
    ),
    "a diamond of sync overrides": (
        [("A", "Store", SYNC), ("M", "Store", SYNC), ("B", "A M", "")],
        ["A.load", "M.load", "Store.load"],
        ["A.load", "M.load", "Store.load"],
    ),
    "a diamond, async first": (
        [("A", "Store", ASYNC), ("M", "Store", SYNC), ("B", "A M", "")],
        ["M.load", "Store.load"],
        ["A.aload", "M.load", "Store.load"],
    ),
    "a diamond of both": (
        [("A", "Store", BOTH), ("M", "Store", BOTH), ("B", "A M", BOTH)],
        ["B.load", "A.load", "M.load", "Store.load"],
        ["B.aload", "A.aload", "M.aload", "Store.load"],
    ),
    "a diamond of both over sync": (
        [("A", "Store", BOTH), ("M", "Store", SYNC), ("B", "A M", SYNC)],
        ["B.load", "A.load", "M.load", "Store.load"],
        ["B.load", "A.load", "M.load", "Store.load"],
    ),
}


@pytest.mark.parametrize("title", CONSTELLATIONS)
def test_overrides_are_seen_in_each_mode_once(title):
    classes, in_sync_mode, in_async_mode = CONSTELLATIONS[title]
    made = {"Store": Store, "object": object}
    for name, bases, overrides in classes:
        made[name] = make(name, *(made[base] for base in bases.split()), overrides=overrides)

    thing = made[name]()
    assert thing.load("argument") == ("argument",)
    assert thing.calls == in_sync_mode
    result, calls, hops = call(made[name](), "aload", "argument")
    assert result == ("argument",)
    assert calls == in_async_mode
    assert hops == 1


@pytest.mark.parametrize("title", CONSTELLATIONS)
def test_orchestration_reaches_the_same_overrides(title):
    classes, in_sync_mode, in_async_mode = CONSTELLATIONS[title]
    made = {"Store": Store, "object": object}
    for name, bases, overrides in classes:
        made[name] = make(name, *(made[base] for base in bases.split()), overrides=overrides)

    thing = made[name]()
    thing.save()
    assert thing.calls == ["Store.save", "Store.new_key", *in_sync_mode]
    result, calls, hops = call(made[name](), "asave")
    assert result == ("key", False, (1,))
    assert calls == ["Store.save", "Store.new_key", *in_async_mode]
    assert hops == 1


# What is replaced after its class was made, as tests do and what traces calls


@pytest.fixture(params=["on the class", "on a base class", "on the instance"])
def replaced(request):
    """Call an async method of a thing of which a sync method was replaced by a mock."""

    def call_with(name, method, *args):
        thing = make("A", Store, overrides=SYNC)()
        wheres = {"on the class": type(thing), "on a base class": Store, "on the instance": thing}
        with mock.patch.object(wheres[request.param], method) as mocked:
            result, calls, hops = call(thing, name, *args)
        return mocked, result, calls, hops

    return call_with


@pytest.mark.parametrize(
    ("method", "name", "kind"),
    [("save", "asave", "operation"), ("new_key", "anew_key", "at once")],
)
def test_a_replaced_sync_method_is_reached_in_a_thread(replaced, method, name, kind):
    mocked, result, calls, hops = replaced(name, method)
    mocked.assert_called_once()
    assert result is mocked.return_value
    assert (calls, hops) == ([], 1)


def test_orchestration_reaches_a_replaced_sync_method(replaced):
    mocked, result, calls, hops = replaced("asave", "new_key")
    mocked.assert_called_once_with()
    assert result == (mocked.return_value, False, (1,))
    assert (calls, hops) == (["Store.save", "A.load", "Store.load"], 1)


@pytest.mark.parametrize("where", ["on the class", "on the instance"])
def test_an_override_that_is_replaced_is_reached_as_replaced(where):
    thing = make("A", Store, overrides=SYNC)()
    with mock.patch.object(type(thing) if "class" in where else thing, "load") as mocked:
        result, calls, hops = call(thing, "aload", 1)
    mocked.assert_called_once_with(1)
    assert (result, calls, hops) == (mocked.return_value, [], 1)
    assert call(thing, "aload", 1) == ((1,), ["A.load", "Store.load"], 1)


def test_a_replaced_function_is_given_the_instance():
    class Traced(Store):
        pass

    def load(self, *args):
        self.note("traced")
        return Store.load(self, *args)

    Traced.load = load
    result, calls, hops = call(Traced(), "aload", 1)
    assert (result, calls, hops) == ((1,), ["traced", "Store.load"], 1)


def test_an_async_override_is_reached_beside_a_replaced_sync_method():
    thing = make("A", Store, overrides=BOTH)()
    with mock.patch.object(type(thing), "save") as mocked:
        result, calls, _ = call(thing, "asave")
    assert not mocked.called
    assert calls == ["Store.save", "Store.new_key", "A.aload", "Store.load"]
    assert result == ("key", False, (1,))


# What a bridge is


def test_a_sync_override_blocks_no_event_loop():
    class Slow(Store):
        def load(self):
            self.note("Slow.load")
            asyncio.get_running_loop()  # raises unless this runs in the loop's thread

    async def body():
        loop_s_thread = threading.current_thread()
        slow = Slow()
        with pytest.raises(RuntimeError, match="no running event loop"):
            await slow.aload()
        assert loop_s_thread not in slow.threads

    asyncio.run(body())


def test_a_bridge_is_named_after_the_override():
    class Documented(Store):
        def load(self):
            """Read it differently."""

    assert Documented.aload.__name__ == "aload"
    assert Documented.aload.__qualname__.endswith("Documented.aload")
    assert Documented.aload.__doc__ == "Read it differently."


def test_an_override_of_a_method_that_only_looks_runs_after_the_load_and_may_block():
    class Louder(Store):
        def get(self, key, default=None):
            self.note("Louder.get")
            return super().get(key, default)

    assert call(Louder(), "aget", "a") == (("a", None), ["loaded", "Louder.get", "Store.get"], 1)


def test_an_override_of_what_never_blocks_may_block():
    class Remote(Store):
        def new_key(self):
            self.note("Remote.new_key")
            return "remote"

    assert call(Remote(), "anew_key") == ("remote", ["Remote.new_key"], 1)


def test_an_override_in_a_class_that_says_it_never_blocks_takes_no_hop():
    class Quick(Store):
        blocking = False

        def load(self, *args):
            self.note("Quick.load")
            return args

    assert call(Quick(), "aload", 1) == ((1,), ["Quick.load"], 0)
    assert call(Quick(), "asave")[2] == 0


def test_an_override_below_a_class_that_never_blocks_may_block_again():
    class Quick(Store):
        blocking = False

    class Slow(Quick):
        def load(self, *args):
            self.note("Slow.load")
            return args

    assert call(Slow(), "aload", 1) == ((1,), ["Slow.load"], 1)
    assert call(Slow(), "asave")[2] == 1
    assert call(Quick(), "asave")[2] == 0


def test_an_override_below_a_class_that_never_blocks_may_block_beside_others():
    class Quick(Store):
        blocking = False

    class Slow(Quick):
        def get(self, key, default=None):
            return (key, default)

        def load(self, *args):
            self.note("Slow.load")
            return args

        def save(self, must_create=False):
            return super().save(must_create)

    assert call(Slow(), "aget", "a")[2] == 1
    assert call(Slow(), "aload", 1)[2] == 1
    assert call(Slow(), "asave")[2] == 1


def test_an_override_of_orchestration_is_one_hop():
    class Noting(Store):
        def save(self, must_create=False):
            self.note("Noting.save")
            return super().save(must_create)

    result, calls, hops = call(Noting(), "asave", True)
    assert result == ("key", True, (1,))
    assert calls == ["Noting.save", "Store.save", "Store.new_key", "Store.load"]
    assert hops == 1


def test_an_async_override_is_reached_by_orchestration_without_a_hop():
    class Native(Store):
        async def aload(self, *args):
            self.note("Native.aload")
            return args

    result, calls, hops = call(Native(), "asave")
    assert result == ("key", False, (1,))
    assert calls == ["Store.save", "Store.new_key", "Native.aload"]
    assert hops == 0
    assert call(make("Below", Native)(), "asave")[1:] == (calls, 0)


@pytest.mark.parametrize("name", ["aload", "asave"])
def test_an_async_twin_in_a_decorator_is_an_override(name):
    """``functools.wraps`` copies whatever is noted on the function."""
    original = getattr(Store, name)

    @wraps(original)
    async def counted(self, *args):
        self.note("counted")
        return await original(self, *args)

    _, calls, _ = call(type("Counting", (Store,), {name: counted})(), "asave")
    assert calls.count("counted") == 1


def test_an_overridden_classmethod_is_bridged_for_the_class_that_is_asked():
    class A(Store):
        @classmethod
        def clear(cls):
            return ("A", cls, super().clear())

    class B(A):
        pass

    assert call(A, "aclear")[0] == ("A", A, ("Store", A))
    assert call(B, "aclear")[0] == ("A", B, ("Store", B))
    assert async_to_sync(B().aclear)() == ("A", B, ("Store", B))


def test_an_overridden_async_classmethod_is_kept():
    class A(Store):
        @classmethod
        async def aclear(cls):
            return ("A", cls, await super().aclear())

    assert call(A, "aclear")[0] == ("A", A, ("Store", A))
    assert A.clear() == ("Store", A)


def test_an_overridden_property_is_bridged():
    class A(Store):
        @property
        def cache_key(self):
            return "A" + super().cache_key

    assert A().cache_key == "AStore"
    assert call(A(), "acache_key") == ("AStore", ["Store.cache_key"], 1)


def test_overrides_of_two_methods_do_not_disturb_each_other():
    class Both(Store):
        def new_key(self):
            self.note("Both.new_key")
            return "own"

        async def aload(self, *args):
            self.note("Both.aload")
            return args

    assert Both().save() == ("own", False, (1,))
    result, calls, hops = call(Both(), "asave")
    assert result == ("own", False, (1,))
    assert calls == ["Store.save", "Both.new_key", "Both.aload"]
    assert hops == 1


def test_a_sync_method_that_is_overridden_by_a_coroutine_function_is_an_error_in_words():
    class Confused(Store):
        def load(self):
            return finish(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="starts with 'a'"):
        Confused().load()


def test_the_bases_of_a_bridged_class_are_left_as_they_were():
    before = dict(vars(Store))

    class A(Store):
        def load(self):
            pass

    assert "aload" in vars(A)
    assert dict(vars(Store)) == before
    assert Store._async_overrides is False
    assert Store.blocking is True


# Overrides that are no plain functions: Django's engine takes them all


def plain(*args):
    return args


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (staticmethod(plain), (1,)),
        (partialmethod(lambda self, *args: args, 0), (0, 1)),
        (mock.Mock(return_value="mocked"), "mocked"),
    ],
    ids=["staticmethod", "partialmethod", "mock"],
)
def test_a_sync_override_may_be_any_kind_of_method(override, expected):
    A = type("A", (Store,), {"load": override})
    assert A().load(1) == expected
    assert call(A(), "aload", 1)[0] == expected


def test_a_classmethod_may_be_overridden_by_a_staticmethod():
    class A(Store):
        @staticmethod
        def clear():
            return "static"

    assert A.clear() == "static"
    assert call(A, "aclear")[0] == "static"
    assert async_to_sync(A().aclear)() == "static"


def test_a_property_may_be_overridden_by_a_cached_property():
    class A(Store):
        @cached_property
        def cache_key(self):
            return "cached"

    assert A().cache_key == "cached"
    assert call(A(), "acache_key")[0] == "cached"


def test_a_property_may_be_overridden_by_a_value():
    class A(Store):
        cache_key = "fixed"

    assert A().cache_key == "fixed"
    assert call(A(), "acache_key")[0] == "fixed"


def test_other_attributes_of_a_class_are_not_taken_for_twins():
    evaluated = []

    class A(Store):
        mocked = mock.MagicMock()
        lazy = SimpleLazyObject(lambda: evaluated.append(True))

    assert call(A(), "asave")[1] == ["Store.save", "Store.new_key", "Store.load"]
    assert not evaluated


def test_everything_public_is_documented():
    for room in (twins, twin_makers):
        for name, thing in vars(room).items():
            if inspect.isfunction(thing) and thing.__module__ == room.__name__ and name[0] != "_":
                assert thing.__doc__, name
