"""Rows that end or change, told to those who keep copies of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import ismethod
from threading import Lock
from typing import Any, Final, TypeAlias
from weakref import ReferenceType, WeakKeyDictionary, WeakMethod, ref

from django.db.models import Model, signals

Ended: TypeAlias = Callable[[str], object]


class Audience:
    """Those who hear of the rows of one table."""

    def __init__(self) -> None:
        self._hearers: tuple[ReferenceType[Ended], ...] = ()

    def add(self, ended: Ended) -> None:
        """Take one more in, once, and let go of those that are no more."""
        hearers = [hearer for hearer in self._hearers if hearer() not in (None, ended)]
        self._hearers = *hearers, WeakMethod(ended) if ismethod(ended) else ref(ended)

    def listen_to(self, model: type[Model]) -> None:
        """Hear of each row that goes as one of ``model``; the signal holds no audience alive."""
        signals.post_delete.connect(self.hear, sender=model)
        key: Any = model._meta.get_field("session_key")
        if not key.primary_key:
            signals.pre_delete.connect(self.load_key, sender=model)

    def load_key(self, *, instance: Any, **kwargs: object) -> None:
        """Load a key that may be deferred, while there is a row to load it from."""
        _ = instance.session_key

    def hear(self, *, sender: Any, instance: Any, origin: Any = None, **kwargs: object) -> None:
        """Tell of a row that went through the ORM, unless its store tells of it."""
        if getattr(instance, "is_ended_by_its_store", False):
            return
        if _is_first(sender, instance.session_key, origin):
            self.tell(instance.session_key)

    def tell(self, session_key: str, by: object = None) -> None:
        """Tell everybody but the methods of ``by``."""
        for hearer in self._hearers:
            ended = hearer()
            if ended is not None and getattr(ended, "__self__", ended) is not by:
                ended(session_key)


#: By the concrete model, which proxies share.
audiences: Final[WeakKeyDictionary[type[Model], Audience]] = WeakKeyDictionary()
_adding: Final = Lock()


def watch(model: type[Model], ended: Ended) -> None:
    """Have ``ended(session_key)`` called once for each row of ``model`` that goes.

    However it goes: as a row of the model, of a proxy, also of one that is made later, or of a
    child with a table of its own. ``ended`` is held weakly: a method lives as long as its object,
    or its class.
    """
    concrete: Any = model._meta.concrete_model
    with _adding:
        audience = audiences.get(concrete)
        if audience is None:
            audience = audiences[concrete] = Audience()
            # Each by name: a receiver of every model would have all of a site's rows loaded.
            for member in _with_proxies(concrete):
                audience.listen_to(member)
        audience.add(ended)


def tell(model: type[Model], session_key: str, *, by: object = None) -> None:
    """Tell the watchers that a row goes, or changes, by a statement that sends no signal.

    The methods of the object or class ``by`` are not told.
    """
    concrete: Any = model._meta.concrete_model
    audience = audiences.get(concrete)
    if audience is not None:
        audience.tell(session_key, by)


@contextmanager
def telling(model: type[Model], session_key: str, *, by: object = None) -> Iterator[None]:
    """Tell so before the statement and after it.

    Before, as this process may end in between; after, as others may have read the row meanwhile.
    """
    tell(model, session_key, by=by)
    yield
    tell(model, session_key, by=by)


def is_own(receiver: object) -> bool:
    """Return whether a receiver of signals is one of this module."""
    return isinstance(getattr(receiver, "__self__", None), Audience)


def _is_first(sender: type[Model], session_key: str, origin: Any) -> bool:
    """Return whether a deletion, which began at ``origin``, has not told of this row before.

    A row that goes as one of a proxy goes once more as the parent of a child's row, if it has one.
    """
    model = origin if isinstance(origin, Model) else getattr(origin, "model", None)
    if model is None or not model._meta.proxy:
        return True
    rows: dict[str, set[type[Model]]] = vars(origin).setdefault("_rows_that_went", {})
    senders = rows.get(session_key, {sender})
    is_first = sender in senders  # the same one twice: by another deletion
    rows[session_key] = {sender} if is_first else {*senders, sender}
    return is_first


def _with_proxies(model: type[Model]) -> Iterator[type[Model]]:
    yield model
    for subclass in model.__subclasses__():
        if subclass._meta.concrete_model is model._meta.concrete_model:
            yield from _with_proxies(subclass)


def _meet(sender: Any, **kwargs: object) -> None:
    """Listen to a proxy that is made while its model is watched."""
    audience = audiences.get(sender._meta.concrete_model)
    if audience is not None:
        audience.listen_to(sender)


signals.class_prepared.connect(_meet)
