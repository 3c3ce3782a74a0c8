"""What the site reads from the environment, and the secrets it keeps between two starts.

A value that is not understood stops the start with a sentence that names it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

DATABASE_BACKENDS = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mariadb": "django.db.backends.mysql",
    "mysql": "django.db.backends.mysql",
}
DATABASE_FORMS = (
    "sqlite:///relative/file",
    "sqlite:////absolute/file",
    "postgresql://user:password@host:port/name",
    "mariadb://user:password@host:port/name",
    "mysql://…",
)

CACHE_BACKENDS = {
    "locmem": "django.core.cache.backends.locmem.LocMemCache",
    "redis": "django.core.cache.backends.redis.RedisCache",
    "rediss": "django.core.cache.backends.redis.RedisCache",
    "django-redis": "django_redis.cache.RedisCache",
    "django-rediss": "django_redis.cache.RedisCache",
    "memcached": "django.core.cache.backends.memcached.PyMemcacheCache",
}
CACHE_FORMS = (
    "locmem://",
    "redis://host:port/number",
    "django-redis://host:port/number",
    "memcached://host:port",
)

#: What a scheme begins with, and the module that Django's cache imports for it.
CACHE_CLIENTS = {"redis": "redis", "django-redis": "django_redis", "memcached": "pymemcache"}

FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def without_password(url: str) -> str:
    """What may be shown of a URL that is not understood: who knows where its password is."""
    return re.sub("[:@].*", ":\u2026", url, flags=re.DOTALL)


def refused(name: str, value: str, accepted: Collection[str]) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name}={without_password(value)!r} is not understood. Accepted: {', '.join(accepted)}."
    )


def choice(name: str, accepted: Collection[str], default: str, prefix: str = "") -> str:
    """What the environment has chosen, with `prefix` in front of it or without."""
    value = os.environ.get(name) or default
    if value.removeprefix(prefix) not in accepted:
        raise refused(name, value, accepted)
    return value.removeprefix(prefix)


def flag(name: str, default: str) -> bool:
    return FLAGS[choice(name, FLAGS, default)]


def seconds(name: str) -> int | None:
    """A number of seconds, None where the environment has none."""
    value = os.environ.get(name)
    if value and not (value.isascii() and value.isdigit() and int(value) > 0):
        raise refused(name, value, ("a number of seconds",))
    return int(value) if value else None


def words(name: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


def database(url: str) -> dict[str, Any]:
    """The entry of `DATABASES` that a DATABASE_URL stands for."""
    parts = _split(url)
    backend = DATABASE_BACKENDS.get(parts.scheme) if parts else None
    file_on_a_host = backend == DATABASE_BACKENDS["sqlite"] and parts and parts.netloc
    if not parts or not backend or not parts.path[1:] or file_on_a_host:
        raise refused("DATABASE_URL", url, DATABASE_FORMS)
    if backend == DATABASE_BACKENDS["mariadb"]:
        _provide_mysqldb()
    elif backend == DATABASE_BACKENDS["postgresql"]:
        _need("DATABASE_URL", "PostgreSQL", "psycopg[binary]", "psycopg", "psycopg2")
    return {
        "ENGINE": backend,
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


def cache(url: str) -> dict[str, Any]:
    """The entry of `CACHES` that a CACHE_URL stands for."""
    parts = _split(url)
    backend = CACHE_BACKENDS.get(parts.scheme) if parts else None
    if not parts or not backend or bool(parts.hostname) is (parts.scheme == "locmem"):
        raise refused("CACHE_URL", url, CACHE_FORMS)
    for scheme, module in CACHE_CLIENTS.items():
        if parts.scheme.startswith(scheme):
            _need("CACHE_URL", scheme, module.replace("_", "-"), module)
    if parts.scheme == "locmem":
        return {"BACKEND": backend, "LOCATION": ""}
    if parts.scheme == "memcached":
        return {"BACKEND": backend, "LOCATION": f"{parts.hostname}:{parts.port or 11211}"}
    # The login goes where error reports hide it: no page shows the password of a location.
    address = parts.netloc.rpartition("@")[2]
    location = f"{parts.scheme.removeprefix('django-')}://{address}{parts.path}"
    named = {"username": parts.username, "password": parts.password}
    login = {name: unquote(value) for name, value in named.items() if value}
    options = {"CONNECTION_POOL_KWARGS": login} if "django-" in parts.scheme else login
    return {"BACKEND": backend, "LOCATION": location, "OPTIONS": options}


def kept(path: Path, make: Callable[[], str]) -> str:
    """The text in this file, which the first start makes and every later one finds."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
    text = path.read_text().strip()
    if not text:
        raise ImproperlyConfigured(f"{path} is empty. Delete it: the next start makes a new one.")
    return text


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None if it cannot be one, or has more than those that are read."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what validates it
    except ValueError:
        return None
    # An @ after the host is that of a password with a slash in it, which must be written %2F.
    return None if parts.query or parts.fragment or "@" in parts.path else parts


def _need(name: str, server: str, package: str, *modules: str) -> None:
    """Raise ImproperlyConfigured, naming the package, unless one of the modules is installed."""
    if not any(map(find_spec, modules)):
        raise ImproperlyConfigured(
            f"{name} names {server}, whose driver is not installed: pip install {package}"
        )


def _provide_mysqldb() -> None:
    """Django's MySQL backend imports MySQLdb; PyMySQL needs no compiler and can stand in for it."""
    _need("DATABASE_URL", "MariaDB or MySQL", "pymysql", "pymysql", "MySQLdb")
    try:
        import MySQLdb  # noqa: F401
    except ImportError:
        import pymysql

        # Older versions of PyMySQL claim to be an older MySQLdb than Django accepts.
        pymysql.version_info = max(pymysql.version_info, (2, 2, 1, "final", 0))
        pymysql.install_as_MySQLdb()
