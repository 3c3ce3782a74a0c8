"""Random interleavings of two or three requests with one session, against a model of the promises.

Two environment variables help to look closer:

    INTERLEAVING_SEED      any number; the programs are the same ones each time without it
    INTERLEAVING_EXAMPLES  how many programs are tried on each store; thousands make a longer run
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore as DjangoStore
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dj_sessions.exceptions import UpdateError
from tests.modes import MODES
from tests.stores import Store
from tests.stress.model import EXPIRY, PAST, Ended, Model, Opened

EXAMPLES = int(os.environ.get("INTERLEAVING_EXAMPLES") or 60)
SEED = int(os.environ.get("INTERLEAVING_SEED") or 0)

SYNC, ASYNC = range(len(MODES))

ACTIONS = (
    *("load", "set", "set", "append", "remove", "clear", "save", "save", "save", "save"),
    *("expire", "renew", "flush", "cycle_key", "delete_row", "reopen", "reopen"),
)


@dataclass(frozen=True)
class Step:
    """Which of three requests does what, in which mode; some actions have no use for the rest."""

    who: int
    action: str
    name: str = "a"
    value: Any = 1
    mode: int = SYNC


STEPS = st.builds(
    Step,
    st.sampled_from((0, 0, 1, 1, 2)),
    st.sampled_from(ACTIONS),
    st.sampled_from("ab"),
    st.sampled_from([1, 2, "one", ["x"], {"x": {"y": 1}}]),
    st.sampled_from((SYNC, ASYNC)),
)
PROGRAMS = st.lists(STEPS, min_size=3, max_size=14)

#: What a search once found, and must not be seen again.
FOUND = {
    "cleared and saved after another has let it expire": [
        Step(0, "load"),
        *(Step(1, "expire"), Step(1, "save")),
        *(Step(0, "clear"), Step(0, "set"), Step(0, "save")),
    ],
    "cleared and saved after it has let itself expire": [
        *(Step(0, "expire"), Step(0, "save")),
        *(Step(0, "clear"), Step(0, "save")),
    ],
    "renewed after another has let it expire": [
        Step(0, "load"),
        *(Step(1, "expire"), Step(1, "save")),
        *(Step(0, "renew"), Step(0, "save")),
    ],
    "read after its row was deleted": [Step(0, "load"), Step(0, "delete_row")],
    "moved to another key after another has saved": [
        *(Step(0, "load"), Step(0, "set", "a", 2)),
        *(Step(1, "set", "b", 2), Step(1, "save")),
        *(Step(0, "cycle_key"), Step(0, "set", "a", 1), Step(0, "save")),
    ],
    "moved to another key after another has let it expire": [
        *(Step(0, "load"), Step(1, "expire"), Step(1, "save")),
        *(Step(0, "cycle_key"), Step(0, "save")),
    ],
}


@dataclass
class Pair:
    """A request of the engine under test, and the same in the model."""

    real: Any
    opened: Opened

    def driven(self, step: Step) -> Any:
        return MODES[step.mode].wrap(self.real)


class Rig:
    def __init__(self, session_store: Any) -> None:
        self.SessionStore = session_store
        self.model = Model()
        self.keys: set[str] = set()
        first = Pair(session_store(), Opened(None))
        self.set(first, Step(0, "set", "a", 0))
        self.save(first, Step(0, "save"))
        self.key = first.opened.key
        self.requests = [self.opened() for _ in range(3)]

    def opened(self) -> Pair:
        return Pair(self.SessionStore(self.key), Opened(self.key))

    def run(self, program: list[Step]) -> None:
        for step in program:
            if step.action == "reopen":
                self.requests[step.who] = self.opened()
            else:
                getattr(self, step.action)(self.requests[step.who], step)
            self.check()

    def check(self) -> None:
        """What is stored is what the model says, and every ended key is dead."""
        for key in self.keys:
            session = self.SessionStore(key)
            data = dict(session.items())
            assert data == self.model.stored.get(key, {}), key
            assert (session.session_key == key) == (key in self.model.stored), key

    # The steps, each in both worlds

    def load(self, pair: Pair, step: Step) -> None:
        data = dict(pair.driven(step).items())
        assert data == self.model.load(pair.opened)
        assert pair.real.session_key == pair.opened.key

    def set(self, pair: Pair, step: Step) -> None:
        pair.driven(step).set(step.name, step.value)
        self.model.set(pair.opened, step.name, step.value)

    def append(self, pair: Pair, step: Step) -> None:
        pair.driven(step).setdefault("list", []).append(step.value)
        pair.real.modified = True
        self.model.append(pair.opened, "list", step.value)

    def remove(self, pair: Pair, step: Step) -> None:
        pair.driven(step).pop(step.name, None)
        self.model.remove(pair.opened, step.name)

    def clear(self, pair: Pair, step: Step) -> None:
        pair.real.clear()
        self.model.clear(pair.opened)

    def expire(self, pair: Pair, step: Step) -> None:
        pair.driven(step).set_expiry(PAST)
        self.model.set(pair.opened, EXPIRY, PAST)

    def renew(self, pair: Pair, step: Step) -> None:
        pair.driven(step).set_expiry(300)
        self.model.set(pair.opened, EXPIRY, 300)

    def save(self, pair: Pair, step: Step) -> None:
        try:
            pair.driven(step).save()
        except UpdateError:
            with pytest.raises(Ended):
                self.model.save(pair.opened, None)
            return
        try:
            self.model.save(pair.opened, self.told_key(pair))
        except Ended:
            if not self.model.take_back(pair.opened):
                pytest.fail(f"{pair.opened} was saved after its end")
        self.load(pair, step)

    def cycle_key(self, pair: Pair, step: Step) -> None:
        pair.driven(step).cycle_key()
        self.model.cycle_key(pair.opened, self.told_key(pair))
        self.load(pair, step)

    def flush(self, pair: Pair, step: Step) -> None:
        pair.driven(step).flush()
        self.model.flush(pair.opened)
        self.load(pair, step)

    def delete_row(self, pair: Pair, step: Step) -> None:
        """As the admin does: the row that this request's session has, if it has one."""
        if pair.opened.key and hasattr(self.SessionStore, "get_model_class"):
            rows = self.SessionStore.get_model_class().objects
            rows.filter(session_key=pair.opened.key).delete()
            self.model.forget(pair.opened.key)

    def told_key(self, pair: Pair) -> str:
        key: str = pair.real.session_key
        self.keys.add(key)
        return key


def search(session_store: Any, examples: int, *phases: Phase) -> None:
    """Fail with the shortest program after which a promise is broken."""

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(PROGRAMS)
    def keep(program: list[Step]) -> None:
        Rig(session_store).run(program)

    keep()


@pytest.mark.stores(server_side=True)
def test_every_interleaving_keeps_the_promises(store: Store) -> None:
    search(store.SessionStore, EXAMPLES, Phase.generate, Phase.shrink)


@pytest.mark.stores("db", database="sqlite")
def test_the_search_finds_that_the_engine_of_django_breaks_them(store: Store) -> None:
    with pytest.raises(AssertionError):
        search(DjangoStore, EXAMPLES, Phase.generate)


@pytest.mark.stores(server_side=True)
@pytest.mark.parametrize("program", FOUND.values(), ids=FOUND)
def test_what_a_search_once_found_is_not_seen_again(store: Store, program: list[Step]) -> None:
    Rig(store.SessionStore).run(program)
