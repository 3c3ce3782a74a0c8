"""The rows of the list: written before the session, ended after it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import Error, IntegrityError, connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from dj_sessions.signals import EndReason
from dj_sessions.user_sessions.conf import conf
from dj_sessions.user_sessions.entries import Entry
from dj_sessions.user_sessions.table import database, rows

#: Seconds for which a connection of its own may wait for others.
LONGEST_WAIT: Final = 2

logger: Final = logging.getLogger("dj_sessions.user_sessions")


def enter(entry: Entry, old_id: str | None = None) -> None:
    """Have the list name a session of a user that it may not have yet.

    ``old_id`` is the public id that the session had before its key changed. Raises DatabaseError.
    """
    created = None if old_id is None else created_of(old_id, entry.user_id)
    try:
        with savepoint():
            entry.row(created).save(force_insert=True, using=database())
    except IntegrityError:  # it is there, as after a crash between the row and its session
        if not _renew(entry):
            raise


def rename(entry: Entry, *, is_apart: bool) -> None:
    """Have the list say under which name a session is about to be stored. Raises DatabaseError.

    ``is_apart`` tells that it stays there where the transaction around the list is rolled back.
    """
    if is_apart:
        _for_good(partial(_rename, entry))
    else:
        _rename(entry)


def _rename(entry: Entry) -> None:
    if not _renew(entry):
        enter(entry)


def _renew(entry: Entry) -> int:
    return int(_row_of(entry).update(**entry.changes(), ended=None, reason=""))


def created_of(public_id: str, user_id: Any) -> datetime | None:
    """Return when the session of this id began, None if it is not listed."""
    mine = rows().filter(public_id=public_id, user_id=user_id)
    created: datetime | None = mine.values_list("created", flat=True).first()
    return created


def touch(entry: Entry, lives: Callable[[Entry], bool], *, is_renamed: bool = False) -> None:
    """Have the list say that a session is in use; one that it misses is entered.

    It also misses one of which it says that it has ended, where that ``lives``. An outage of the
    list's database is logged: the session is not lost by it.
    """
    if is_inside():  # no row is locked until the end of somebody's transaction
        when_committed(partial(touch, entry, lives, is_renamed=is_renamed))
        return
    due = Q(last_seen__lte=entry.seen - timedelta(seconds=conf.SESSION_SEEN_AFTER))
    if entry.client:  # it may have been stored by no request, as that of a test's client
        due |= Q(ip_address=None, user_agent="")
    with surviving("A session could not be noted as seen"):
        row = _row_of(entry)
        stale = row if is_renamed else row.filter(due)
        if stale.filter(ended=None).update(**entry.changes()):
            return
        ends = list(row.values_list("ended", flat=True))
        if not ends or (ends != [None] and lives(entry)):
            enter(entry)


def end(public_id: str, reason: EndReason | None, **of: Any) -> None:
    """Have the list say that a session is gone, and how; None: it never was one.

    An outage of the list's database is logged: the session has ended.
    """
    when_committed(end_all, Q(public_id=public_id, **of), reason)


def end_all(which: Q, reason: EndReason | None) -> None:
    """Do as ``end()`` for the rows that ``which`` tells."""
    with surviving("A session that has ended could not be taken from the list"):
        gone = rows().filter(which)
        if reason is not None and conf.SESSION_HISTORY_DAYS:
            gone.filter(ended=None).update(ended=timezone.now(), reason=reason, stored_key="")
        else:
            remove(gone)


def remove(some: QuerySet[Any]) -> int:
    """Remove rows by one statement; no signal is sent, and nothing points at them."""
    return int(some._raw_delete(some.db) or 0)


def _row_of(entry: Entry) -> QuerySet[Any]:
    row: QuerySet[Any] = rows().filter(public_id=entry.public_id, user_id=entry.user_id)
    return row


def is_inside() -> bool:
    """Return whether a transaction is open around the list, other than that of a TestCase."""
    connection = connections[database()]
    blocks: list[Any] = connection.atomic_blocks
    return any(not block._from_testcase for block in blocks)


def is_apart(place: str | None) -> bool:
    """Return whether a session stays when the transaction around the list is rolled back.

    ``place`` is the alias of the database that it is stored in, None where it is in none.
    """
    return is_inside() and place != database()


def enter_for_good(entry: Entry, old_id: str | None = None) -> None:
    """Do as ``enter()``, so that no rollback takes the row back."""
    _for_good(partial(enter, entry, old_id))


def _for_good(write: Callable[[], None]) -> None:
    """Call what writes a row by a connection of its own.

    SQLite lets nobody else write meanwhile, and a TestCase takes everything back: there the row is
    part of the transaction. If that is rolled back, the session is listed when it is next used.
    """
    connection = connections[database()]
    blocks: list[Any] = connection.atomic_blocks
    if connection.vendor == "sqlite" or any(block._from_testcase for block in blocks):
        write()
        return
    thread = ThreadPoolExecutor(max_workers=1)
    try:
        # In the context of the request, so that a tracer takes it for a part of that.
        writing = thread.submit(copy_context().run, _write_and_close, write)
        writing.result(LONGEST_WAIT)
    except TimeoutError:  # it waits for this very transaction
        write()
    finally:
        thread.shutdown(wait=False)


def _write_and_close(write: Callable[[], None]) -> None:
    try:
        write()
    finally:
        connections.close_all()


def savepoint() -> AbstractContextManager[Any]:
    """Return a savepoint inside somebody else's transaction; one statement needs no other."""
    using = database()
    return transaction.atomic(using) if connections[using].in_atomic_block else nullcontext()


class surviving:
    """Logs an error of the database, as ``message``, instead of raising it."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._savepoint = savepoint()

    def __enter__(self) -> None:
        self._savepoint.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        self._savepoint.__exit__(kind, error, traceback)
        if not isinstance(error, Error):
            return False
        logger.warning("%s: %s", self._message, type(error).__name__)
        return True


def when_committed(action: Callable[..., Any], *arguments: Any) -> None:
    """Call ``action`` now, or when the open transaction around the list is committed."""
    if is_inside():
        transaction.on_commit(partial(action, *arguments), using=database())
    else:
        action(*arguments)
