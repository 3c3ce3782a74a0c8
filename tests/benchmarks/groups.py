"""The groups that are measured inside the two processes: each yields its rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import product

from tests.benchmarks import targets
from tests.benchmarks.options import Options
from tests.benchmarks.pairs import Pair, Samples, pair_on
from tests.benchmarks.results import Missing, Row
from tests.stores import CASES, Case

Found = Iterator[Row | Missing]
Limits = dict[str, tuple[str, str]]

LIFECYCLE = ("load", "save", "save after load", "create", "flush", "cycle_key")
ONE_OF_EACH_ENGINE = (
    Case("db", "sqlite"),
    Case("cache", cache="redis"),
    Case("cached_db", "postgres", "redis"),
    Case("file"),
    Case("redis"),
    Case("signed_cookies"),
)
#: An object is as large on one store as on another.
IN_MEMORY = (
    Case("db", "sqlite"),
    Case("cache", cache="locmem"),
    Case("cached_db", "sqlite", "locmem"),
    Case("file"),
    Case("signed_cookies"),
)
#: Needs no server, so it stands for all where the store does not matter.
ANY = Case("db", "sqlite")


def db(options: Options) -> Found:
    def limits(case: Case, operation: str) -> Limits:
        return {way: ("statements", f"{way} {operation}") for way in ("cursor", "driver")}

    return _operations(options, "db", LIFECYCLE, limits)


def cache(options: Options) -> Found:
    def limits(case: Case, operation: str) -> Limits:
        return {} if case.cache == "locmem" else {"client": ("clients", f"client {operation}")}

    return _operations(options, "cache", LIFECYCLE, limits)


def cached_db(options: Options) -> Found:
    return _operations(options, "cached_db", ("load hit", "load miss", "save"))


def file(options: Options) -> Found:
    return _operations(options, "file", LIFECYCLE)


def redis(options: Options) -> Found:
    """Beside Django's `cache` engine on the same server."""

    def limits(case: Case, operation: str) -> Limits:
        return {"client": ("clients", f"client {operation}")}

    return _operations(options, "redis", LIFECYCLE, limits)


def codec(options: Options) -> Found:
    with pair_on(ANY) as pair:
        serializers = pair.ours.ask("serializers")
        for name, size, operation in product(serializers, ("small", "large"), ("encode", "decode")):
            what = f"{size} {operation}"
            django = f"JSONSerializer {what}"
            limits = {"library": ("codec", f"library {what}")}
            samples = pair.rounds(options, "codec", f"{name} {what}", limits, django)
            yield _timed("codec", size, _codec_operation(name, operation), samples)
        for name, size in product(serializers, ("small", "large")):
            django, once = f"JSONSerializer {size} length", replace(options, rounds=1)
            samples = pair.rounds(once, "codec", f"{name} {size} length", {}, django)
            operation = _codec_operation(name, "length")
            sizes = {"django": samples.django, "ours": samples.ours}
            yield Row("codec", size, operation, "bytes", **sizes, target="")


def _codec_operation(serializer: str, operation: str) -> str:
    return operation if serializer == "JSONSerializer" else f"{operation} ({serializer})"


def requests(options: Options) -> Found:
    views = product(("WSGI", "ASGI"), ("untouched", "read", "write"))
    names = [f"{way} {view}" for way, view in views]

    def measure(case: Case, pair: Pair) -> Iterator[Row]:
        for name in (*names, "ASGI×32 untouched", "ASGI-middleware untouched"):
            samples = pair.rounds(options, "requests", name)
            yield _timed("requests", case.name, name, samples)

    return _on_each(options, "requests", ONE_OF_EACH_ENGINE, measure)


def memory(options: Options) -> Found:
    def measure(case: Case, pair: Pair) -> Iterator[Row]:
        for state in ("untouched", "loaded", "changed"):
            samples = pair.rounds(replace(options, rounds=1), "memory", state)
            yield Row(
                *("memory", case.engine, state, "bytes"),
                django=samples.django,
                ours=samples.ours,
                target=targets.of("memory", case.engine, state),
            )

    return _on_each(options, "memory", IN_MEMORY, measure)


def _operations(
    options: Options,
    engine: str,
    operations: Collection[str],
    limits: Callable[[Case, str], Limits] = lambda case, operation: {},
) -> Found:
    """Measure operations of one engine on each of its stores."""

    def measure(case: Case, pair: Pair) -> Iterator[Row]:
        for operation in operations:
            samples = pair.rounds(options, "stores", operation, limits(case, operation))
            yield _timed(engine, _label(case), operation, samples)

    return _on_each(options, engine, [case for case in CASES if case.engine == engine], measure)


def _on_each(
    options: Options,
    group: str,
    cases: Collection[Case],
    measure: Callable[[Case, Pair], Iterator[Row]],
) -> Found:
    for case in filter(options.wants, cases):
        if case.missing:
            yield Missing(group, _label(case), case.missing)
            continue
        with pair_on(case) as pair:
            yield from measure(case, pair)


def _label(case: Case) -> str:
    """The store, without the engine, which the group names."""
    return "-".join(filter(None, (case.database, case.cache))) or case.engine


def _timed(group: str, store: str, operation: str, samples: Samples) -> Row:
    return Row(
        *(group, store, operation, "µs"),
        django=_microseconds(samples.django),
        ours=_microseconds(samples.ours),
        limits={name: _microseconds(values) for name, values in samples.limits.items()},
        target=targets.of(group, store, operation),
    )


def _microseconds(values: list[float]) -> list[float]:
    return [round(value * 1e6, 3) for value in values]
