"""What a subclass overrides is called, in both modes, as often as Django calls it.

A recording subclass lives through one session, on Django's engine and on ours. In async mode the
override of the async twin is called in place of the sync one; where there is none the sync
override is, which Django ignores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from tests import router, services
from tests.subclasses.lives import Life, recording, twin_of

DJANGO, OURS = "django.contrib.sessions", "dj_sessions"

# A deed must be done as often; of a question only the answer matters.
DEEDS = [
    *("create_model_instance", "_get_session_from_db", "encode", "_get_new_session_key"),
    *("load", "save", "create", "delete", "cycle_key", "flush", "exists", "clear_expired"),
]
QUESTIONS = [
    *("decode", "get_model_class", "key_salt", "cache_key_prefix", "cache_key"),
    *("get_session_cookie_age", "get_expiry_age", "get_expiry_date"),
    *("_get_or_create_session_key", "_validate_session_key"),
]
# The same in every engine.
DICTIONARY_DEEDS = [
    *("__setitem__", "pop", "setdefault", "update", "set_expiry"),
    *("set_test_cookie", "test_cookie_worked", "delete_test_cookie"),
]
DICTIONARY_QUESTIONS = ["get", "get_expire_at_browser_close", "_get_session"]
# Where ours differs on purpose: (engines, hook) -> {step: (calls, why)}.
STORED = ("db", "cache", "cached_db", "file")
EVERY = (*STORED, "signed_cookies")
DELIBERATE = {
    (STORED, "exists"): dict.fromkeys(
        ("create", "cycle_key", "served: first"), (0, "no query before the INSERT")
    ),
    (("file",), "_get_or_create_session_key"): dict.fromkeys(
        [
            *("create", "load", "save", "cycle_key", "load and save", "unknown"),
            *("served: first", "served: read", "served: change"),
        ],
        (0, "the storage is handed the key"),
    ),
    (("cached_db",), "get_model_class"): {"save": (0, "it was asked when the session was loaded")},
    (("db",), "pop"): {"set no expiry": (1, "Django's twins differ: one deletes, one pops")},
    (("signed_cookies",), "create"): {"unknown": (0, "loading never creates")},
    (("signed_cookies",), "get_session_cookie_age"): {"unknown": (0, "there is nothing to date")},
}


@dataclass(frozen=True)
class Place:
    kind: str
    database: str = "default"

    def __str__(self) -> str:
        return self.kind if self.database == "default" else f"{self.kind} on {self.database}"

    def engine(self, root: str) -> Any:
        return import_module(f"{root}.backends.{self.kind}").SessionStore


PLACES = [
    (Place("db"), DICTIONARY_DEEDS + DICTIONARY_QUESTIONS),
    (Place("db", "postgres"), DEEDS),
    *((Place(kind), DEEDS + QUESTIONS) for kind in EVERY),
]


def cases() -> Iterator[Any]:
    for place, hooks in PLACES:
        service = services.run().services.get(place.database)
        absent = (
            [pytest.mark.skip(reason=str(service))] if service is not None and not service else ()
        )
        for hook in filter(partial(hasattr, place.engine(OURS)), hooks):
            twin = twin_of(hook)
            for mode, names in (
                ("sync", [hook]),
                ("sync", [hook, twin]),
                ("async", [hook]),
                ("async", [twin]),
                ("async", [hook, twin]),
            ):
                if None not in names:
                    label = f"{mode} {place}: {' and '.join(names)}"
                    yield pytest.param(place, hook, names, mode == "async", marks=absent, id=label)


@pytest.fixture(scope="module")
def open_databases(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Open, but not emptied for each of so many tests: a life leaves nothing behind."""
    with django_db_blocker.unblock():
        yield


@pytest.mark.parametrize(("place", "hook", "overridden", "is_async"), list(cases()))
def test_an_override_is_called_as_often_as_django_would(
    place, hook, overridden, is_async, open_databases, fresh_caches, settings, tmp_path
):
    settings.SESSION_FILE_PATH = tmp_path
    own, other = hook, twin_of(hook)
    if is_async and other in overridden:
        own, other = other, own
    with router.use(place.database):
        in_sync = measure(place, (hook,), False)
        # Some of Django's async twins call sync ones.
        alike = in_sync if own == hook else measure(place, tuple(overridden), True)
        seen = live(place, OURS, overridden, is_async)
    deliberate = deliberate_calls(place, hook)
    for step, calls in seen.items():
        accepted = deliberate.get(step, {in_sync[step][hook], alike[step][own]})
        if hook in DEEDS + DICTIONARY_DEEDS:
            assert calls[own] in accepted, step
        else:
            assert calls[own] >= min(*accepted, 1), step
        assert not calls[other] or alike[step][other], f"{step}: {other} too"


def deliberate_calls(place: Place, hook: str) -> dict[str, set[int]]:
    return {
        step: {calls}
        for (kinds, name), steps in DELIBERATE.items()
        if place.kind in kinds and name == hook
        for step, (calls, _) in steps.items()
    }


@cache
def measure(place: Place, names: tuple[str, ...], is_async: bool) -> dict[str, Counter[str]]:
    return live(place, DJANGO, names, is_async)


def live(place: Place, root: str, names: Sequence[str], is_async: bool) -> dict[str, Counter[str]]:
    """Live through one session; the overrides called in each step."""
    log: Counter[str] = Counter()
    steps: dict[str, Counter[str]] = {}

    def end_of(step: str) -> None:
        steps[step] = Counter(log)
        log.clear()

    life = Life(recording(place.engine(root), names, log), root, is_async)
    if is_async:
        async_to_sync(life.live)(end_of)
    else:
        with pytest.raises(StopIteration):  # nothing in it waits
            life.live(end_of).send(None)
    return steps
