"""What a cookie can have as its name, domain, path and SameSite."""

from __future__ import annotations

import re
from http.cookies import CookieError, Morsel
from os import PathLike
from typing import Any, Final

from django.utils.functional import Promise

#: A host's name, or a domain's with or without the dot that browsers overlook.
DOMAIN: Final = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE | re.ASCII)
#: What ends the attribute, and what no header may hold.
PATH: Final = re.compile(r"/[^;\x00-\x1f\x7f]*")


def is_text(value: object) -> bool:
    """Return whether a value is a text, or will be one when it is needed."""
    return isinstance(value, str | Promise)


def is_name(value: Any) -> bool:
    """Return whether a cookie can be named so."""
    if not isinstance(value, str):
        return False
    try:
        Morsel[str]().set(value, "", "")
    except CookieError:
        return False
    return True


def is_domain(value: Any) -> bool:
    """Return whether it is a domain, or none, which is the host that sets the cookie."""
    return value is None or (
        is_text(value) and (not value or DOMAIN.fullmatch(str(value)) is not None)
    )


def is_path(value: Any) -> bool:
    """Return whether it is a path from the root, or None: no path at all, as Django has it."""
    if value is None:
        return True
    return (is_text(value) or isinstance(value, PathLike)) and bool(PATH.fullmatch(str(value)))


def is_samesite(value: Any) -> bool:
    """Return whether it is a value of SameSite, or false for none."""
    return not value or (is_text(value) and str(value).lower() in ("lax", "strict", "none"))
