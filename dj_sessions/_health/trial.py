"""A session that lives its whole life in the store, in one of two modes, and leaves nothing there.

It belongs to nobody, and has an end: what a process leaves that is killed is gone in a minute.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter
from typing import Any, Final

from asgiref.sync import sync_to_async

from dj_sessions import _keys
from dj_sessions._health import facts
from dj_sessions._health.remains import Remains
from dj_sessions._health.report import Problem, Report
from dj_sessions._session.modes import Mode
from dj_sessions.backends.stored import StoredSession
from dj_sessions.checks._shared import is_kept_by_clients
from dj_sessions.exceptions import UpdateError

#: Seconds after which the session of a trial has ended in any case.
LIFETIME: Final = 60
#: The key of the data of such a session.
NAME: Final = "_session_check"

LEFT: Final = Problem(
    "left-behind",
    f"The session of this check may not be removed yet. It ends within {LIFETIME} seconds.",
    "Run 'manage.py clearsessions' once the store answers.",
    is_fatal=False,
)
LAST_SAVE_WINS: Final = "the engine keeps the last save as a whole"
IN_THE_COOKIE: Final = "the session is in the cookie"


class Unexpected(Exception):
    """The store answers, and does something else than it has to."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        self.problem = Problem(code, what, remedy)
        super().__init__(what)


async def look_up(mode: Mode, store: Any) -> None:
    """Look for a session that nobody has; raises what the store raises in an outage."""
    if is_kept_by_clients(store):
        return
    session = store(key := _keys.new_key())
    if isinstance(session, StoredSession):
        # load() would tell the security log and the counters that somebody tries a key.
        await mode(session._storage.read, session._storage.aread, key)
    else:
        await mode(session.load, session.aload)


class Trial:
    """One life of a session of ``store``. ``go_on()`` is called before each step, and may raise.

    ``when_stored(session)`` is called once the session is there.
    """

    def __init__(
        self,
        store: Any,
        report: Report,
        name: str,
        go_on: Callable[[], None],
        when_stored: Callable[[Any], None] = lambda session: None,
    ) -> None:
        self._store = store
        self._report = report
        self._times = report.milliseconds.setdefault(name, {})
        self._go_on = go_on
        self._when_stored = when_stored
        self._is_stored = issubclass(store, StoredSession)
        # On a replica that lags it is a while before what is written is what is read.
        self._reads_elsewhere = self._is_stored and facts.reads_elsewhere(store()._storage)
        self._remains = Remains(store)

    async def run(self, mode: Mode) -> None:
        """Live, and remove all of it; raises what the store raises, or Unexpected."""
        try:
            await (
                self._live_in_cookie(mode) if is_kept_by_clients(self._store) else self._live(mode)
            )
        finally:
            await self._clean(mode)

    # Steps

    async def _do(
        self,
        mode: Mode,
        step: str,
        sync: Callable[..., Any],
        twin: Callable[..., Awaitable[Any]],
        *arguments: Any,
    ) -> Any:
        self._go_on()
        begun = perf_counter()
        try:
            return await mode(sync, twin, *arguments)
        finally:
            self._times[step] = round((perf_counter() - begun) * 1000, 3)

    def _skip(self, why: str, *steps: str) -> None:
        self._report.skipped.update(dict.fromkeys(steps, why))

    async def _live(self, mode: Mode) -> None:
        self._go_on()
        unknown = self._remains.session(_keys.new_key())
        await self._do(mode, "look up", unknown.load, unknown.aload)
        session = await self._create(mode)
        await self._save(mode, session)
        if self._is_stored:
            await self._lose(mode, session)
            await self._merge(mode, session.session_key)
        else:
            self._skip(LAST_SAVE_WINS, "compare and lose", "merge")
        await self._end(mode, await self._change_key(mode, session.session_key))

    async def _create(self, mode: Mode) -> Any:
        session = self._remains.session()
        session[NAME] = 1
        session.set_expiry(LIFETIME)
        await self._do(mode, "create", session.save, session.asave)
        self._remains.note(session.session_key)
        self._when_stored(session)
        other = self._remains.session(session.session_key)
        found = await self._do(mode, "read", other.get, other.aget, NAME)
        _expect(
            found == 1,
            "not-kept",
            f"A session that was stored a moment ago reads as {found!r}.",
            "Keep sessions in a store that keeps them: docs/engines says which.",
        )
        return session

    async def _save(self, mode: Mode, session: Any) -> None:
        session[NAME] = 2
        await self._do(mode, "save", session.save, session.asave)
        await self._expect_value(mode, session.session_key, 2)

    async def _lose(self, mode: Mode, session: Any) -> None:
        """Try to replace what others have replaced: the store has to refuse that."""
        key, late = session.session_key, self._remains.session(session.session_key)
        storage, data = late._storage, await mode(late._get_session, late._aget_session)
        stale = await mode(storage.read_latest, storage.aread_latest, key)
        session[NAME] = 3
        await mode(session.save, session.asave)
        record = await late._limited_record(mode, {**data, NAME: 0})
        replace = storage.replace, storage.areplace
        taken = await self._do(mode, "compare and lose", *replace, key, record, stale)
        _expect(
            not taken,
            "compares-not",
            "The store has replaced a session that others had changed: saves get lost.",
            "Have replace() of the storage compare with what it is given as expected.",
        )
        await self._expect_value(mode, key, 3)

    async def _merge(self, mode: Mode, key: str) -> None:
        one, two = self._remains.session(key), self._remains.session(key)
        for session in (one, two):
            await mode(session.get, session.aget, NAME)
        one[f"{NAME}_one"] = two[f"{NAME}_two"] = 1
        await mode(one.save, one.asave)
        await self._do(mode, "merge", two.save, two.asave)
        wanted = {f"{NAME}_one": 1, f"{NAME}_two": 1}
        _expect(
            await self._read(mode, key, wanted) == wanted,
            "merges-not",
            "Of two saves at the same time, one was lost.",
            "Use the storage of an engine of this package, or test yours with dj_sessions.testing.",
        )

    async def _change_key(self, mode: Mode, key: str) -> Any:
        session = self._remains.session(key)
        await mode(session.get, session.aget, NAME)
        await self._do(mode, "change key", session.cycle_key, session.acycle_key)
        self._remains.note(session.session_key)
        await self._expect_value(mode, session.session_key, 3 if self._is_stored else 2)
        await self._expect_value(mode, key, None)
        return session

    async def _end(self, mode: Mode, session: Any) -> None:
        key, late = session.session_key, self._remains.session(session.session_key)
        await mode(late.get, late.aget, NAME)
        await self._do(mode, "end", session.flush, session.aflush)
        await self._expect_value(mode, key, None)
        late[NAME] = 4
        try:
            await self._do(mode, "come late", late.save, late.asave)
        except UpdateError:
            return
        finally:
            self._remains.note(late.session_key)
        raise Unexpected(
            "brought-back",
            "A save that came late has brought back a session that was ended.",
            "Have save() of the engine raise UpdateError where the session is gone.",
        )

    async def _live_in_cookie(self, mode: Mode) -> None:
        steps = ("look up", "compare and lose", "merge", "change key", "end", "come late")
        self._skip(IN_THE_COOKIE, *steps)
        session = self._remains.session()
        session[NAME] = 1
        session.set_expiry(LIFETIME)
        await self._do(mode, "create", session.save, session.asave)
        other = self._remains.session(session.session_key)
        found = await self._do(mode, "read", other.get, other.aget, NAME)
        session[NAME] = 2
        await self._do(mode, "save", session.save, session.asave)
        _expect(
            found == 1,
            "not-kept",
            f"A session that was just signed reads as {found!r}.",
            "Correct SECRET_KEY and SESSION_SERIALIZER.",
        )

    async def _expect_value(self, mode: Mode, key: str, value: int | None) -> None:
        found = (await self._read(mode, key, {NAME: value}))[NAME]
        _expect(
            found == value,
            "not-kept",
            f"The session should read as {value!r} now, and reads as {found!r}.",
            "If its store is a cache, or is replicated, read where is written.",
        )

    async def _read(self, mode: Mode, key: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return what the session has under the keys of ``wanted``, once a replica has that."""
        end = monotonic() + (facts.LONGEST_LAG if self._reads_elsewhere else 0)
        while True:
            session = self._remains.session(key)
            found = {name: await mode(session.get, session.aget, name) for name in wanted}
            if found == wanted or monotonic() >= end:
                return found
            await mode(facts.look_again, sync_to_async(facts.look_again))

    async def _clean(self, mode: Mode) -> None:
        is_clean = await self._remains.remove(mode)
        if not is_clean and "create" in self._times and LEFT not in self._report.problems:
            self._report.problems.append(LEFT)


def _expect(condition: bool, code: str, what: str, remedy: str) -> None:
    if not condition:
        raise Unexpected(code, what, remedy)
