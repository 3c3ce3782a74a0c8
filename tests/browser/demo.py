"""The demo site as a process of its own, started by the command that people start it with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
CHOICES = (
    *("DATABASE_URL", "CACHE_URL", "SESSION_ENGINE"),
    *("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE", "SESSION_ANONYMOUS_AGE"),
    "SESSION_REAUTH_AGE",
    *("DEBUG", "ALLOWED_HOSTS", "SECRET_KEY"),
)


def environment(var_dir: Path, **choices: str) -> dict[str, str]:
    """What the site finds around it: these choices, and none that this shell happens to hold."""
    inherited = {name: value for name, value in os.environ.items() if name not in CHOICES}
    # The test suite has put the name of its own settings there.
    settings = {"DJANGO_SETTINGS_MODULE": "testproject.settings", "VAR_DIR": str(var_dir)}
    return inherited | settings | choices


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


class Demo:
    """`manage.py demo` on a free port. Its folder and its choices outlive a restart."""

    def __init__(
        self, var_dir: Path, interface: str = "wsgi", *, host: str = "127.0.0.1", **choices: str
    ) -> None:
        self.var_dir, self.interface, self._host = var_dir, interface, host
        self.engine = choices.get("SESSION_ENGINE", "db")
        self._environment = environment(var_dir, **choices)

    def __enter__(self) -> Demo:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        self.output = self.url = self.password = ""
        self._told = Event()
        self._process = subprocess.Popen(
            manage("demo", f"{self._host}:0", *(["--asgi"] if self.interface == "asgi" else [])),
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # Read all the time: a server whose pipe is full stands still.
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._told.wait(PATIENCE)
        if not self.url:
            self.kill()
            raise AssertionError(f"The demo did not start:\n{self.output}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it as a person or a container does, and see that all went well while it ran."""
        self._process.send_signal(how)
        try:
            code = self._process.wait(PATIENCE)
        finally:
            self.kill()
        assert code == 0, self.output
        assert "Stopped." in self.output, self.output
        assert "Traceback" not in self.output, self.output

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """End it, whatever went wrong while it ran."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self.output += line
                if found := re.search(r"Log in:\s+demo / (\S+)", line):
                    self.password = found[1]
                if found := re.search(r"Open:\s+(http://\S+)/", line):
                    self.url = found[1]
                    self._told.set()
        self._told.set()
