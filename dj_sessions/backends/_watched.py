"""Who must see the rows of a model come and go, so that no statement goes around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.db.models import ForeignKey, ForeignObjectRel, Model, signals
from django.dispatch import Signal

#: What the names of our own receivers start with. They learn from us what they must know.
OWN_RECEIVER: Final = "dj_sessions."


def columns(instance: Model) -> dict[str, Any]:
    """Return what ``instance.save()`` would write into the columns of an existing row."""
    return {
        field.name: field.pre_save(instance, False)
        for field in instance._meta.concrete_fields
        if not field.primary_key and not field.generated
    }


def save_is_watched(model: type[Model]) -> bool:
    """Tell whether somebody must see ``save()``: an override, a receiver, a parent's table."""
    return (
        model.save is not Model.save
        or model.save_base is not Model.save_base
        or bool(model._meta.parents)
        or signals.pre_save.has_listeners(model)
        or signals.post_save.has_listeners(model)
    )


def delete_is_watched(model: type[Model]) -> bool:
    """Tell whether somebody must see ``delete()`` with the row as it is stored."""
    return (
        model.delete is not Model.delete
        or model._meta.pk.name != "session_key"
        or any(not relation.field.target_field.primary_key for relation in pointing_at(model))
        or signals.pre_delete.has_listeners(model)
        or _is_heard_by_others(signals.post_delete, model)
    )


def pointing_at(model: type[Model]) -> Iterator[ForeignObjectRel]:
    """Yield the relations of other models to ``model``."""
    for relation in model._meta.related_objects:
        if isinstance(relation.field, ForeignKey):
            yield relation


def _is_heard_by_others(signal: Signal, model: type[Model]) -> bool:
    """Tell whether a receiver that is not ours listens to ``model``, or to all models."""
    if not signal.has_listeners(model):
        return False
    senders = (id(None), id(model))
    return any(
        sender in senders and not (isinstance(name, str) and name.startswith(OWN_RECEIVER))
        for (name, sender), *_ in signal.receivers
    )
