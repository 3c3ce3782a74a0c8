"""Start a server on a site, on a port that it is given already listening."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import Any

from tests.interop.processes import REPOSITORY
from tests.interop.wire import pack
from tests.patience import PATIENCE

#: The environment variable that hands the site its settings.
SETTINGS = "DJ_SESSIONS_BENCHMARK_SITE"
THREADS = 4
APP = "tests.benchmarks.over_http.app"

SERVERS = {"WSGI": "gunicorn", "ASGI": "uvicorn"}
#: One process each, so that what is compared is the work per request.
COMMANDS = {
    "WSGI": [
        *("gunicorn", f"{APP}:wsgi", "--bind", "fd://{fd}", "--workers", "1"),
        *("--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "60"),
        *("--log-level", "warning"),
    ],
    "ASGI": ["tests.benchmarks.over_http.under_uvicorn", "{fd}"],
}


def missing(interface: str) -> str:
    """Why this server cannot be had, or the empty string."""
    name = SERVERS[interface]
    return "" if find_spec(name) else f"the Python package {name} is not installed"


@contextmanager
def served(interface: str, settings: dict[str, Any]) -> Iterator[int]:
    """A server on a free port: requests wait in the listener's queue until it is up."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, TemporaryFile() as log:
        fd = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=fd) for part in COMMANDS[interface])],
            cwd=REPOSITORY,
            env=os.environ | {SETTINGS: json.dumps(pack(settings))},
            pass_fds=(fd,),
            stdout=log,
            stderr=log,
        )
        try:
            yield listener.getsockname()[1]
        except Exception as error:
            log.seek(0)
            error.add_note(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            server.terminate()
            server.wait(PATIENCE)
