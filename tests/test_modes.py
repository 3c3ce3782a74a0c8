"""The adapter calls the sync method in one mode and its twin in the other."""

from tests.modes import MODES

SYNC, ASYNC = MODES


class Thing:
    calls: list[str]

    def __init__(self):
        self.calls = []
        self.values = {}

    def save(self, value=1):
        self.calls.append("save")
        return value

    async def asave(self, value=1):
        self.calls.append("asave")
        return value

    def __setitem__(self, key, value):
        self.values[key] = value

    async def aset(self, key, value):
        self.values[key] = ("async", value)

    async def only_async(self):
        return "awaited"

    def only_sync(self):
        return "called"

    @property
    def size(self):
        return len(self.values)

    async def asize(self):
        raise AssertionError("a property is not called")

    @classmethod
    def make(cls):
        return "made"

    @classmethod
    async def amake(cls):
        return "made in a loop"


def test_a_call_goes_to_the_method_of_the_mode(mode):
    thing = Thing()
    assert mode.wrap(thing).save(value=2) == 2
    assert thing.calls == ["asave" if mode.is_async else "save"]


def test_set_stores_an_item(mode):
    thing = Thing()
    mode.wrap(thing).set("a", 1)
    assert thing.values == {"a": ("async", 1) if mode.is_async else 1}


def test_what_has_no_twin_is_called_and_a_property_is_read(mode):
    wrapped = mode.wrap(Thing())
    assert wrapped.only_sync() == "called"
    assert wrapped.size == 0


def test_attributes_are_set_on_the_thing_itself(mode):
    thing = Thing()
    mode.wrap(thing).modified = True
    assert thing.modified
    assert mode.wrap(thing).raw is thing


def test_class_methods_have_two_modes_too():
    assert SYNC.wrap(Thing).make() == "made"
    assert ASYNC.wrap(Thing).make() == "made in a loop"
    assert ASYNC.wrap(Thing()).only_async() == "awaited"
