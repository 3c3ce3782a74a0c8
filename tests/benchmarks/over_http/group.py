"""The group `http`: requests per second and latencies, untouched, read and write."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.benchmarks.options import Options
from tests.benchmarks.over_http.load import Load, load
from tests.benchmarks.over_http.serving import COMMANDS, missing, served
from tests.benchmarks.pairs import Pair, pair_on, site, taking_turns
from tests.benchmarks.results import Missing, Row
from tests.interop.places import DJANGO, OURS
from tests.stores import Case

STORES = (
    Case("db", "sqlite"),
    Case("db", "postgres"),
    Case("cache", cache="redis"),
    Case("redis"),  # beside Django's `cache` engine
)
PATHS = {
    interface: {view: f"/{prefix}{view}" for view in ("untouched", "read", "write")}
    for interface, prefix in (("WSGI", ""), ("ASGI", "a"))
}
#: Django advises against persistent connections under ASGI, where each request has its own thread.
CONN_MAX_AGE = {"WSGI": None, "ASGI": 0}
FIGURES = {
    "requests per second": ("per_second", "1/s"),
    "p50": ("p50", "ms"),
    "p99": ("p99", "ms"),
}
WARM_SECONDS = 0.2
#: Sessions for each connection, so that hardly two requests of one meet.
SESSIONS = 8


def http(options: Options) -> Iterator[Row | Missing]:
    for case in filter(options.wants, STORES):
        reasons = {interface: case.missing or missing(interface) for interface in COMMANDS}
        for interface, reason in reasons.items():
            if reason:
                yield Missing("http", f"{interface} {case.name}", reason)
        served_here = [interface for interface, reason in reasons.items() if not reason]
        if served_here:
            with pair_on(case) as pair:
                for interface in served_here:
                    yield from _measured(options, interface, case, pair)


def _measured(options: Options, interface: str, case: Case, pair: Pair) -> Iterator[Row]:
    count, last = SESSIONS * options.connections, CONN_MAX_AGE[interface]
    with (
        served(interface, site(pair.place, DJANGO, last)) as django,
        served(interface, site(pair.place, OURS, last)) as ours,
    ):
        sides = {
            "django": (django, pair.django.ask("cookies", count=count)),
            "ours": (ours, pair.ours.ask("cookies", count=count)),
        }
        for port, cookies in sides.values():  # the server is up, its connections are warm
            load(port, cookies, PATHS[interface]["write"], options.connections, WARM_SECONDS)
        for view, path in PATHS[interface].items():
            askers = {
                name: partial(load, *side, path, options.connections, options.load_seconds)
                for name, side in sides.items()
            }
            taken = taking_turns(askers, options.load_rounds)
            yield from _rows(f"{interface} {view}", case, taken["django"], taken["ours"])


def _rows(name: str, case: Case, django: list[Load], ours: list[Load]) -> Iterator[Row]:
    for figure, (attribute, unit) in FIGURES.items():
        both = ([getattr(each, attribute) for each in side] for side in (django, ours))
        yield Row("http", case.name, f"{name}: {figure}", unit, *both)
