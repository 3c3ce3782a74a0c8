"""Whoever must see the rows come and go: no deed takes more statements than on Django's engine.

The same model serves both engines. `WATCHED` says who watches it, in autocommit and inside
somebody else's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from typing import Any, TypeAlias
from unittest import mock

import pytest
from django.contrib.sessions.models import Session
from django.db import connections, models, transaction
from django.db.models import signals

from tests.contract.costs import DJANGO, OURS, STATEMENTS, prepare, unheard
from tests.counters import statements
from tests.subclasses.models import (
    AccountSession,
    DeviceSession,
    InheritedSession,
    RevocableSession,
    SealedSession,
    TaggedSession,
)

pytestmark = [pytest.mark.stores("db"), pytest.mark.modes("sync")]

#: A model, and what somebody wants to see of its rows.
Watched: TypeAlias = tuple[Any, Callable[[], AbstractContextManager[Any]]]

HEARD = ("pre_save", "post_save", "pre_delete", "post_delete")
DEEDS = (*STATEMENTS, "delete")


def heard(*names: str, sender: Any = AccountSession) -> Callable[[], AbstractContextManager[Any]]:
    @contextmanager
    def listening() -> Iterator[None]:
        def receive(**kwargs: Any) -> None:
            pass

        for name in names:
            getattr(signals, name).connect(receive, sender=sender)
        yield
        for name in names:
            getattr(signals, name).disconnect(receive, sender=sender)

    return listening


def overridden(*names: str) -> Callable[[], AbstractContextManager[Any]]:
    @contextmanager
    def overriding() -> Iterator[None]:
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(mock.patch.object(AccountSession, name, calling(name)))
            yield

    def calling(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(models.Model, name)(self, *args, **kwargs)

        return method

    return overriding


#: Who may have to be locked for: see the last test.
BOTH_OVERRIDDEN = (AccountSession, overridden("save", "delete"))

#: Where no statement can compare: a field, a loaded instance, a save() past the ORM.
LOCKED: dict[str, Watched] = {
    "a field that seals": (SealedSession, nullcontext),
    "post_init": (AccountSession, heard("post_init")),
    "post_init and every signal": (AccountSession, heard("post_init", *HEARD)),
}

WATCHED: dict[str, Watched] = {
    "nobody": (AccountSession, nullcontext),
    **{f"{name} of the model": (AccountSession, heard(name)) for name in HEARD},
    **{f"{name} of all models": (AccountSession, heard(name, sender=None)) for name in HEARD},
    "every signal": (AccountSession, heard(*HEARD)),
    "save()": (AccountSession, overridden("save")),
    "save_base()": (AccountSession, overridden("save_base")),
    "_do_update()": (AccountSession, overridden("_do_update")),
    "delete()": (AccountSession, overridden("delete")),
    "a foreign key of its own": (DeviceSession, nullcontext),
    "a table of a parent": (InheritedSession, nullcontext),
    "a table of a parent, and receivers": (InheritedSession, heard(*HEARD, sender=None)),
    "a manager that hides rows": (RevocableSession, nullcontext),
    "rows that point at it": (Session, nullcontext),
    "rows that point at it, and receivers": (Session, heard(*HEARD, sender=None)),
    "rows that belong to it": (TaggedSession, nullcontext),
}


@pytest.fixture
def count(store, mode):
    """Count what a deed on a model takes on a package's engine, alone or in a transaction."""

    def count(package: str, watched: Watched, deed: str, where: str) -> list[str]:
        model, watching = watched

        class SessionStore(import_module(f"{package}.backends.db").SessionStore):  # type: ignore[misc]
            @classmethod
            def get_model_class(cls) -> Any:
                return model

        with unheard(package), watching():
            prepare(mode, SessionStore, "flush")()  # what is looked up once is known now
            do = prepare(mode, SessionStore, deed)
            inside = where == "in a transaction"
            with transaction.atomic(using=store.database) if inside else nullcontext():
                with statements(store.database) as sent:
                    do()
                return list(sent)

    return count


@pytest.mark.parametrize("where", ["in autocommit", "in a transaction"])
@pytest.mark.parametrize("who", WATCHED)
def test_no_deed_takes_more_statements_than_on_django_s_engine(store, count, who, where):
    more = []
    for deed in DEEDS:
        ours, django = (count(package, WATCHED[who], deed, where) for package in (OURS, DJANGO))
        if len(ours) > len(django):
            more.append(f"{deed}: {len(ours)} instead of {len(django)}: " + "; ".join(ours))
    assert not more, "\n".join(more)


@pytest.mark.parametrize("where", ["in autocommit", "in a transaction"])
def test_a_save_and_a_delete_of_one_s_own_cost_a_new_key_a_lock(store, count, where):
    """Between the two statements of a delete() of one's own nothing else could compare."""
    more = {
        deed: len(count(OURS, BOTH_OVERRIDDEN, deed, where))
        - len(count(DJANGO, BOTH_OVERRIDDEN, deed, where))
        for deed in DEEDS
    }
    new_key = more.pop("cycle_key")
    assert max(more.values()) <= 0
    if where == "in autocommit":
        assert new_key == (2 if connections[store.database].vendor == "sqlite" else 1)
    else:
        assert new_key <= 0


@pytest.mark.parametrize("where", ["in autocommit", "in a transaction"])
@pytest.mark.parametrize("who", LOCKED)
def test_a_payload_that_no_statement_can_compare_costs_a_save_a_lock(store, count, who, where):
    more = {
        deed: len(count(OURS, LOCKED[who], deed, where))
        - len(count(DJANGO, LOCKED[who], deed, where))
        for deed in DEEDS
    }
    lock = 2 if connections[store.database].vendor == "sqlite" else 1
    assert [more.pop(deed) for deed in ("save", "save after load")] == [lock, lock]
    assert max(more.values()) <= 0
