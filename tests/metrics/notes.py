"""What a site's processes have told, one by one: what its counters must add up to.

    SESSION_METRICS = ["prometheus", "tests.metrics.notes.note"]

writes each value into a file of its process, in the directory that the environment names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dj_sessions._metrics.instruments import INSTRUMENTS, Instrument
from dj_sessions._metrics.prometheus import PrometheusRecorder

NOTE = f"{__name__}.note"
DIRECTORY = "DJ_SESSIONS_TEST_NOTES"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

_NAMED = {each.name: each for each in INSTRUMENTS}


def note(name: str, value: float, attributes: dict[str, str]) -> None:
    with (Path(os.environ[DIRECTORY]) / str(os.getpid())).open("a") as file:
        file.write(json.dumps([name, value, attributes]) + "\n")


def noted(directory: Path) -> Iterator[tuple[Instrument, float, tuple[str, ...]]]:
    """All values of all processes."""
    for path in directory.iterdir():
        for line in path.read_text().splitlines():
            name, value, attributes = json.loads(line)
            yield _NAMED[name], value, tuple(attributes.values())


def added_up(directory: Path) -> Samples:
    """What one process would show if it had counted all of that."""
    registry = CollectorRegistry()
    recorder = PrometheusRecorder(registry)
    for value in noted(directory):
        recorder(*value)
    return samples(generate_latest(registry).decode())


def samples(text: str) -> Samples:
    """The counts of sessions in what a scrape has; what was never counted is left out."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value and sample.name.startswith("dj_sessions_") and "_created" not in sample.name
    }
