"""Hooks that force the ORM path: overrides, receivers and relations that no statement may pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from weakref import ReferenceType

from django.db.models import DO_NOTHING, ManyToOneRel, Model, signals

from dj_sessions.storage.rows import ends

#: The methods of a model through which a row is saved.
SAVING: Final = ("save", "save_base", "_save_table", "_do_insert", "_do_update")


def columns(instance: Model) -> dict[str, Any]:
    """Return what ``instance.save()`` would write into the columns of an existing row."""
    return {
        field.name: field.pre_save(instance, False)
        for field in instance._meta.concrete_fields
        if not field.primary_key and not field.generated
    }


class Reason(NamedTuple):
    """Why a row cannot go past the ORM: what kind of reason, and which of them it is.

    A "signal" and a "method" are named; the others are the "field", "manager", "relation" or
    "parent" (a model), or the alias of a "database" or of "found rows", which MariaDB leaves out.
    """

    kind: str
    subject: Any


def own_loading(model: Any) -> Iterator[Reason]:
    """Yield why a loaded instance may have something else than the columns."""
    if getattr(model.from_db, "__func__", None) is not Model.from_db.__func__:  # type: ignore[attr-defined]
        yield Reason("method", "from_db")
    if model.__init__ is not Model.__init__:
        yield Reason("method", "__init__")


def load_watchers(model: type[Model]) -> list[Reason]:
    """Return who must see a loaded instance, which they may change."""
    found = []
    if signals.pre_init.has_listeners(model):
        found.append(Reason("signal", "pre_init"))
    if signals.post_init.has_listeners(model):
        found.append(Reason("signal", "post_init"))
    return found


def has_parents(model: Any) -> bool:
    """Return whether a row has a part in the table of another model; a proxy has none."""
    return bool(model._meta.concrete_model._meta.parents)


def _parents(model: Any) -> Iterator[Reason]:
    return (Reason("parent", parent) for parent in model._meta.concrete_model._meta.parents)


def save_watchers(model: Any) -> list[Reason]:
    """Return who must see ``save()``: overrides, receivers, the tables of parents."""
    found = []
    for name in SAVING:
        if getattr(model, name) is not getattr(Model, name):
            found.append(Reason("method", name))
    if model._meta.concrete_model._meta.parents:
        found += _parents(model)
    if signals.pre_save.has_listeners(model):
        found.append(Reason("signal", "pre_save"))
    if signals.post_save.has_listeners(model):
        found.append(Reason("signal", "post_save"))
    return found


def delete_watchers(model: type[Model]) -> Iterator[Reason]:
    """Yield who must see ``delete()`` with the row as it is stored."""
    if model.delete is not Model.delete:
        yield Reason("method", "delete")
    if model._meta.pk.name != "session_key":
        yield Reason("key", model._meta.pk)
    for relation in pointing_at(model):
        if not relation.field.target_field.primary_key:
            yield Reason("relation", relation)
    for name in ("pre_delete", "post_delete"):
        if getattr(signals, name).has_listeners(model) and any(receivers_of(name, model)):
            yield Reason("signal", name)


def delete_is_watched(model: type[Model]) -> bool:
    """Return whether somebody must see ``delete()`` with the row as it is stored."""
    return any(delete_watchers(model))


def companions(model: type[Model]) -> Iterator[Reason]:
    """Yield what goes, or lets go, when a row does."""
    yield from _parents(model)
    for relation in pointing_at(model):
        if relation.on_delete is not DO_NOTHING:
            yield Reason("relation", relation)
    for field in model._meta.private_fields:
        if hasattr(field, "bulk_related_objects"):
            yield Reason("field", field)


def goes_alone(model: type[Model]) -> bool:
    """Return whether a DELETE of the row is all that its end takes."""
    return not any(companions(model))


def pointing_at(model: type[Model]) -> tuple[ManyToOneRel, ...]:
    """Return the foreign keys to ``model``, also those that it has no name for."""
    fields = model._meta.get_fields(include_hidden=True)
    return tuple(field for field in fields if isinstance(field, ManyToOneRel))


def receivers_of(name: str, model: type[Model]) -> Iterator[tuple[Any, bool]]:
    """Yield the receivers of a signal of ``model`` that are not ours, and whether of it alone.

    Ours learn from the storage what they must know.
    """
    senders = {id(None): False, id(model): True}
    for (_, sender), receiver, *_ in getattr(signals, name).receivers:
        if sender in senders:
            called = receiver() if isinstance(receiver, ReferenceType) else receiver
            if called is not None and not ends.is_own(called):  # None: nobody has it any more
                yield called, senders[sender]
