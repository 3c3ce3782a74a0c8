"""The test's end of a worker process (see `tests.interop.worker`)."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.interop.wire import pack, unpack
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]


class CommandFailed(Exception):
    """The command raised in the worker: `name` and `bases` say what."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(answer["traceback"])
        self.name: str = answer["error"]
        self.bases: list[str] = answer["bases"]
        self.message: str = answer["message"]


class Worker:
    def __init__(self, commands: str, settings: Mapping[str, Any]) -> None:
        # Coverage's hooks and Django's own settings variable belong to the test process.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COV_", "COVERAGE_", "DJANGO_"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.interop.worker", commands],
            cwd=REPOSITORY,
            env=environment | {"PYTHONUTF8": "1", "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._write(settings)

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(pack(dict(message))) + "\n")
        self.process.stdin.flush()

    def send(self, command: str, **arguments: Any) -> None:
        self._write({"do": command, **arguments})

    def receive(self) -> Any:
        """The answer to the oldest command that was sent and not yet received."""
        return unpack(self.receive_packed())

    def receive_packed(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with status {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise CommandFailed(answer)
        return answer["value"]

    def ask(self, command: str, **arguments: Any) -> Any:
        self.send(command, **arguments)
        return self.receive()

    def close(self) -> None:
        """End the process; one that does not end by itself would be a defect of the worker."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
