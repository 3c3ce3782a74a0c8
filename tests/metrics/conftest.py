"""The site whose counters are read, with a user and without sessions."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import docs
from tests.interop.places import OURS, prepared
from tests.interop.processes import Worker
from tests.stores import Case

COMMANDS = "tests.interop.commands"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Its settings, without those of the counters; its database is in a file."""
    with prepared(Case("db", "sqlite"), "metrics") as place:
        with Worker(COMMANDS, place.site(OURS)) as worker:
            worker.ask("manage", arguments=["migrate"])
            worker.ask("add_user", username="ada")
        yield place.site(OURS, ROOT_URLCONF="tests.metrics.site")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory with the files that the documentation shows."""
    for name, text in docs("counters").files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool
