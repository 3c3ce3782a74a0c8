"""Servers with several processes, and requests to them that meet."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.interop.browser import Browser
from tests.interop.processes import REPOSITORY
from tests.interop.wire import pack
from tests.metrics.notes import DIRECTORY, Samples, samples
from tests.patience import PATIENCE

GUNICORN = (
    *("gunicorn", "tests.metrics.app:wsgi", "--bind", "fd://{fd}", "--timeout", str(PATIENCE)),
    "--no-control-socket",  # which would be one of the user's, for all servers
)
UVICORN = ("uvicorn", "tests.metrics.app:asgi", "--fd", "{fd}", "--lifespan", "off")


class Server:
    """A server of the site: what it wrote, and where it is."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, prefix: str) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{port}/"
        self.views = f"{self.address}{prefix}/"

    def scrape(self, port: int | None = None) -> tuple[Samples, str]:
        """What `/metrics` shows, and which process has said so."""
        query = "" if port is None else f"?port={port}"
        with urlopen(f"{self.address}metrics{query}", timeout=PATIENCE) as response:
            return samples(response.read().decode()), response.headers["X-Process"]

    def wait_for(self, processes: int, notes: Path) -> None:
        """Wait until so many have loaded the site, which tests/metrics/app.py notes."""
        deadline = time.monotonic() + PATIENCE
        while len(list(notes.iterdir())) < processes:
            assert self.process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, f"fewer than {processes} processes are up"
            time.sleep(0.05)

    def stop(self) -> None:
        """Have it end as it does at a restart: the requests under way are answered."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


def _workers(command: tuple[str, ...]) -> int:
    return int(command[command.index("--workers") + 1])


@contextmanager
def served(
    command: tuple[str, ...], settings: dict[str, Any], directory: Path, **environment: str
) -> Iterator[Server]:
    """Serve the site, from when all processes are up: until then a scrape may meet half a file.

    Modules in `directory` can be imported, notes go to its folder `notes`.
    """
    notes = directory / "notes"
    notes.mkdir(exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    own |= {
        "PYTHONPATH": f"{directory}{os.pathsep}{REPOSITORY}",
        "DJ_SESSIONS_TEST_SITE": json.dumps(pack(settings)),
        DIRECTORY: str(notes),
    }
    log = directory / "log"
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, log.open("wb") as file:
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=fd) for part in command)],
            cwd=REPOSITORY,
            env=own | environment,
            pass_fds=(fd,),
            stdout=file,
            stderr=file,
        )
        server = Server(
            process, listener.getsockname()[1], "sync" if command[0] == "gunicorn" else "async"
        )
        try:
            server.wait_for(1 if "--preload" in command else _workers(command), notes)
            yield server
        except Exception as error:
            error.add_note(log.read_text(errors="replace")[-4000:])
            raise
        finally:
            if process.poll() is None:
                server.stop()


class Meeting:
    """Requests that are under way at the same time, until the test lets them go."""

    def __init__(self, pool: ThreadPoolExecutor, *requests: Callable[[int], Any]) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            listener.settimeout(PATIENCE)
            port = listener.getsockname()[1]
            self._answers = [pool.submit(request, port) for request in requests]
            self._guests = [listener.accept()[0] for _ in requests]
        #: The processes that they are in.
        self.processes = [int(guest.makefile().readline()) for guest in self._guests]

    def let_one_go(self) -> Any:
        """Have one go on while the others wait, and then those; return the answer of the one."""
        self._guests[0].close()
        done, _ = wait(self._answers, PATIENCE, FIRST_COMPLETED)
        for guest in self._guests[1:]:
            guest.close()
        wait(self._answers, PATIENCE)
        return done.pop().result()

    def let_go(self) -> list[Any]:
        """Have them go on; return their answers."""
        for guest in self._guests:
            guest.close()
        return [answer.result(PATIENCE) for answer in self._answers]


def conflict(pool: ThreadPoolExecutor, server: Server, number: int) -> None:
    """Have two requests of one visitor change different values of one session."""
    visitor = Browser()
    visitor.visit(server.views, "put", {"number": number})

    def change(name: str) -> Callable[[int], Any]:
        return lambda port: visitor.visit(server.views, "put_later", [port, name])

    Meeting(pool, change("one"), change("other")).let_go()
    seen = visitor.visit(server.views, "look")["data"]
    assert seen == {"number": number, "one": 1, "other": 1}


def live(server: Server, number: int) -> None:
    """Log in, change a value, look and log out."""
    visitor = Browser()
    visitor.visit(server.views, "log_in", "ada")
    visitor.visit(server.views, "put", {"number": number})
    assert visitor.visit(server.views, "look")["data"] == {"number": number}
    visitor.visit(server.views, "log_out")
