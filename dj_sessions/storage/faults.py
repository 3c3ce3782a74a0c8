"""What a class of a storage leaves out that sessions need, or does not declare."""

from __future__ import annotations

from typing import Any, Final

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

#: The methods that keep sessions.
METHODS: Final = ("read", "insert", "replace", "remove")


def faults_of(storage: Any, base: type) -> list[CheckMessage]:
    """Return what ``manage.py check`` reports of a storage, whose contract is ``base``."""
    kind, found = type(storage), list[CheckMessage]()

    def is_own(name: str) -> bool:
        return getattr(kind, name) is not getattr(base, name)

    name = f"{kind.__module__}.{kind.__qualname__}"
    twins = [method for method in METHODS if is_own(f"a{method}")]
    usable = twins if storage.async_native else []
    missing = [each for each in METHODS if not is_own(each) and each not in usable]
    if missing:
        wanted = " and ".join(f"{method}()" for method in missing)
        hint = f"Write {wanted}: dj_sessions.storage.Storage says what it has to return."
        if set(missing) <= set(twins):
            hint = f"Set async_native = True in the class, or write {wanted}."
        message = f"The storage {name} has no {wanted}: sessions cannot be kept in it."
        found.append(Error(message, hint=hint, id="dj_sessions.E040"))
    if not (storage.forgets_expired or is_own("purge") or is_own("start_purge")):
        message = f"The storage {name} has no purge(): expired sessions stay in it for good."
        hint = "Write purge(), or set forgets_expired = True if the store removes them itself."
        found.append(Warning(message, hint=hint, id="dj_sessions.W041"))
    return found
