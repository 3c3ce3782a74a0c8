"""Who must see the rows of a model come and go, so that no statement goes around them."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import DO_NOTHING, ManyToOneRel, Model, signals
from django.dispatch import Signal

#: What the names of our own receivers start with. They learn from us what they must know.
OWN_RECEIVER: Final = "dj_sessions."

#: The methods of a model through which a row is saved.
SAVING: Final = ("save", "save_base", "_save_table", "_do_insert", "_do_update")


def columns(instance: Model) -> dict[str, Any]:
    """Return what ``instance.save()`` would write into the columns of an existing row."""
    return {
        field.name: field.pre_save(instance, False)
        for field in instance._meta.concrete_fields
        if not field.primary_key and not field.generated
    }


def loads_plainly(model: Any) -> bool:
    """Tell whether a loaded instance has what the columns have: no ``from_db()`` changes it."""
    from_db = getattr(model.from_db, "__func__", None)
    return from_db is Model.from_db.__func__ and model.__init__ is Model.__init__  # type: ignore[attr-defined]


def load_is_heard(model: type[Model]) -> bool:
    """Tell whether a receiver must see a loaded instance, which it may change."""
    return signals.pre_init.has_listeners(model) or signals.post_init.has_listeners(model)


def has_parents(model: Any) -> bool:
    """Tell whether a row has a part in the table of another model; a proxy has none."""
    return bool(model._meta.concrete_model._meta.parents)


def save_is_watched(model: type[Model]) -> bool:
    """Tell whether somebody must see ``save()``: an override, a receiver, a parent's table."""
    return (
        any(getattr(model, name) is not getattr(Model, name) for name in SAVING)
        or has_parents(model)
        or signals.pre_save.has_listeners(model)
        or signals.post_save.has_listeners(model)
    )


def delete_is_watched(model: type[Model]) -> bool:
    """Tell whether somebody must see ``delete()`` with the row as it is stored."""
    return (
        model.delete is not Model.delete
        or model._meta.pk.name != "session_key"
        or any(not relation.field.target_field.primary_key for relation in _pointing_at(model))
        or signals.pre_delete.has_listeners(model)
        or _is_heard_by_others(signals.post_delete, model)
    )


def goes_alone(model: type[Model]) -> bool:
    """Tell whether a DELETE of the row is all that its end takes."""
    options: Any = model._meta
    return (
        not has_parents(model)
        and all(relation.on_delete is DO_NOTHING for relation in _pointing_at(model))
        and not any(hasattr(field, "bulk_related_objects") for field in options.private_fields)
    )


def _pointing_at(model: type[Model]) -> tuple[ManyToOneRel, ...]:
    """Return the foreign keys to ``model``, also those that it has no name for."""
    fields = model._meta.get_fields(include_hidden=True)
    return tuple(field for field in fields if isinstance(field, ManyToOneRel))


def _is_heard_by_others(signal: Signal, model: type[Model]) -> bool:
    """Tell whether a receiver that is not ours listens to ``model``, or to all models."""
    if not signal.has_listeners(model):
        return False
    senders = (id(None), id(model))
    return any(
        sender in senders and not (isinstance(name, str) and name.startswith(OWN_RECEIVER))
        for (name, sender), *_ in signal.receivers
    )
