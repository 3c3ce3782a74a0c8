"""What a cookie can have as its name, domain, path and SameSite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.cookies import CookieError, Morsel
from os import PathLike
from typing import Any, Final

from django.utils.functional import Promise

#: A host's name, or a domain's with or without the dot that browsers overlook.
DOMAIN: Final = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE | re.ASCII)
#: What ends the attribute, and what no header may hold.
PATH: Final = re.compile(r"/[^;\x00-\x1f\x7f]*")

#: What ``Clear-Site-Data`` can name, as browsers have it.
SITE_DATA: Final = (
    *("*", "cache", "clientHints", "cookies", "executionContexts"),
    *("prefetchCache", "prerenderCache", "storage"),
)


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


def is_site_data(value: Any) -> bool:
    """Return whether it is what a browser can be told to clear, a list of these, or none."""
    types = value if isinstance(value, list | tuple) else [value]
    return value is None or all(each in SITE_DATA for each in types)


def place_of(attributes: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Return what makes two cookies of one name two: their domain, path and partition.

    Browsers overlook the dot before a domain, and take no path for that of the page, where Django
    sends "/".
    """
    domain = str(attributes.get("domain") or "").removeprefix(".").lower()
    return domain, str(attributes.get("path", "/")), bool(attributes.get("partitioned", False))
