"""Who writes to sessions, ends and reads them; one body for sync actors and async ones."""

from __future__ import annotations

import time
from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from dj_sessions.exceptions import SessionConflict, UpdateError
from tests.stress.journal import Journal
from tests.stress.plan import Party, Plan

#: Visits to a mortal session after which an actor no longer waits for its end.
LONGEST_STAY = 5
SOON = timedelta(seconds=1)


class SessionMissing(Exception):
    """A session that nobody has ended is not there."""


class Actor:
    """`mode` is one of tests.interop.modes; each visit is a request with a store of its own."""

    def __init__(
        self, name: str, mode: Any, plan: Plan, parties: list[Party], store_class: Any
    ) -> None:
        self.name = name
        self.mode = mode
        self.plan = plan
        self.SessionStore = store_class
        self.journal = Journal()
        self.chance = plan.chance(name)
        self.parties = [
            (key, party)
            for key, party in zip(plan.mortal, parties, strict=True)
            if name in party.actors
        ]
        self.number, self.stay = 0, 0
        #: What carries sessions from one place to another, where they move.
        self.storage = store_class().get_storage() if hasattr(store_class, "_move") else None

    async def live(self, deadline: float) -> None:
        """Visit sessions until the plan is fulfilled or `deadline` (monotonic seconds) is past."""
        for _ in range(self.plan.visits):
            if time.monotonic() > deadline:
                return
            try:
                await self.visit()
            except SessionConflict:
                self.journal.conflicts += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                self.note(error)

    def note(self, error: Exception) -> None:
        if is_busy(error):
            self.journal.busy += 1
        else:
            self.journal.errors[f"{type(error).__name__}: {error}"[:200]] += 1

    async def visit(self) -> None:
        roll = self.chance.random()
        if roll < 0.01:
            self.journal.operations += 1
            await self.mode.aside(lambda: call_command("clearsessions", stdout=StringIO()))
        elif roll < 0.05 and getattr(self.storage, "moves", False):
            self.journal.operations += 1
            key = self.chance.choice([*self.plan.lasting, *self.plan.mortal[:100]])
            await self.mode.aside(lambda: self.storage.carry(key))
        elif roll < 0.6 and self.number < len(self.parties):
            await self.visit_mortal()
        else:
            key = self.chance.choice(self.plan.lasting)
            if not await (self.look(key) if roll < 0.7 else self.write(key)):
                raise SessionMissing("nobody has ended it")

    async def visit_mortal(self) -> None:
        key, party = self.parties[self.number]
        is_mine = party.actors[0] == self.name
        self.stay += 1
        is_over = True
        try:
            if is_mine and self.stay > party.patience:
                await self.end(key, party.how)
            else:
                is_over = not await self.write(key) or self.stay == LONGEST_STAY
        except SessionConflict:
            is_over = False
            raise
        except UpdateError:
            if is_mine:
                raise  # nobody else may end it
        finally:
            if is_over:
                self.number, self.stay = self.number + 1, 0

    # What is done to a session

    async def do(self, owner: Any, method: str, *args: Any) -> Any:
        """Call what asks the store."""
        self.journal.operations += 1
        return await self.mode.call(owner, method, *args)

    async def look(self, key: str) -> bool:
        """Tell whether there is a session under the key."""
        session = self.SessionStore(key)
        await self.do(session, "get", "made")
        return session.session_key is not None

    async def write(self, key: str) -> bool:
        """Change and save, once or more often; False: there is no session."""
        session = self.SessionStore(key)
        await self.do(session, "get", "made")
        if session.session_key is None:
            return False
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            await self.save(session, key, *await self.change(session))
        return True

    async def change(self, session: Any) -> tuple[str, Any]:
        """Count, change a nested value in place, or replace or remove one; return which."""
        call, kind = self.mode.call, self.chance.choice(("count", "cart", "text"))
        name, value = f"{self.name}.{kind}", None
        before = await call(session, "get", name)
        if kind == "count":
            await call(session, "update", {name: (before or 0) + 1})
        elif kind == "cart" and before:
            before["count"] += 1
            before["lines"] = [*before["lines"], before["count"]][-3:]
            session.modified = True
        elif kind == "cart":
            await call(session, "update", {name: {"count": 1, "lines": []}})
        elif before is not None and self.chance.random() < 0.4:
            await call(session, "pop", name)
        else:
            value = f"{self.chance.getrandbits(64):x}"
            await call(session, "update", {name: value})
        return name, value

    async def save(self, session: Any, key: str, name: str, value: Any) -> None:
        try:
            await self.do(session, "save")
        except (UpdateError, SessionConflict):
            raise
        except Exception:
            self.journal.doubt(key, name, value)
            raise
        self.journal.acknowledge(key, name, value)
        self.journal.acknowledged += 1

    # Ends

    async def end(self, key: str, how: str) -> None:
        try:
            await getattr(self, f"end_by_{how}")(key)
        except SessionConflict:
            raise
        except Exception:
            self.journal.undecided.append(key)
            raise
        self.journal.ended[key] = how
        if how != "soon" and await self.look(key):
            self.journal.revived.append(key)

    async def opened(self, key: str) -> Any:
        session = self.SessionStore(key)
        await self.do(session, "get", "made")
        if session.session_key is None:
            raise SessionMissing("it was about to be ended")
        return session

    async def end_by_logout(self, key: str) -> None:
        await self.do(await self.opened(key), "flush")

    async def end_by_delete(self, key: str) -> None:
        await self.do(self.SessionStore(), "delete", key)

    async def end_by_login(self, key: str) -> None:
        session = await self.opened(key)
        await self.do(session, "cycle_key")
        # What this actor wrote before moves to the new key, which nobody else knows.
        self.journal.claims[session.session_key] = self.journal.claims.pop(key, {})
        await self.mode.call(session, "update", {"user": self.name})
        await self.save(session, session.session_key, "user", self.name)

    async def end_by_past(self, key: str) -> None:
        await self.expire(key, -1)

    async def end_by_soon(self, key: str) -> None:
        ends = timezone.now() + SOON
        await self.expire(key, ends)
        self.journal.settled = max(self.journal.settled, ends.timestamp())

    async def expire(self, key: str, when: Any) -> None:
        session = await self.opened(key)
        await self.mode.call(session, "set_expiry", when)
        await self.do(session, "save")

    async def end_by_row(self, key: str) -> None:
        rows = self.SessionStore.get_model_class().objects.for_key(key)
        await self.do(rows, "delete")


def is_busy(error: Exception) -> bool:
    """Whether SQLite gave up waiting for its lock: nothing was written, and it says so."""
    return isinstance(error, OperationalError) and "locked" in str(error)
