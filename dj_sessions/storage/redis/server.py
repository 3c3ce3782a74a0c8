"""The server that SESSION_REDIS names: commands and steps, in two modes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Sequence
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError, WatchError

from dj_sessions.storage.caches.redis_steps import keep_commands_out_of_errors
from dj_sessions.storage.redis import configuration
from dj_sessions.storage.redis.clients import LIMIT, Clients
from dj_sessions.storage.redis.errors import late, own
from dj_sessions.storage.redis.loops import LoopClients
from dj_sessions.storage.redis.steps import Step, refuses_scripts

logger = logging.getLogger("django.contrib.sessions")

_servers: Final[list[tuple[dict[str, Any], RedisServer]]] = []
_lock: Final = Lock()

T = TypeVar("T")
#: Yields commands, and steps that are to be taken without a script, and is sent the answers, errors
#: among them.
Commands = Generator[tuple[Any, ...], Any, T]


def server_of(config: Any) -> RedisServer:
    """Return the server of a SESSION_REDIS, the same one for the same settings.

    Raises ImproperlyConfigured for settings that name none.
    """
    place = configuration.place_of(config)
    for known, server in _servers:
        if known == place:
            return server
    for problem in configuration.problems(config):
        raise ImproperlyConfigured(f"{problem.what}. {problem.hint}")
    with _lock:
        for known, server in _servers:  # which another thread has made meanwhile
            if known == place:
                return server
        made = RedisServer(Clients(place))
        _servers.append((configuration.copy_of(place), made))
        return made


class RedisServer:
    """A single server, a cluster, or the master that Sentinel names.

    It has one client for all threads, and one for each event loop.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._limit = clients.limit
        self._loops = LoopClients(clients.make_async, clients.turns, clients.limit)
        #: Whether the server runs scripts, as far as is known.
        self.runs_scripts = True
        self._making = Lock()
        self._client: Any = None
        self._failure: Exception | None = None

    @property
    def client(self) -> Any:
        """The client of sync code."""
        if self._client is None:
            self._make_client()
        return self._client

    def _make_client(self) -> None:
        known = self._failure
        with self._making:  # of a cluster it connects
            if self._client is not None:
                return
            if self._failure and self._failure is not known:  # it failed while this thread waited
                raise own(self._failure)
            try:
                self._client = self._clients.make()
            except Exception as error:
                self._failure = _without_frames(error)
                raise

    @property
    def is_cluster(self) -> bool:
        """Whether two entries may be on different servers, as far as is known.

        Nobody is asked, unless the site makes its client itself and that of a cluster connects.
        """
        if self._clients.is_cluster is None:
            self._clients.note(self.client)
        return bool(self._clients.is_cluster)

    def note_cluster(self) -> None:
        """Note that the server is part of a cluster, of which its client does not know."""
        self._clients.is_cluster = True

    def send(self, *command: Any) -> Any:
        """Send a command and return the answer."""
        # Looked up each time: a tracer may replace the method later.
        return self.client.execute_command(*command)

    def send_many(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands at once and return the answers; raises the first error among them."""
        answers = self._answers(commands)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _answers(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        with self.client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            answers: list[Any] = pipe.execute(raise_on_error=False)
        for answer in answers:
            # A cluster gives that a node has not answered as the answer to its commands.
            if isinstance(answer, Exception) and not isinstance(answer, ResponseError):
                raise answer
        return answers

    async def asend(self, *command: Any) -> Any:
        """Do so in the event loop."""
        client = self._loops.find() or await self._loops.open()
        return await client.batches.send(command)

    def run(self, commands: Commands[T]) -> T:
        """Send what ``commands`` yields one after another; return what it returns."""
        answer: Any = None
        try:
            while True:
                command = commands.send(answer)
                try:
                    if isinstance(command, Step):
                        answer = self._watch(command)
                    else:
                        answer = self.send(*command)
                except ResponseError as error:
                    answer = error
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def arun(self, commands: Commands[T]) -> T:
        """Do so in the event loop."""
        answer: Any = None
        try:
            while True:
                command = commands.send(answer)
                try:
                    if isinstance(command, Step):
                        answer = await self._awatch(command)
                    else:
                        answer = await self.asend(*command)
                except ResponseError as error:
                    answer = error
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def take(self, step: Step) -> bool:
        """Take a step; return whether the entry was as expected."""
        return self.run(self.taking(step))

    def take_many(self, steps: Sequence[Step]) -> list[bool]:
        """Take all steps at once; return what ``take()`` does of each."""
        if not self.runs_scripts:
            return list(map(self.take, steps))
        answers = self._answers([step.script() for step in steps])
        return [
            self.take(step) if isinstance(answer, ResponseError) else bool(answer)
            for step, answer in zip(steps, answers, strict=True)
        ]

    async def atake(self, step: Step) -> bool:
        """Do so in the event loop."""
        return await self.arun(self.taking(step))

    def taking(self, step: Step) -> Commands[bool]:
        """Return the commands that take a step."""
        if self.runs_scripts:
            answer = yield step.script()
            if isinstance(answer, NoScriptError):
                answer = yield step.new_script()
            if not isinstance(answer, ResponseError):
                return bool(answer)
            if not refuses_scripts(answer):
                raise answer
            self._note_refusal(answer)
        answer = yield step
        if isinstance(answer, OutOfMemoryError) and step.ends_any:
            # A server that is full refuses all that would wait for EXEC, and takes this alone. Nor
            # does it take a forward that might stand there since the step has looked.
            answer = yield "DEL", step.name
        if isinstance(answer, ResponseError):
            raise answer
        return bool(answer)

    def _note_refusal(self, error: ResponseError) -> None:
        if self.runs_scripts:  # other threads may have noted it
            self.runs_scripts = False
            logger.warning(
                "Redis runs no scripts for this user: a save takes WATCH and MULTI, three round "
                "trips instead of one: %s",
                error,
            )

    # Without scripts

    def _watch(self, step: Step) -> bool:
        end = monotonic() + LIMIT
        with self.client.pipeline() as pipe:
            keep_commands_out_of_errors(pipe)
            while True:
                try:
                    pipe.watch(*step.names)
                    if not step.fits(*map(pipe.get, step.names)):
                        return False
                    pipe.multi()
                    for command in step.commands():
                        pipe.execute_command(*command)
                    pipe.execute()
                except WatchError:  # others were faster, or the connection failed: look again
                    if monotonic() > end:
                        raise
                    continue
                return True

    async def _awatch(self, step: Step) -> bool:
        client = self._loops.find() or await self._loops.open()
        end = monotonic() + LIMIT
        try:
            async with (
                asyncio.timeout(self._limit),
                client.turns,
                client.redis.pipeline(transaction=True) as pipe,
            ):
                keep_commands_out_of_errors(pipe)
                while True:
                    try:
                        await pipe.watch(*step.names)
                        if not step.fits(*[await pipe.get(name) for name in step.names]):
                            return False
                        pipe.multi()
                        for command in step.commands():
                            pipe.execute_command(*command)
                        await pipe.execute()
                    except WatchError:
                        if monotonic() > end:
                            raise
                        continue
                    return True
        except TimeoutError as error:
            raise late(self._limit) from error


def _without_frames(error: Exception) -> Exception | None:
    """Return a copy of an error, whose traceback would keep the frames of a request; None: never.

    Without one, whoever waits tries for himself.
    """
    copied = own(error)
    if copied is error:
        return None
    copied.__cause__ = None
    return copied
