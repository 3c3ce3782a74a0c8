"""The names of entries, as the cache has them."""

from __future__ import annotations

import warnings
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.base import (
    MEMCACHE_MAX_KEY_LENGTH,
    CacheKeyWarning,
    InvalidCacheKey,
    memcache_key_warnings,
)


def full_name(cache: Any, name: str) -> Any:
    """Return the name as the cache has it; what it has against that, it says without the name."""
    kind = cache.__class__  # and not type(), which of a weak reference is another
    if kind.make_and_validate_key is not BaseCache.make_and_validate_key:
        return cache.make_and_validate_key(name)
    full = cache.make_key(name)
    if kind.validate_key is BaseCache.validate_key:
        if len(full) <= MEMCACHE_MAX_KEY_LENGTH and full.isprintable() and " " not in full:
            return full  # Django has nothing against it, and takes longer to find that out
        for objection in memcache_key_warnings(full):
            warnings.warn(_without(full, objection), CacheKeyWarning, stacklevel=2)
        return full
    try:
        cache.validate_key(full)
    except InvalidCacheKey as error:
        raise InvalidCacheKey(_without(full, str(error))) from None
    return full


def _without(name: str, text: str) -> str:
    """Return ``text`` without the name of a session's entry: it has the session key in it."""
    return text.replace(repr(name), "the name of a session").replace(name, "…")
