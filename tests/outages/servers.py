"""Servers that may be cut off, silenced and killed, as those of the machine must not be."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from tests import services
from tests.services import Service

#: Seconds after which a server that does not start is an error.
START_SECONDS = 30


class Proxy:
    """A way to a server, on a port of its own, which can be cut or swallow all that is said."""

    def __init__(self, target: Service) -> None:
        self._target = target
        # Keeps the port while nobody listens on it.
        self._holder = _socket()
        self._holder.bind(("127.0.0.1", 0))
        self.port = int(self._holder.getsockname()[1])
        self._ends: set[socket.socket] = set()
        self._is_silent = False
        self._listener: socket.socket | None = None
        self.restore()

    def cut(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._listener is not None:
            _end(self._listener)
            self._listener = None
        self._end_connections()

    def silence(self) -> None:
        """Accept connections and never answer."""
        self._is_silent = True

    def restore(self) -> None:
        """Let everything pass, on new connections."""
        self._is_silent = False
        self._end_connections()
        if self._listener is None:
            self._listener = _socket()
            self._listener.bind(("127.0.0.1", self.port))
            self._listener.listen(64)
            threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def close(self) -> None:
        self.cut()
        self._holder.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # cut
            self._ends.add(client)
            if not self._is_silent:
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = self._dial()
        except OSError:  # the server is not there: nor is the way to it
            self._ends.discard(client)
            _end(client)
            return
        self._ends.add(server)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=[source, sink], daemon=True).start()

    def _dial(self) -> socket.socket:
        if not self._target.host.startswith("/"):
            return socket.create_connection((self._target.host, self._target.port), timeout=None)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._target.host}/.s.PGSQL.{self._target.port}")
        return server

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._is_silent:
                    sink.sendall(data)
        for end in (source, sink):
            self._ends.discard(end)
            _end(end)

    def _end_connections(self) -> None:
        for end in list(self._ends):
            self._ends.discard(end)
            _end(end)


def _socket() -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have ended by itself
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class OwnServer:
    """A server of ours, with `options` on its command line; its data outlive a kill."""

    def __init__(self, name: str, *options: str) -> None:
        [self._kind] = [kind for kind in services.KINDS if kind.name == name]
        self.directory = Path(tempfile.mkdtemp(prefix=f"dj_sessions_own_{name}_"))
        self.at = Service(name, "127.0.0.1", services.free_port(), user=self._kind.user)
        self._rights = {}
        if not self._kind.root and not os.geteuid():
            self._rights = services._somebody_else(self.directory)
        *preparations, command = self._kind.start(self.directory, self.at)
        self._command = [*command, *options]
        for preparation in preparations:
            subprocess.run(
                preparation, cwd=self.directory, capture_output=True, check=True, **self._rights
            )
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, or start it again where it was."""
        is_first = self._process is None
        deadline = time.monotonic() + (0 if is_first else START_SECONDS)
        while True:
            with (self.directory / "log").open("a") as log:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    **self._rights,
                )
            try:
                version = services._wait(self._kind, self.at, self._process, self.directory)
            except services.Absent:
                # The children of a killed PostgreSQL hold its memory until they notice.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                self.at = replace(self.at, version=version)
                return

    def kill(self) -> None:
        """Stop it as a power switch would, and wait until it is gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._kind.stop)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
