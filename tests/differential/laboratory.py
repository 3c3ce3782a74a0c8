"""Two worker processes, one on each package, and the comparison of what they tell."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from tests.differential import programs
from tests.differential.circumstances import ends_the_comparison
from tests.differential.compare import Experiment, Seen, compare
from tests.differential.differences import DELIBERATE_DIFFERENCES, Difference
from tests.interop.processes import Worker
from tests.interop.wire import pack

DJANGO, OURS = "django.contrib.sessions", "dj_sessions"


def settings(root: str, engine: str, directory: str) -> dict[str, Any]:
    return {
        "SECRET_KEY": "the same key on both sides, and as long as Django wishes it to be",
        "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", root],
        "MIDDLEWARE": [f"{root}.middleware.SessionMiddleware"],
        "SESSION_ENGINE": f"{root}.backends.{engine}",
        "SESSION_SERIALIZER": f"{root}.serializers.JSONSerializer",
        "SESSION_FILE_PATH": directory,
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        "ROOT_URLCONF": "tests.differential.requests",
        "ALLOWED_HOSTS": ["*"],
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
        "LOGGING": {"version": 1, "disable_existing_loggers": True},
        "USE_TZ": True,
    }


@dataclass(frozen=True)
class Finding:
    """What differs after one step, with the difference that explains each place, if one does."""

    number: int
    seen: list[tuple[Seen, Difference | None]]

    @property
    def unexplained(self) -> list[Seen]:
        return [seen for seen, difference in self.seen if difference is None]

    @property
    def explanations(self) -> set[str]:
        return {difference.id for _, difference in self.seen if difference}


class Laboratory:
    def __init__(self, engine: str, roots: tuple[str, str] = (DJANGO, OURS)) -> None:
        self.engine = engine
        self.directories = [tempfile.TemporaryDirectory() for _ in roots]
        self.sides = [
            Worker("tests.differential.commands", settings(root, engine, directory.name))
            for root, directory in zip(roots, self.directories, strict=True)
        ]
        [version, _] = [side.ask("prepare") for side in self.sides]
        self.version = tuple(map(int, version.split(".")[:2]))

    def run(
        self, rig: str, mode: str, program: list[dict[str, Any]], overrides: dict[str, Any]
    ) -> Iterator[Finding]:
        """Run the program on both sides; yield what differs, until nothing is comparable."""
        arguments = {"rig": rig, "mode": mode, "program": program, "overrides": overrides}
        for side in self.sides:
            side.send("run", **arguments)
        traces = [side.receive_packed() for side in self.sides]
        steps = program if rig == "stores" else list(programs.steps(program))
        experiment = Experiment(self.engine, mode, pack(steps), overrides, self.version)
        for number, step in enumerate(compare(experiment, *traces)):
            if step:
                yield Finding(number, [(seen, explanation(seen)) for seen in step])
            if any(map(ends_the_comparison, step)):
                return

    def close(self) -> None:
        for side in self.sides:
            side.close()
        for directory in self.directories:
            directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def explanation(seen: Seen) -> Difference | None:
    return next((d for d in DELIBERATE_DIFFERENCES if d.explains(seen)), None)
