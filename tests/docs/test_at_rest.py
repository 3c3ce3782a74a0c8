"""What the page "Keys and data at rest" says of what each store has."""

import re
from pathlib import Path

import pytest
from django.core.cache import caches
from django.test import override_settings

from dj_sessions import _keys
from dj_sessions.storage.redis.configuration import PREFIX

PAGE = (Path(__file__).parents[2] / "docs" / "at-rest.md").read_text()
[KEY] = re.findall(r"For the session key `(\w{32})`", PAGE)


def shown(engine):
    """Return the two cells of the row of an engine: with plain keys, and with hashed ones."""
    [row] = re.findall(rf"(?m)^\| {re.escape(engine)} \| .* `([^`]+)` \| .* `([^`]+)` \|$", PAGE)
    return [cell.removesuffix("…") for cell in row]


def name_in(store, form):
    """Return the name that a store has for a session under the key of the page."""
    with override_settings(SESSION_KEY_STORAGE=[form]):
        session = store.SessionStore(KEY)
        session.save(must_create=True)
        if store.kind == "db":
            return store.SessionStore.get_model_class().objects.get().pk
        if store.kind == "file":
            [file] = store.path.iterdir()
            return file.name
        if store.kind == "redis":
            storage = session.get_storage()
            [name] = storage.server.send("KEYS", f"{storage._prefix}*")
            return f"{PREFIX}{name.decode().removeprefix(storage._prefix)}"
        name = session.cache_key
        assert caches[store.cache].get(name) is not None
        return name


@pytest.mark.parametrize("place", [0, 1], ids=["plain", "hashed"])
@pytest.mark.stores("db", "file", "redis", "cache", "cached_db")
def test_what_each_store_has_is_what_the_page_shows(store, place):
    rows = {"db": "`db`, `cached_db`", "cached_db": "`cached_db`, in its cache"}
    name = name_in(store, ("plain", "hashed")[place])
    assert name.startswith(shown(rows.get(store.kind, f"`{store.kind}`"))[place])


def test_a_hash_is_as_long_as_the_page_says():
    [marker, length, bits] = re.search(
        r"A hash is `(.)` and (\d+) characters: the first (\d+) bits", PAGE
    ).groups()
    assert _keys.hashed(KEY)[0] == marker
    assert len(_keys.hashed(KEY)[1:]) == int(length) == int(bits) / 6
