"""The engine, and what it keeps sessions in."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.core.checks import Error, Warning  # noqa: A004
from django.db import models

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable, use
from dj_sessions.conf import conf
from dj_sessions.storage import Storage
from dj_sessions.storage.caches import adapter_of

#: What to do about a directory of session files that is not the server's own.
OWN_DIRECTORY: Final = (
    "Name a directory in SESSION_FILE_PATH that is for sessions alone, belongs to the user of the "
    "server, and has mode 0700."
)


def check_engine(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report an engine that cannot be imported or whose model is not installed."""
    try:
        store = _shared.store()
    except Unusable as error:
        yield Error(
            f"SESSION_ENGINE = {conf.SESSION_ENGINE!r} is not a module with a SessionStore: "
            f"{error}.",
            hint="Correct the name, install what it needs, or name another engine, such as "
            "'dj_sessions.backends.db'.",
            id="dj_sessions.E006",
        )
        return
    try:
        use(getattr(store, "get_model_class", lambda: None))
    except Unusable as error:
        yield Error(
            f"SESSION_ENGINE = {conf.SESSION_ENGINE!r} has no model to keep sessions in: {error}.",
            hint="Add the app of its model to INSTALLED_APPS, and run 'manage.py makemigrations' "
            "for it and 'manage.py migrate'.",
            id="dj_sessions.E007",
        )


def check_storage(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a storage without the methods that it needs, or with none of these declared."""
    store = _shared.store_or_none()
    if not hasattr(store, "get_storage"):
        return
    try:
        storage = _shared.storage_of(store)
    except Unusable as error:  # of anything else, the checks of models, caches and files say more
        if isinstance(error.__cause__, NotImplementedError):
            yield _no_storage(str(error.__cause__))
        return
    if isinstance(storage, Storage):
        yield from storage.check()
    else:
        yield _no_storage(f"get_storage() returns {storage!r}")


def _no_storage(why: str) -> Error:
    return Error(
        f"SESSION_ENGINE = {conf.SESSION_ENGINE!r} has no storage to keep sessions in: {why}.",
        hint="Return an instance of a dj_sessions.storage.Storage from its get_storage().",
        id="dj_sessions.E042",
    )


def check_cascade(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report sessions that the database deletes by itself while a cache has copies of them."""
    store = _shared.store_or_none()
    if not hasattr(store, "_watch_rows"):
        return
    try:
        model = use(store.get_model_class)
    except Unusable:  # check_engine() reports it
        return
    for field in filter(_goes_with_its_target, model._meta.concrete_fields):
        yield Warning(
            f"{field} has on_delete=DB_CASCADE: the database deletes sessions by itself, and their "
            "copies in the cache live on.",
            hint="Set on_delete=CASCADE there, or call SessionStore(key).delete() for each of the "
            "sessions first.",
            id="dj_sessions.W039",
        )


def _goes_with_its_target(field: Any) -> bool:
    rule = getattr(models, "DB_CASCADE", None)  # which Django 6.1 brought
    return rule is not None and getattr(field.remote_field, "on_delete", None) is rule


def check_cache(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a cache that cannot hold sessions."""
    prefixes = [getattr(store, "cache_key_prefix", None) for store in _shared.stores()]
    prefixes = [prefix for prefix in prefixes if prefix is not None]
    if not prefixes:
        return
    yield from _check_alias(conf.SESSION_CACHE_ALIAS)
    yield from _check_atomicity(conf.SESSION_CACHE_ALIAS)
    if not all(prefixes):
        yield Warning(
            f"The cache_key_prefix of SESSION_ENGINE = {conf.SESSION_ENGINE!r} is empty: a session "
            "key could name any cache entry.",
            hint="Give the SessionStore a cache_key_prefix of its own.",
            id="dj_sessions.W017",
        )


def _check_alias(alias: Any) -> Messages:
    known = settings.CACHES if isinstance(settings.CACHES, dict) else {}
    if not (isinstance(alias, str) and alias in known):
        yield Error(
            f"SESSION_CACHE_ALIAS = {alias!r} is not in CACHES.",
            hint=f"Use one of {sorted(map(str, known))}, or add {alias!r} to CACHES.",
            id="dj_sessions.E008",
        )
        return
    try:
        cache = use(_make_cache, alias)
    except Unusable as error:
        yield Error(
            f"Sessions cannot use the cache that SESSION_CACHE_ALIAS = {alias!r} names: {error}.",
            hint=f"Install what CACHES[{alias!r}]['BACKEND'] needs, or name another backend there.",
            id="dj_sessions.E024",
        )
        return
    yield from _check_backend(alias, cache)


def _check_atomicity(alias: Any) -> Messages:
    store = _shared.store_or_none()
    if hasattr(store, "get_model_class"):  # its database compares
        return
    if _shared.is_moving(store):  # check_move() reports it
        return
    try:
        cache = use(_make_cache, alias)
        is_atomic = use(adapter_of, cache).atomic
    except Unusable:  # _check_alias() reports it
        return
    if not (is_atomic or isinstance(cache, DummyCache)):
        yield Warning(
            f"Sessions are in the cache {alias!r}, a {type(cache).__name__}, which cannot compare "
            "and write in one step: of two saves of a session at the same time, one may be lost.",
            hint=f"Point CACHES[{alias!r}] to Redis, Valkey or Memcached, or set "
            "SESSION_CACHE_ALIAS.",
            id="dj_sessions.W037",
        )


def _make_cache(alias: str) -> BaseCache:
    """Make the cache anew; what it needs is imported, and nothing is connected."""
    cache = caches.create_connection(alias)
    if isinstance(cache, RedisCache):
        _ = cache._cache  # imports redis, as late as with the first request
    return cache


def _check_backend(alias: str, cache: BaseCache) -> Messages:
    server = f"Point CACHES[{alias!r}] to a server, such as Redis, or set SESSION_CACHE_ALIAS."
    if isinstance(cache, DummyCache):
        yield Warning(
            f"Sessions use the cache {alias!r}, a DummyCache, which keeps nothing.",
            hint=server,
            id="dj_sessions.W009",
        )
    elif isinstance(cache, LocMemCache):
        yield Warning(
            f"Sessions use the cache {alias!r}, a LocMemCache. Each process has its own: one does "
            "not see which sessions another has changed or ended.",
            hint=server,
            id="dj_sessions.W016",
        )


def check_file_path(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a directory in which the file engine cannot write."""
    get_path = getattr(_shared.store_or_none(), "_get_storage_path", None)
    if get_path is None:
        return
    try:
        use(lambda: tempfile.TemporaryFile(dir=get_path()).close())  # opening it is the check
    except Unusable as error:
        what, _, _ = str(error).partition(". ")  # the rest is a remedy, and there is the hint
        yield Error(
            f"SESSION_FILE_PATH = {conf.SESSION_FILE_PATH!r} cannot hold session files: {what}.",
            hint="Create the directory and let the server write there, or name another one in "
            "SESSION_FILE_PATH.",
            id="dj_sessions.E018",
        )


def check_file_privacy(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a directory in which others find, or plant, session files."""
    paths = (getattr(store, "_get_storage_path", None) for store in _shared.stores())
    get_path = next(filter(None, paths), None)
    if get_path is None:
        return
    if not conf.SESSION_FILE_PATH:
        yield Warning(
            "SESSION_FILE_PATH is not set: session files are in the system's temporary directory, "
            "which everybody on the machine can list, and which may be emptied at any time.",
            hint=OWN_DIRECTORY,
            id="dj_sessions.W035",
        )
        return
    try:
        facts = use(lambda: Path(get_path()).stat())
    except Unusable:  # check_file_path() reports it
        return
    for danger in _dangers(facts):
        yield Warning(
            f"SESSION_FILE_PATH = {conf.SESSION_FILE_PATH!r} {danger}.",
            hint=OWN_DIRECTORY,
            id="dj_sessions.W034",
        )


def _dangers(directory: os.stat_result) -> Iterator[str]:
    """Yield what others can do in a directory; its group is the site's to choose."""
    if directory.st_mode & stat.S_IROTH:
        yield "can be listed by everybody on the machine, and its file names hold the session keys"
    if directory.st_mode & stat.S_IWOTH:
        yield "can be written to by everybody on the machine: sessions can be deleted or replaced"
    # Root may run the check for a server with a user of its own.
    if directory.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        yield "belongs to another user, who can read the session keys and delete sessions"
