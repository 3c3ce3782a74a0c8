"""Names of entries as they were made in a request, for whoever uses them later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Names(NamedTuple):
    """The cache keys of a copy, of its voucher and of the generation: see ``copies.py``."""

    copy: str
    voucher: str
    generation: str


class MadeNames:
    """What a cache makes of names now: its key function may ask whose request this is."""

    def __init__(self, cache: Any, names: Iterable[str]) -> None:
        self._keys = {name: cache.make_key(name) for name in names}
        # Some clients go past make_key().
        self._made = {
            name: cache.key_func(name, cache.key_prefix, cache.version) for name in self._keys
        }

    def __getitem__(self, name: str) -> Any:
        return self._keys[name]

    @contextmanager
    def used_by(self, cache: Any) -> Iterator[None]:
        """Have ``cache``, which may be another one of the same alias, make the same of them."""
        key_func, make_key = cache.key_func, cache.make_key
        cache.key_func = _known(self._made, key_func)
        cache.make_key = _known(self._keys, make_key)
        try:
            yield
        finally:
            cache.key_func = key_func
            del cache.make_key  # that of its class is there again


def _known(made: dict[str, Any], make: Callable[..., Any]) -> Callable[..., Any]:
    def find(key: str, *rest: Any, **options: Any) -> Any:
        return made[key] if key in made else make(key, *rest, **options)

    return find
