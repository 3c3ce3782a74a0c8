"""What has the rows of sessions go through Django's ORM, and how to leave that way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from django.core.checks import Info
from django.db import connections, router

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable, use
from dj_sessions.storage.rows.watchers import Reason, receivers_of

#: What Django has in the place of a database that no setting names.
NO_DATABASE: Final = "django.db.backends.dummy"

#: What is said of a reason: what it is, and the remedy.
Words: TypeAlias = tuple[str, str]


def check_orm(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Name each reason why sessions in the database are not left to prepared statements."""
    store = _shared.store_or_none()
    if not hasattr(store, "_orm_reasons"):
        return
    try:
        model, found = use(_found, store)
    except Unusable:  # check_engine() reports the model, and Django the database
        return
    for reason, done in found.items():
        for what, remedy in WORDS[reason.kind](reason.subject, model):
            yield Info(
                f"Sessions are {' and '.join(done)} through Django's ORM, not by a prepared "
                f"statement: {what}.",
                hint=remedy,
                id="dj_sessions.I033",
            )


def _found(store: Any) -> tuple[Any, dict[Reason, list[str]]]:
    """Return the model, and the reasons, with what is done to its rows because of each."""
    found: dict[Reason, list[str]] = {}
    model = store.get_model_class()
    if connections[router.db_for_write(model)].settings_dict["ENGINE"] == NO_DATABASE:
        return model, found
    for done, reason in store._orm_reasons(model):
        known = found.setdefault(reason, [])
        if done not in known and "kept" not in known:  # to be kept is to be saved and ended
            known.append(done)
    return model, found


def _receivers(signal: str, model: Any) -> Iterator[Words]:
    for receiver, of_model in receivers_of(signal, model):
        if of_model:
            what = f"{_name(receiver)} receives {signal} of {_name(model)}"
            yield what, "Disconnect it if it is not needed. It is called for each session."
        else:
            remedy = "If it is not for sessions, connect it with sender=…, the model that it is for"
            yield f"{_name(receiver)} receives {signal} of every model", f"{remedy}."


def _method(name: str, model: Any) -> Iterator[Words]:
    owner = next(base for base in model.__mro__ if name in vars(base))
    yield f"{_name(owner)} overrides {name}()", f"Remove {name}(), unless the rows need it."


def _parent(parent: Any, model: Any) -> Iterator[Words]:
    remedy = "Derive it from AbstractBaseSession, so that a session is one row."
    yield f"{_name(model)} has a part of its row in the table of {_name(parent)}", remedy


def _key(key: Any, model: Any) -> Iterator[Words]:
    remedy = "Have session_key as the primary key, as AbstractBaseSession does."
    yield f"the primary key of {_name(model)} is {key.name!r}", remedy


def _relation(relation: Any, model: Any) -> Iterator[Words]:
    remedy = "Keep the session's key in a CharField, if its rows may outlive the session."
    yield f"{_name(relation.related_model)}.{relation.field.name} points at {_name(model)}", remedy


def _field(field: Any, model: Any) -> Iterator[Words]:
    remedy = "Use a field that stores a value as it is and refers to no other table."
    yield f"{_name(model)}.{field.name} is a {_name(type(field))}", remedy


def _manager(manager: Any, model: Any) -> Iterator[Words]:
    remedy = "Give that query set to a manager of another name, unless it must hide sessions."
    yield f"{_name(model)}.{manager.name} has a query set of its own", remedy


def _database(alias: str, model: Any) -> Iterator[Words]:
    remedy = "Keep sessions on SQLite, PostgreSQL, MariaDB or MySQL, by DATABASE_ROUTERS."
    yield f"nothing is prepared for the database of DATABASES[{alias!r}]", remedy


def _found_rows(alias: str, model: Any) -> Iterator[Words]:
    what = f"the client_flag of DATABASES[{alias!r}]['OPTIONS'] leaves out CLIENT.FOUND_ROWS"
    yield what, "Add MySQLdb.constants.CLIENT.FOUND_ROWS to it: Django expects it, too."


WORDS: Final[dict[str, Callable[[Any, Any], Iterator[Words]]]] = {
    "signal": _receivers,
    "method": _method,
    "parent": _parent,
    "key": _key,
    "relation": _relation,
    "field": _field,
    "manager": _manager,
    "database": _database,
    "found rows": _found_rows,
}


def _name(thing: Any) -> str:
    """Return where to find a class, a function, a bound method or a callable object."""
    function = getattr(thing, "__func__", thing)
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
