"""The rows of a model through the ORM, which does all that the model has of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Model, Q, QuerySet, signals

from dj_sessions._codec import forwards
from dj_sessions.storage.rows.comparable import condition, is_same, keeps_payloads, update
from dj_sessions.storage.rows.compared_save import ComparedSave
from dj_sessions.storage.rows.errors import is_write_conflict
from dj_sessions.storage.rows.managers import finds_every_row, manager_of, named
from dj_sessions.storage.rows.record import RowRecord, loaded_from
from dj_sessions.storage.rows.transactions import (
    breaking,
    can_be_locked,
    is_inside,
    is_of_one_table,
    savepoint,
)
from dj_sessions.storage.rows.watchers import (
    columns,
    delete_is_watched,
    delete_watchers,
    goes_alone,
    has_parents,
    load_watchers,
    save_watchers,
)

#: Models whose ``save()`` was seen to send an UPDATE of its own, which cannot be told to compare.
SAVING_PAST_THE_ORM: Final[set[type[Model]]] = set()


class Rows:
    """The rows of a model in one database: those that the model's manager finds."""

    def __init__(self, model: type[Model], using: str) -> None:
        self._model: Any = model
        #: The alias of the database.
        self.using = using

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        """The connection of this thread."""
        return connections[self.using]

    def instance(self, key: str | None, now: datetime, *, lock: bool = False) -> Any:
        """Return the row of a live session, or None; with ``lock``, as the last save left it."""
        return self._get(self._found(key).filter(expire_date__gt=now), lock)

    def find(self, key: str, now: datetime, *, lock: bool = False) -> RowRecord | None:
        """Return the record of a session or forward; with ``lock``, as the last save left it."""
        if not self.keeps_forwards():
            return loaded_from(self.instance(key, now, lock=lock))
        keys = key, forwards.name(key)  # the session, or the forward that it has left behind
        found = self.live_or_forward(keys, now, lock=lock)
        return loaded_from(found.get(keys[0]) or found.get(keys[1]))

    def live(self, now: datetime) -> QuerySet[Any]:
        """Return the rows of the sessions that are live at ``now``."""
        return manager_of(self._model).using(self.using).filter(expire_date__gt=now)  # type: ignore[no-any-return]

    def live_or_forward(
        self, keys: Collection[str], now: datetime, *, lock: bool = False
    ) -> dict[str, Any]:
        """Return the rows under ``keys`` that are live sessions or forwards."""
        wanted = Q(expire_date__gt=now) | Q(session_data__startswith=forwards.MARK)
        rows = self.base_rows().filter(wanted, session_key__in=keys)
        return {row.session_key: row for row in (self._locked(rows) if lock else rows)}

    def _get(self, rows: QuerySet[Any], lock: bool) -> Any:
        try:
            return (self._locked(rows) if lock and can_be_locked(rows) else rows).get()
        except self._model.DoesNotExist:
            return None

    def find_whole(self, key: str, now: datetime, *, lock: bool = False) -> RowRecord | None:
        """Return what ``find()`` does, with the expiry, which it may leave out as it takes time."""
        return self.find(key, now, lock=lock)

    def is_taken(self, key: str) -> bool:
        """Return whether there is a row, also one that the model's manager hides."""
        return self.base_rows().filter(session_key=key).exists()  # as the database compares keys

    def is_write_conflict(self, error: OperationalError) -> bool:
        """Return whether a statement failed as others changed the row, and can be sent again."""
        return is_write_conflict(error) and not is_inside(self._connection)

    def is_done(self, change: Callable[[], bool]) -> bool:
        """Return what ``change`` returns, which compares: False on a write conflict."""
        try:
            return change()
        except OperationalError as error:
            if not self.is_write_conflict(error):
                raise
            return False

    def insert(self, instance: Any) -> None:
        """Insert a row; raises IntegrityError, also if its key is taken."""
        watched = bool(save_watchers(self._model))
        with transaction.atomic(using=self.using) if watched else savepoint(self._connection):
            instance.save(force_insert=True, using=self.using)

    def replace(self, key: str, instance: Any, expected: str | None, now: datetime) -> bool:
        """Update the row that has the payload ``expected``; return whether there was one.

        With None: whatever it has, if its session is live at ``now``.
        """
        same = self.comparing(key, expected, now)
        watched = bool(save_watchers(self._model))
        if same is not None and not watched:
            with savepoint(self._connection):
                return update(same, **columns(instance)) > 0
        if watched and self._can_compare_in_save(same):
            replaced = ComparedSave(instance, same, condition(expected, now)).save(self.using)
            if replaced is not None:
                return replaced
            SAVING_PAST_THE_ORM.add(self._model)
        with transaction.atomic(using=self.using):
            if not is_same(self.hold(key), expected, now):
                return False
            if watched:
                instance.save(force_update=True, using=self.using)
            else:
                update(self.stored(key), **columns(instance))
            return True

    def _can_compare_in_save(self, same: QuerySet[Any] | None) -> bool:
        """Return whether the UPDATE of the ORM can compare."""
        if self._model in SAVING_PAST_THE_ORM:
            return False
        return same is not None or (
            self._keeps_payloads() and finds_every_row(manager_of(self._model))
        )

    def comparing(self, key: str, expected: str | None, now: datetime) -> QuerySet[Any] | None:
        """Return the row if it is as expected, or None where no single statement can tell."""
        if not self._keeps_payloads() or has_parents(self._model):
            return None
        rows = self._found(key)
        # What is compared in a subquery is compared before the row is locked.
        return rows.filter(**condition(expected, now)) if is_of_one_table(rows) else None

    def _keeps_payloads(self) -> bool:
        is_kept = keeps_payloads(self._model, self.using, self._connection.vendor)
        return is_kept and not load_watchers(self._model)

    def hold(self, key: str) -> Any:
        """Lock the row, in a transaction, and return it as the last save left it, or None."""
        rows = self._found(key)
        if self._connection.features.has_select_for_update and can_be_locked(rows):
            rows = self._locked(rows)
        else:
            # Locks on every database. SQLite's lock has to be taken by the first statement.
            table = self._model._meta.get_field("expire_date").model  # maybe that of a parent
            same = table._base_manager.using(self.using).filter(session_key=key)
            update(same, expire_date=F("expire_date"))
        return next(iter(rows), None)

    def _locked(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return rows to be locked, without those that a manager joins to them."""
        joins = self._connection.features.has_select_for_update_of
        alone = joins and not has_parents(self._model)
        return rows.select_for_update(of=("self",) if alone else ())

    def remove(self, key: str, *, own_key: bool = False) -> bool:
        """Delete the row and all that goes along; return whether there was one.

        An ``own_key`` may be one of several that are equal to MariaDB.
        """
        if self.goes_unseen():
            with breaking(self._connection):
                return bool(self._found(key)._raw_delete(self.using))
        equals_others = own_key and self._connection.vendor == "mysql"
        is_looked_for = equals_others or self._is_looked_for()
        row = self._found(key).first() if is_looked_for else self._model(session_key=key)
        return row is not None and self._delete(row)

    def compare_and_delete(self, key: str, expected: str, now: datetime) -> bool:
        """Delete the row that has the payload ``expected``, as ``remove()`` does."""
        same = self.comparing(key, expected, now)
        if same is not None and self.goes_unseen():
            with breaking(self._connection):
                return bool(same._raw_delete(self.using))
        with transaction.atomic(using=self.using, savepoint=False):
            if same is None or self._is_looked_for():
                row = self.hold(key)
                return is_same(row, expected, now) and self._delete(row)
            # An update that changes nothing compares, and locks.
            is_there = update(same, expire_date=F("expire_date")) > 0
            return is_there and self._delete(self._model(session_key=key))

    def keeps_forwards(self) -> bool:
        """Return whether a row may stay to lead to a new key, as receivers alone see its end."""
        return (
            finds_every_row(manager_of(self._model))
            and self._keeps_payloads()
            and goes_alone(self._model)
            and all(reason.kind == "signal" for reason in delete_watchers(self._model))
        )

    def move(self, key: str, expected: str | None, forward: str, now: datetime) -> bool:
        """Put a forward, which has expired, into the row that has the payload ``expected``."""
        # Under a name of its own: what Django's own engine saves under the old key finds nothing.
        moved = {"session_key": forwards.name(key), "session_data": forward, "expire_date": now}
        if self.goes_unseen():
            with savepoint(self._connection):
                same = self._found(key).filter(**condition(expected, now))
                return update(same, **moved) > 0
        with transaction.atomic(using=self.using, savepoint=False):
            row = self.hold(key)
            if not is_same(row, expected, now):
                return False
            row.is_ended_by_its_store = True
            told = {"sender": self._model, "instance": row, "using": self.using, "origin": row}
            signals.pre_delete.send(**told)
            update(self.stored(key), **moved)
            signals.post_delete.send(**told)
            return True

    def goes_unseen(self) -> bool:
        """Return whether the end of a row is one DELETE."""
        return goes_alone(self._model) and not delete_is_watched(self._model)

    def _is_looked_for(self) -> bool:
        """Return whether a row that ends is read first: somebody sees it, or it may be hidden."""
        return delete_is_watched(self._model) or not finds_every_row(manager_of(self._model))

    def _delete(self, row: Any) -> bool:
        """Delete a row through the ORM; return whether it was there.

        The model's own ``delete()`` takes no arguments, and may return anything.
        """
        row.is_ended_by_its_store = True
        if self._model.delete is not Model.delete:
            row.delete()
            return True
        return bool(row.delete(using=self.using)[0])

    def _found(self, key: str | None) -> QuerySet[Any]:
        """Return the row if the model's manager finds it."""
        return named(manager_of(self._model).using(self.using), key)

    def stored(self, key: str) -> QuerySet[Any]:
        """Return the row, also if the model's manager hides it."""
        return named(self.base_rows(), key)

    def base_rows(self) -> QuerySet[Any]:
        """Return all rows, also those that the model's manager hides."""
        return self._model._base_manager.using(self.using)  # type: ignore[no-any-return]
