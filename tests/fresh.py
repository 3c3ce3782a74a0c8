"""Python in a process of its own, for what only a fresh app registry shows.

    run("import django.contrib.sessions.models", INSTALLED_APPS=["dj_sessions"])

runs the code after `django.setup()` with these settings. Warnings are errors there too. What is
printed, errors included, is returned; if the code fails, `Failed` shows it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[1]

PREAMBLE = """
import json, sys
from django.conf import settings
settings.configure(**json.loads(sys.argv[1]))
"""

DEFAULTS = {
    "SECRET_KEY": "a key for tests, which is long enough to be no weakness of its own: 0123456789",
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "MIDDLEWARE": ["dj_sessions.middleware.SessionMiddleware"],
    "SESSION_ENGINE": "dj_sessions.backends.db",
    "ALLOWED_HOSTS": ["testserver"],
    "USE_TZ": True,
}


class Failed(AssertionError):
    """The process ended with an error; the message is what it wrote."""


def run(code: str, *, path: Path | None = None, setup: bool = True, **settings: Any) -> str:
    """Run `code` with modules from `path`; `setup=False` leaves `django.setup()` to the code."""
    start = PREAMBLE + ("import django\ndjango.setup()\n" if setup else "")
    return execute("-c", start + dedent(code), json.dumps(DEFAULTS | settings), path=path)


def execute(*arguments: str, path: Path | None = None, **environment: str) -> str:
    """Run the interpreter with `arguments`; return its output."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=REPOSITORY,
        env=own | {"PYTHONPATH": f"{path or ''}{os.pathsep}{REPOSITORY}"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise Failed(f"status {done.returncode}\n{done.stdout}")
    return done.stdout
