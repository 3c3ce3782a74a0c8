"""In which forms SESSION_KEY_STORAGE has session keys stored and looked up."""

from __future__ import annotations

from itertools import permutations
from operator import attrgetter
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dj_sessions._keys import FORMS
from dj_sessions.conf import conf

_PLAIN: Final = (["plain"], ("plain",))
_KEY_FORMS: Final = (*permutations(FORMS, 1), *permutations(FORMS, 2))
_key_storage_in: Final = attrgetter("SESSION_KEY_STORAGE")


def has_plain_keys() -> bool:
    """Return whether keys are stored as they are, and looked up in no other form."""
    try:
        return _key_storage_in(settings) in _PLAIN
    except AttributeError:  # the app is not installed, and has filled in nothing
        return True


def key_forms() -> tuple[str, ...]:
    """Return the forms in which keys are stored, the one to write first.

    Raises ImproperlyConfigured if SESSION_KEY_STORAGE names none, or one that there is not.
    """
    found = conf.SESSION_KEY_STORAGE
    forms = tuple(found) if isinstance(found, list | tuple) else ()
    if forms not in _KEY_FORMS:
        raise ImproperlyConfigured(
            f"SESSION_KEY_STORAGE = {found!r} is not a list of forms. Name 'plain', 'hashed' or "
            'both, each once: ["hashed", "plain"] stores hashes of keys, and finds plain keys too.'
        )
    return forms


def names_of(key: str) -> tuple[str, ...]:
    """Return the forms of ``key`` under which it may be stored, the one to write first.

    Raises ImproperlyConfigured as ``key_forms()`` does.
    """
    return tuple(FORMS[form](key) for form in key_forms())
