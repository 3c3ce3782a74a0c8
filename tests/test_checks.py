"""`checks`: each fires when it should, is silent when not, and says what to write."""

import ast
import os
import re
import sys
import tempfile
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
from django.apps import apps
from django.conf import UserSettingsHolder, global_settings, settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends import cache as django_cache
from django.contrib.sessions.backends.base import SessionBase as DjangoSessionBase
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.redis import RedisCache
from django.core.checks import Error, Info, Warning, registry, run_checks  # noqa: A004
from django.core.checks.security import sessions as django_security
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, modify_settings, override_settings
from django.urls import path
from django.utils.functional import lazystr
from redis import Redis

import dj_sessions
from dj_sessions import checks, middleware, serializers
from dj_sessions._codec import encryption
from dj_sessions.backends import cache, db, signed_cookies
from dj_sessions.backends.base import SessionBase
from dj_sessions.backends.stored import Storage, StoredSession
from dj_sessions.checks import security
from dj_sessions.checks.redis import check_redis, check_redis_server
from dj_sessions.checks.stores import check_cache
from dj_sessions.checks.switch import IN_SESSIONS
from dj_sessions.checks.versions import TESTED, check_django
from dj_sessions.conf import SessionSettings, conf
from dj_sessions.serializers import PickleSerializer
from tests import redis_servers
from tests.fresh import REPOSITORY, Failed, execute, run
from tests.panels import apps_above_the_admin

DJANGO = "django.contrib.sessions"
OURS = "dj_sessions.middleware.SessionMiddleware"
THEIRS = f"{DJANGO}.middleware.SessionMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"


def make_directory(mode):
    """A directory with this mode, until the process ends."""
    directory = tempfile.TemporaryDirectory()
    DIRECTORIES.append(directory)
    Path(directory.name).chmod(mode)
    return Path(directory.name)


DIRECTORIES: list[tempfile.TemporaryDirectory[str]] = []
PRIVATE = make_directory(0o700)

HEALTHY = {
    "MIDDLEWARE": [OURS, AUTHENTICATION],
    "SESSION_ENGINE": "dj_sessions.backends.db",
    "SESSION_SERIALIZER": "dj_sessions.serializers.JSONSerializer",
    "SESSION_COOKIE_SECURE": True,
    "SESSION_IDLE_AGE": None,
    "SESSION_ABSOLUTE_AGE": None,
    "SESSION_ANONYMOUS_AGE": None,
    "SESSION_KEY_STORAGE": ["plain"],
    "SESSION_FILE_PATH": PRIVATE,
    "CACHES": {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "x"},
        "local": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "dummy": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "table": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "x"},
        "files": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": "/var/tmp/unused",
        },
    },
}

APPS = ["django.contrib.auth", "django.contrib.contenttypes", "dj_sessions"]

ALL = (*checks.CHECKS, *checks.DEPLOYMENT_CHECKS, *checks.ON_DEMAND)


def messages(**changed):
    """What is said of the settings; what is said of this run's Django is left out."""
    with override_settings(**HEALTHY | changed):
        said = [message for check in ALL for message in check(app_configs=None)]
    return [message for message in said if message.id != "dj_sessions.I044"]


def ids(**changed):
    return [message.id.split(".")[1] for message in messages(**changed)]


def engine(name):
    return {"SESSION_ENGINE": f"dj_sessions.backends.{name}"}


def redis(**config):
    return engine("redis") | {"SESSION_REDIS": config}


REDIS = {"SESSION_REDIS": {"URL": "redis://127.0.0.1:6379/0"}}
SENTINEL = {"SENTINELS": ["cache:26379"], "SERVICE": "sessions"}
URL = "redis://:secret@cache:6379"
#: Addresses with a character in the password that has a meaning in addresses.
ODD_PASSWORDS = (
    *("redis://:secret/@cache", "redis://:secret#@cache", "redis://user/1secret@cache"),
    *("redis://:[secret]@cache", "redis://:secret\u2100@cache"),
)
DB = "dj_sessions.backends.db"
MOVE = {"FROM": DB, "TO": "dj_sessions.backends.file"}


def moving(move):
    return engine("moving") | {"SESSION_MOVE": move}


MOVING = {"SESSION_MOVE": MOVE}
PICKLE = {"SESSION_SERIALIZER": "dj_sessions.serializers.PickleSerializer"}
ENCRYPTED = {"SESSION_SERIALIZER": "dj_sessions.serializers.EncryptedJSONSerializer"}
KEY = "dQw4w9WgXcQ_0123456789-abcdefghijklmnopqrst"
PRESENT_BUT_INSECURE = {"SESSION_COOKIE_SECURE": False}

JSON = {"SESSION_SERIALIZER": "dj_sessions.serializers.JSONSerializer"}

# id, the setting, a right value and wrong ones
WRONG_VALUES = [
    (
        *("E025", "SESSION_COOKIE_AGE", 60),
        ["1209600", None, True, timedelta(days=1), 10**12, -(10**12), float("nan"), float("inf")],
    ),
    ("W026", "SESSION_COOKIE_AGE", 60, [0, -1, 0.5]),
    (
        *("E027", "SESSION_COOKIE_NAME", "sessionid"),
        ["", "my session", "a;b", "a/b", "path", "sitzü", None, b"sessionid", lazystr("sessionid")],
    ),
    *(
        entry
        for name in ("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE", "SESSION_ANONYMOUS_AGE")
        for entry in (
            ("E045", name, 900, ["900", True, timedelta(minutes=15), 10**12, float("nan")]),
            ("W046", name, None, [0, -1, 0.5]),
        )
    ),
    ("E045", "SESSION_RENEW_AFTER", 0, ["60", True, -1, timedelta(minutes=1), float("inf")]),
    (
        *("E048", "SESSION_PASSIVE_PATHS", ["/poll/"]),
        ["/poll/", b"/poll/", None, 5, {"/poll/"}, [5], ["/poll/", None]],
    ),
    (
        *("E110", "SESSION_SECURITY_LOG", True),
        ["on", None, 1, ["login"], {"ended"}, ["ended", 5]],
    ),
    ("E114", "SESSION_METRICS", None, ["statsd", 7, {"a": 1}, ["prometheus", "os.name"], "", len]),
    ("E087", "SESSION_IP_ADDRESS", "truncated", ["short", None, True]),
    (
        *("E088", "SESSION_CLIENT_ADDRESS", None),
        ["X-Forwarded-For", "os.path", "os.name", 5, len],
    ),
    ("W049", "SESSION_PASSIVE_PATHS", ("/poll/",), [["poll/"], ["/"], [""], ("/poll/", "poll/")]),
    (
        *("E063", "SESSION_COOKIE_ALSO_EXPIRE", [{"domain": ".example.com"}]),
        [
            *(None, ".example.com", {"domain": ".example.com"}, [".example.com"], [{}], [None]),
            *([{"name": "old"}], [{"domain": "https://example.com"}], [{"path": "shop"}]),
            *([{"domain": "a", "secure": True}], [{"partitioned": 1}], [{"path": "/;a"}, {}]),
        ],
    ),
    (
        *("W064", "SESSION_COOKIE_ALSO_EXPIRE", [{"path": "/shop/"}]),
        [[{"domain": None}], [{"path": "/"}], [{"partitioned": False}], ({"domain": ""},)],
    ),
    ("W067", "SESSION_COOKIE_TOO_LARGE", "warning", [None, True, "Error", "log", 4096]),
    (
        *("E068", "SESSION_CLEAR_SITE_DATA", "cookies"),
        ['"cookies"', "cookie", "cookies, storage", True, ["cookies", 5], {"cookies"}, [["*"]]],
    ),
    ("W028", "SESSION_COOKIE_NAME", "sessionid", ["csrftoken", "django_language"]),
    ("E029", "SESSION_COOKIE_SAMESITE", "Lax", ["Laxx", True, 5, b"Lax", lazystr("Laxx")]),
    (
        *("W030", "SESSION_COOKIE_DOMAIN", None),
        ["https://example.com", "example.com:8000", "*.example.com", "a.b, c.d", "mü.de", 5, b"a"],
    ),
    ("W031", "SESSION_COOKIE_PATH", "/", ["shop", "", "/;", "/a\nb", Path("shop"), 5, b"/"]),
]

ACCEPTED = {
    "SESSION_ENGINE": [lazystr("dj_sessions.backends.db")],
    "SESSION_SERIALIZER": [lazystr("dj_sessions.serializers.JSONSerializer")],
    "SESSION_COOKIE_AGE": [1, 3600.5, 2 * 10**11],
    "SESSION_COOKIE_NAME": ["a", "my-session_2", "__Secure-a", "a.b", "Path1"],
    "SESSION_COOKIE_SAMESITE": ["strict", "None", None, False, "", lazystr("Lax")],
    "SESSION_COOKIE_DOMAIN": [
        *("", "localhost", ".example.com", "a.b-c.example.co.uk", "127.0.0.1", "my_host.local"),
        lazystr("example.com"),
    ],
    "SESSION_COOKIE_PATH": ["/shop", "/a b/ü", None, lazystr("/shop/"), Path("/shop")],
    "SESSION_EXPIRE_AT_BROWSER_CLOSE": [0, 1, None],
    "SESSION_COOKIE_ALSO_EXPIRE": [
        *([], ({"domain": "example.com", "path": "/shop/"},)),
        [{"partitioned": True}, {"path": "/a"}],
    ],
    "SESSION_CLEAR_SITE_DATA": [None, "*", ["cookies", "storage"], ("cache",), []],
}

# id, what is wrong with the settings, and what the hint tells to write
WRONG = [
    ("W001", {"SESSION_ENGINE": f"{DJANGO}.backends.db"}, engine("db")),
    ("W001", {"SESSION_ENGINE": f"{DJANGO}.backends.file"}, engine("file")),
    ("W001", {"SESSION_ENGINE": f"{DJANGO}.backends.signed_cookies"}, engine("signed_cookies")),
    (
        "W002",
        {"SESSION_SERIALIZER": f"{DJANGO}.serializers.JSONSerializer"},
        {"SESSION_SERIALIZER": "dj_sessions.serializers.JSONSerializer"},
    ),
    (
        "W009",
        engine("cache") | {"SESSION_CACHE_ALIAS": "dummy"},
        {"SESSION_CACHE_ALIAS": "default"},
    ),
    (
        "W016",
        engine("cache") | {"SESSION_CACHE_ALIAS": "local"},
        {"SESSION_CACHE_ALIAS": "default"},
    ),
    (
        "W016",
        engine("cached_db") | {"SESSION_CACHE_ALIAS": "local"},
        {"SESSION_CACHE_ALIAS": "default"},
    ),
    (
        "W016",
        moving(MOVE | {"TO": "dj_sessions.backends.cache"}) | {"SESSION_CACHE_ALIAS": "local"},
        {"SESSION_CACHE_ALIAS": "default"},
    ),
    (
        "W037",
        engine("cache") | {"SESSION_CACHE_ALIAS": "files"},
        {"SESSION_CACHE_ALIAS": "default"},
    ),
    ("E008", engine("cache") | {"SESSION_CACHE_ALIAS": "none"}, {"SESSION_CACHE_ALIAS": "default"}),
    ("E006", {"SESSION_ENGINE": "no_such_module"}, engine("db")),
    ("E006", {"SESSION_ENGINE": "dj_sessions.backends.base"}, engine("db")),
    ("E006", {"SESSION_ENGINE": ""}, engine("db")),
    ("E006", {"SESSION_ENGINE": None}, engine("db")),
    ("E006", {"SESSION_ENGINE": f"{DJANGO}.backends.missing"}, engine("db")),
    *(
        ("E024", engine("cache") | {"CACHES": {"default": wrong}}, {"CACHES": HEALTHY["CACHES"]})
        for wrong in (
            {},
            None,
            {"BACKEND": None},
            {"BACKEND": "no_such_module.Cache"},
            {"BACKEND": "django.core.cache.backends.redis.Mistyped"},
        )
    ),
    (
        "E018",
        engine("file") | {"SESSION_FILE_PATH": "/no/such/path"},
        {"SESSION_FILE_PATH": PRIVATE},
    ),
    ("E018", engine("file") | {"SESSION_FILE_PATH": __file__}, {"SESSION_FILE_PATH": PRIVATE}),
    ("E018 W034", engine("file") | {"SESSION_FILE_PATH": "/proc"}, {"SESSION_FILE_PATH": PRIVATE}),
    ("E018", engine("file") | {"SESSION_FILE_PATH": 123}, {"SESSION_FILE_PATH": PRIVATE}),
    (
        "E019",
        {"SESSION_SERIALIZER": "dj_sessions.serializers.Missing"},
        {"SESSION_SERIALIZER": "dj_sessions.serializers.JSONSerializer"},
    ),
    *(
        ("E019", {"SESSION_SERIALIZER": wrong}, JSON)
        for wrong in (
            *(None, "", "json", "json.dumps", "os.path", f"{__name__}.Subclass"),
            f"{DJANGO}.serializers.PickleSerializer",
        )
    ),
    *(
        ("E056", ENCRYPTED | {"SESSION_ENCRYPTION_KEYS": wrong}, {"SESSION_ENCRYPTION_KEYS": None})
        for wrong in ([], "a" * 40, [""], [None], [KEY, ""], {KEY}, 5)
    ),
    *(
        (
            expected,
            ENCRYPTED | {"SESSION_ENCRYPTION_KEYS": wrong},
            {"SESSION_ENCRYPTION_KEYS": [KEY]},
        )
        for expected, wrong in [
            *[("W057", ["secret"]), ("W057", [KEY, "short"]), ("W057", ("ab" * 20,))],
            *[("W057", [b"x" * 40]), ("W057 W057", ["a", "b"])],
        ]
    ),
    (
        "W058",
        ENCRYPTED | {"SESSION_ENCRYPTION_ACCEPT_PLAIN": True},
        {"SESSION_ENCRYPTION_ACCEPT_PLAIN": False},
    ),
    (
        "W001 W059",
        ENCRYPTED | {"SESSION_ENGINE": f"{DJANGO}.backends.cache"},
        engine("cache"),
    ),
    *(
        (
            "W060",
            {"SESSION_SERIALIZER": "dj_sessions.serializers.PickleToJSONSerializer"} | where,
            {"SESSION_SERIALIZER": "dj_sessions.serializers.TypedJSONSerializer"},
        )
        for where in ({}, engine("signed_cookies"))
    ),
    (
        "W060",
        ENCRYPTED
        | {"SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.PickleToJSONSerializer"},
        {"SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.TypedJSONSerializer"},
    ),
    (
        "W020",
        ENCRYPTED | {"SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.PickleSerializer"},
        {"SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.JSONSerializer"},
    ),
    *(
        (
            "E019",
            ENCRYPTED | {"SESSION_ENCRYPTED_SERIALIZER": wrong},
            {"SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.JSONSerializer"},
        )
        for wrong in (
            *(None, "", "json", "json.missing", "json.dumps", "builtins.dict"),
            ENCRYPTED["SESSION_SERIALIZER"],
        )
    ),
    (
        "W061",
        {"SESSION_ENCRYPTION_KEYS": [KEY]},
        {"SESSION_SERIALIZER": "dj_sessions.serializers.EncryptedJSONSerializer"},
    ),
    (
        "W032",
        {"SESSION_ENCRYPTION_ACCEPT_PLAIN": "False"},
        {"SESSION_ENCRYPTION_ACCEPT_PLAIN": False},
    ),
    *(
        ("E070", engine("redis") | {"SESSION_REDIS": wrong}, REDIS)
        for wrong in (None, "redis://127.0.0.1", [], {}, {"PREFIX": "sessions:"})
    ),
    ("E070", redis(URL="redis://cache", CLUSTER=["cache:6379"]), REDIS),
    ("E070", redis(URL="redis://cache", TIMEOUT=1), REDIS),
    ("E070", redis(URL="redis://cache", ASYNC_CLIENT="redis.asyncio.Redis"), REDIS),
    *(
        ("E071", redis(URL=url), REDIS)
        for url in (
            *(None, "", "127.0.0.1:6379", "http://cache", "redis://", "redis://cache:port"),
            *("redis://cache/first", "unix://", *ODD_PASSWORDS),
        )
    ),
    *(
        ("E072", redis(CLUSTER=wrong), REDIS)
        for wrong in (None, [], "cache:6379", ["cache"], ["cache:0"], [("cache",)], [None], [URL])
    ),
    *(
        ("E072", redis(SENTINEL=wrong), REDIS)
        for wrong in (
            *(None, {}, {"SENTINELS": ["cache:26379"]}, SENTINEL | {"SENTINELS": []}),
            SENTINEL | {"MASTER": 1},
        )
    ),
    ("E073", redis(CLIENT="redis.Redis"), REDIS),
    ("E073", redis(CLIENT="no.such.function", ASYNC_CLIENT="redis.asyncio.Redis"), REDIS),
    ("E073", redis(CLIENT=len, ASYNC_CLIENT="redis.asyncio.Redis"), REDIS),
    ("E074", redis(URL="redis://cache", PREFIX=""), REDIS),
    ("E074", redis(URL="redis://cache", PREFIX=None), REDIS),
    *(
        ("E075", redis(URL="redis://cache", OPTIONS=wrong), REDIS)
        for wrong in (
            *(None, [], {"socket_timeout": "1"}, {"socket_timeout": -1}, {"retries": 1.5}),
            *({"retry": object()}, {"decode_responses": True}, {"max_connections": True}),
            *({"max_connections": 0}, {"retries": -1}, {"socket_timeout": 0}),
        )
    ),
    *(
        ("E075", redis(CLUSTER=["cache:6379"], OPTIONS=wrong), REDIS)
        for wrong in (
            *({"db": 3}, {"db": 0}),
            *({"read_from_replicas": True}, {"load_balancing_strategy": 1}),
        )
    ),
    *(
        ("E075", redis(SENTINEL=SENTINEL | {"OPTIONS": wrong}), REDIS)
        for wrong in ({"socket_timeout": "x"}, {"retry": object()}, {"retries": -1})
    ),
    (
        "E075",
        redis(
            CLIENT="redis.Redis", ASYNC_CLIENT="redis.asyncio.Redis", OPTIONS={"socket_timeout": 1}
        ),
        REDIS,
    ),
    *(
        ("E076", redis(**place, OPTIONS={"socket_tiemout": 1}), REDIS)
        for place in (
            {"URL": "redis://cache"},
            {"CLUSTER": ["cache:6379"]},
            {"SENTINEL": SENTINEL},
        )
    ),
    *(
        ("E076", redis(SENTINEL=SENTINEL | {"OPTIONS": wrong}), REDIS)
        for wrong in ({"socket_tiemout": 1}, {"protocol": 7})
    ),
    *(
        ("E076", redis(**wrong), REDIS)
        for wrong in (
            *({"URL": "redis://cache?socket_timeout=soon"}, {"URL": "unix:///redis.sock?db=first"}),
            {"URL": "redis://cache", "OPTIONS": {"protocol": 7}},
            {"URL": "rediss://cache", "OPTIONS": {"ssl_cert_reqs": "maybe"}},
        )
    ),
    *(
        ("E080", moving(wrong), MOVING)
        for wrong in (
            *(None, "db", {}, {"FROM": DB}, MOVE | {"WHEN": "now"}),
            *(MOVE | {"PHASE": phase} for phase in ("ready", None, [])),
        )
    ),
    *(
        ("E081", moving(MOVE | {name: wrong}), MOVING)
        for name in ("FROM", "TO")
        for wrong in (
            *(None, "", "no.such.engine", "dj_sessions.conf", DB + ".SessionStore"),
            *("dj_sessions.backends.signed_cookies", "django.contrib.sessions.backends.db"),
            "dj_sessions.backends.moving",
        )
    ),
    ("E082", moving(MOVE | {"TO": "dj_sessions.backends.redis"}), MOVING),
    ("E082", moving({"FROM": "dj_sessions.backends.redis", "TO": DB}), MOVING),
    (
        "E082",
        moving(MOVE) | {"SESSION_FILE_PATH": PRIVATE / "nowhere"},
        {"SESSION_FILE_PATH": PRIVATE},
    ),
    *(
        ("E083", moving({"FROM": same[0], "TO": same[-1]}), MOVING)
        for same in (
            *((f"dj_sessions.backends.{name}",) for name in ("db", "file", "cache")),
            ("dj_sessions.backends.cached_db", DB),
        )
    ),
    (
        "W084",
        moving({"FROM": "dj_sessions.backends.cache", "TO": DB}) | {"SESSION_CACHE_ALIAS": "table"},
        MOVING,
    ),
    ("W020", PICKLE, {"SESSION_SERIALIZER": "dj_sessions.serializers.JSONSerializer"}),
    (
        "W021",
        PICKLE | engine("signed_cookies"),
        {"SESSION_SERIALIZER": "dj_sessions.serializers.JSONSerializer"},
    ),
    (
        "W022 W012",
        {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": False},
        {"SESSION_COOKIE_SECURE": True},
    ),
    (
        "W022 W012",
        {"SESSION_COOKIE_SAMESITE": "none", "SESSION_COOKIE_SECURE": False},
        {"SESSION_COOKIE_SECURE": True},
    ),
    (
        "W023 W012",
        {"SESSION_COOKIE_NAME": "__Secure-sessionid", "SESSION_COOKIE_SECURE": False},
        {"SESSION_COOKIE_SECURE": True},
    ),
    (
        "W023 W012",
        {"SESSION_COOKIE_NAME": "__Host-sessionid", "SESSION_COOKIE_SECURE": False},
        {"SESSION_COOKIE_SECURE": True},
    ),
    (
        "W023",
        {"SESSION_COOKIE_NAME": "__Host-sessionid", "SESSION_COOKIE_DOMAIN": "example.com"},
        {"SESSION_COOKIE_DOMAIN": None},
    ),
    (
        "W023",
        {"SESSION_COOKIE_NAME": "__Host-sessionid", "SESSION_COOKIE_PATH": "/shop/"},
        {"SESSION_COOKIE_PATH": "/"},
    ),
    (
        "W023 W023 W023 W012",
        {
            "SESSION_COOKIE_NAME": "__Host-sessionid",
            "SESSION_COOKIE_SECURE": False,
            "SESSION_COOKIE_DOMAIN": "example.com",
            "SESSION_COOKIE_PATH": "/shop/",
        },
        {
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_DOMAIN": None,
            "SESSION_COOKIE_PATH": "/",
        },
    ),
    (
        "W022 E065 W012",
        {
            "SESSION_COOKIE_PARTITIONED": True,
            "SESSION_COOKIE_SAMESITE": "None",
            "SESSION_COOKIE_SECURE": False,
        },
        {"SESSION_COOKIE_SECURE": True},
    ),
    *(
        (
            "W066",
            {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SAMESITE": samesite},
            {"SESSION_COOKIE_SAMESITE": "None"},
        )
        for samesite in ("Lax", "Strict", False, None)
    ),
    (
        "W069 W012",
        {"SESSION_CLEAR_SITE_DATA": "cookies", "SESSION_COOKIE_SECURE": False},
        {"SESSION_COOKIE_SECURE": True},
    ),
    *(
        ("W028", {setting: "sessionid"}, {setting: default})
        for setting, default in (
            ("CSRF_COOKIE_NAME", "csrftoken"),
            ("LANGUAGE_COOKIE_NAME", "django_language"),
        )
    ),
    ("W012", {"SESSION_COOKIE_SECURE": False}, {"SESSION_COOKIE_SECURE": True}),
    *(
        (expected, {setting: wrong}, {setting: right})
        for expected, setting, right, wrongs in WRONG_VALUES
        for wrong in wrongs
    ),
    ("W032", {"SESSION_EXPIRE_AT_BROWSER_CLOSE": "no"}, {"SESSION_EXPIRE_AT_BROWSER_CLOSE": True}),
    ("W032", {"SESSION_COOKIE_NO_STORE": "False"}, {"SESSION_COOKIE_NO_STORE": True}),
    ("W032", {"SESSION_COOKIE_PARTITIONED": ""}, {"SESSION_COOKIE_PARTITIONED": False}),
    ("W032", {"SESSION_SAVE_EVERY_REQUEST": "False"}, {"SESSION_SAVE_EVERY_REQUEST": True}),
    ("W036", {"SESSION_CONFLICT_TIMEOUT": "10"}, {"SESSION_CONFLICT_TIMEOUT": 0.5}),
    ("W036", {"SESSION_CONFLICT_TIMEOUT": -1}, {"SESSION_CONFLICT_TIMEOUT": 0}),
    ("W036", {"SESSION_CONFLICT_TIMEOUT": float("nan")}, {"SESSION_CONFLICT_TIMEOUT": 60}),
    ("W036", {"SESSION_CONFLICT_TIMEOUT": float("inf")}, {"SESSION_CONFLICT_TIMEOUT": 60}),
    ("W036", {"SESSION_CONFLICT_TIMEOUT": 10**400}, {"SESSION_CONFLICT_TIMEOUT": 60}),
    ("W036", {"SESSION_CONFLICT_TIMEOUT": None}, {"SESSION_CONFLICT_TIMEOUT": 10}),
    ("E052", {"SESSION_KEY_STORAGE": "hashed"}, {"SESSION_KEY_STORAGE": ["hashed"]}),
    ("E052", {"SESSION_KEY_STORAGE": []}, {"SESSION_KEY_STORAGE": ("hashed", "plain")}),
    ("E052", {"SESSION_KEY_STORAGE": ["sha256"]}, {"SESSION_KEY_STORAGE": ["plain", "hashed"]}),
    ("E052", {"SESSION_KEY_STORAGE": ["plain", "plain"]}, {"SESSION_KEY_STORAGE": ["plain"]}),
    *(
        (
            "W001 W053",
            {"SESSION_ENGINE": f"{DJANGO}.backends.{name}", "SESSION_KEY_STORAGE": forms},
            engine(name),
        )
        for forms, name in ((["hashed"], "db"), (["plain", "hashed"], "file"))
    ),
    (
        "W054",
        engine("signed_cookies") | {"SESSION_KEY_STORAGE": ["hashed"]},
        {"SESSION_KEY_STORAGE": ("plain",)},
    ),
    ("W043", {"SESSION_COPY_FORMAT": "small"}, {"SESSION_COPY_FORMAT": "compact"}),
    *(
        (
            "W047",
            {"SESSION_IDLE_AGE": 900, "SESSION_RENEW_AFTER": after},
            {"SESSION_RENEW_AFTER": 899},
        )
        for after in (900, 3600)
    ),
    (
        "W111",
        {
            "SESSION_SECURITY_LOG": ["ended"],
            "SESSION_ENGINE": "dj_sessions.backends.signed_cookies",
        },
        {"SESSION_SECURITY_LOG": ["ended"], "SESSION_ENGINE": DB},
    ),
    *(
        (
            "W001 W050",
            {"SESSION_ENGINE": f"{DJANGO}.backends.db", limit: 900},
            {"SESSION_ENGINE": "dj_sessions.backends.db"},
        )
        for limit in ("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE", "SESSION_ANONYMOUS_AGE")
    ),
    ("E045", {"SESSION_IDLE_AGE": "900", "SESSION_RENEW_AFTER": 60}, {"SESSION_IDLE_AGE": 900}),
    *(
        ("W051", {name: 901, other: 900}, {name: 900})
        for name, other in (
            ("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE"),
            ("SESSION_ANONYMOUS_AGE", "SESSION_IDLE_AGE"),
            ("SESSION_ANONYMOUS_AGE", "SESSION_ABSOLUTE_AGE"),
        )
    ),
    ("W112", {"SESSION_ADMIN_PANEL": True}, {"INSTALLED_APPS": apps_above_the_admin()}),
    (
        "W113",
        {"SESSION_ADMIN_PANEL": True, "INSTALLED_APPS": APPS},
        {"INSTALLED_APPS": apps_above_the_admin()},
    ),
    ("W032", {"SESSION_FILE_FSYNC": "False"}, {"SESSION_FILE_FSYNC": True}),
    (
        "W032",
        {"SESSION_ADMIN_PANEL": "no", "INSTALLED_APPS": apps_above_the_admin()},
        {"SESSION_ADMIN_PANEL": True},
    ),
    ("W032 W012", {"SESSION_COOKIE_SECURE": "False"}, {"SESSION_COOKIE_SECURE": True}),
    ("W032 W015", {"SESSION_COOKIE_HTTPONLY": ""}, {"SESSION_COOKIE_HTTPONLY": True}),
    ("W015", {"SESSION_COOKIE_HTTPONLY": False}, {"SESSION_COOKIE_HTTPONLY": True}),
    *(
        (
            expected,
            engine("file") | {"SESSION_FILE_PATH": make_directory(mode)},
            {"SESSION_FILE_PATH": PRIVATE},
        )
        for expected, mode in [("W034", 0o755), ("W034", 0o1733), ("W034 W034", 0o1777)]
    ),
    ("W035", engine("file") | {"SESSION_FILE_PATH": None}, {"SESSION_FILE_PATH": PRIVATE}),
    ("W035", engine("file") | {"SESSION_FILE_PATH": ""}, {"SESSION_FILE_PATH": PRIVATE}),
    ("W035", moving(MOVE) | {"SESSION_FILE_PATH": None}, {"SESSION_FILE_PATH": PRIVATE}),
    (
        "W012 W015",
        {"SESSION_COOKIE_SECURE": False, "SESSION_COOKIE_HTTPONLY": False},
        {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_HTTPONLY": True},
    ),
    ("W003", {"MIDDLEWARE": [THEIRS, AUTHENTICATION]}, {"MIDDLEWARE": [OURS, AUTHENTICATION]}),
    ("W004", {"MIDDLEWARE": []}, {"MIDDLEWARE": [OURS]}),
    (
        "W003",
        {"MIDDLEWARE": [THEIRS, OURS, AUTHENTICATION]},
        {"MIDDLEWARE": [OURS, AUTHENTICATION]},
    ),
    *(
        ("W005", {"MIDDLEWARE": [name, OURS]} | needed, {"MIDDLEWARE": [OURS, name]})
        for name, needed in (
            (AUTHENTICATION, {}),
            (CSRF, {"CSRF_USE_SESSIONS": True}),
            *((MESSAGES, {"MESSAGE_STORAGE": storage}) for storage in IN_SESSIONS),
        )
    ),
    (
        "W005 W005",
        {"MIDDLEWARE": [AUTHENTICATION, MESSAGES, OURS]},
        {"MIDDLEWARE": [OURS, AUTHENTICATION, MESSAGES]},
    ),
]


def test_a_healthy_site_hears_nothing():
    assert ids() == []


@pytest.mark.parametrize("name", ["db", "cache", "cached_db", "file", "signed_cookies"])
def test_no_engine_is_wrong_in_itself(name):
    assert ids(**engine(name)) == []


@pytest.mark.parametrize(
    ("setting", "value"), [(name, value) for name in ACCEPTED for value in ACCEPTED[name]]
)
def test_what_django_accepts_is_accepted(setting, value):
    assert ids(**{setting: value}) == []


@pytest.mark.parametrize(("expected", "wrong", "remedy"), WRONG)
def test_what_is_wrong_is_reported_and_what_the_hint_says_ends_it(expected, wrong, remedy):
    assert ids(**wrong) == expected.split()
    assert ids(**wrong | remedy) == []


@pytest.mark.parametrize(("expected", "wrong", "remedy"), WRONG)
def test_the_message_names_the_setting_and_the_hint_what_to_write(expected, wrong, remedy):
    hints = said = ""
    for message in messages(**wrong):
        assert type(message) is (Error if ".E" in message.id else Warning)
        assert message.msg
        assert message.hint
        hints += message.hint
        said += f"{message.msg} {message.hint} "
    for setting, value in remedy.items():
        assert setting in said
        # Which cache is good only the site knows.
        if isinstance(value, str) and setting != "SESSION_CACHE_ALIAS":
            assert repr(value) in hints
    if "MIDDLEWARE" in remedy:
        assert OURS in hints


@pytest.mark.parametrize(("expected", "wrong", "remedy"), WRONG)
def test_a_hint_that_is_code_is_python_that_ends_its_message(expected, wrong, remedy):
    for message in messages(**wrong):
        for setting, value in re.findall(r"[Ss]et (\w+) = ('[^']*'|\w+)", message.hint):
            said = {setting: ast.literal_eval(value)}
            assert message.msg not in [other.msg for other in messages(**wrong | said)]


@pytest.mark.parametrize(
    "config",
    [
        {"URL": "redis://user:secret@cache:6379/3", "PREFIX": "shop:"},
        {"URL": "rediss://cache", "OPTIONS": {"ssl_ca_certs": "/etc/ca.pem", "retries": 0}},
        {"URL": "unix:///run/redis.sock?db=1", "OPTIONS": {"socket_timeout": None}},
        {"CLUSTER": ["a:6379", ("b", 6379), "[::1]:6379"], "OPTIONS": {"ssl": True}},
        {"SENTINEL": {"SENTINELS": ["a:26379"], "SERVICE": "s", "OPTIONS": {"password": "x"}}},
        {"CLIENT": "redis.Redis", "ASYNC_CLIENT": "redis.asyncio.Redis"},
    ],
)
def test_each_way_to_name_a_redis_is_accepted_without_connecting(config):
    assert ids(**redis(**config)) == []


@pytest.mark.parametrize(
    "config",
    [
        *(URL, [URL], {"CLUSTER": [URL]}, {"CLUSTER": URL}),
        *({"URL": url} for url in ODD_PASSWORDS),
        {"SENTINEL": {"SENTINELS": ["cache"], "SERVICE": "s", "OPTIONS": {"password": "secret"}}},
        {"URL": "redis://cache", "OPTIONS": ["secret"]},
        {"URL": "redis://cache", "OPTIONS": {"password": "secret", "protocol": 7}},
    ],
)
def test_what_is_said_of_wrong_settings_has_no_password_in_it(config):
    with override_settings(**HEALTHY | engine("redis") | {"SESSION_REDIS": config}):
        [message] = check_redis(None)
        assert "secret" not in f"{message}"


def on_demand(config, databases=("default",)):
    with override_settings(**HEALTHY | redis(**config)):
        return list(check_redis_server(None, databases=databases))


@pytest.mark.parametrize("option", ["socket_tiemout", "retry"])
def test_options_of_sentinels_and_of_redis_are_told_apart(option):
    wrong = {option: 1}
    (message,) = messages(**redis(SENTINEL=SENTINEL | {"OPTIONS": wrong}))
    (other,) = messages(**redis(SENTINEL=SENTINEL, OPTIONS=wrong))
    assert "['OPTIONS']" in message.msg
    assert "SENTINEL" in message.msg
    assert "SENTINEL" not in other.msg


def test_redis_is_asked_on_demand_alone():
    nobody = {"URL": "redis://127.0.0.1:1"}
    assert on_demand(nobody, databases=None) == []
    [message] = on_demand(nobody)
    assert message.id == "dj_sessions.E077"
    assert "ConnectionError" in message.msg


@pytest.mark.parametrize(
    ("options", "is_asked"),
    [
        ({}, False),
        ({"tags": ["dj_sessions"]}, False),
        ({"tags": ["dj_sessions", "security"]}, False),
        ({"databases": ["default"]}, True),
    ],
)
def test_check_deploy_asks_redis_where_it_is_given_a_database(options, is_asked, databases):
    """From Django 6.1 on, all databases are given to the checks of the tags that are asked for."""
    with override_settings(**HEALTHY | redis(URL="redis://127.0.0.1:1")):
        said = run_checks(include_deployment_checks=True, **options)
    assert ("dj_sessions.E077" in {message.id for message in said}) == is_asked


@pytest.mark.parametrize("phase", ["prepare", "move"])
@pytest.mark.parametrize("name", ["FROM", "TO"])
def test_redis_is_asked_while_sessions_move_there_or_away(name, phase):
    move = MOVE | {name: "dj_sessions.backends.redis", "PHASE": phase}
    nobody = {"SESSION_REDIS": {"URL": "redis://127.0.0.1:1"}}
    with override_settings(**HEALTHY | moving(move) | nobody):
        [message] = check_redis_server(None, databases=["default"])
    assert message.id == "dj_sessions.E077"


def test_a_redis_that_evicts_sessions_is_told():
    server = redis_servers.needed(redis_servers.restricted)
    with Redis(port=server.port) as client:
        for policy, words in (("allkeys-lru", "any session"), ("volatile-ttl", "have an end")):
            client.config_set("maxmemory-policy", policy)
            [message] = on_demand({"URL": f"redis://127.0.0.1:{server.port}"})
            assert message.id == "dj_sessions.W078"
            assert policy in message.msg
            assert words in message.msg
        client.config_set("maxmemory-policy", "noeviction")
    assert on_demand({"URL": f"redis://127.0.0.1:{server.port}"}) == []


def test_a_redis_that_runs_no_scripts_is_told():
    server = redis_servers.needed(redis_servers.restricted)
    url = f"redis://plain:secret@127.0.0.1:{server.port}?client_name=check"
    [message] = on_demand({"URL": url})
    assert message.id == "dj_sessions.W079"


def test_a_redis_that_takes_no_writes_is_told():
    server = redis_servers.needed(redis_servers.restricted)
    with Redis(port=server.port) as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-set")
    [message] = on_demand({"URL": f"redis://reader:secret@127.0.0.1:{server.port}"})
    assert message.id == "dj_sessions.E077"
    assert "'set'" in message.msg


def test_redis_is_checked_by_the_command_with_a_database():
    code = """
    from django.core.management import call_command
    call_command("check", deploy=True, databases=["default"])
    """
    config = {"URL": "redis://127.0.0.1:1"}
    with pytest.raises(Failed, match=r"dj_sessions\.E077"):
        run(code, INSTALLED_APPS=["dj_sessions"], **redis(**config))


# What needs more than settings


@pytest.mark.parametrize("version", [(5, 2, 0, "final", 0), (6, 0, 9, "final", 0), (6, 1, 99)])
def test_a_tested_django_is_not_reported(monkeypatch, version):
    monkeypatch.setattr("django.VERSION", version)
    assert list(check_django(None)) == []


@pytest.mark.parametrize("version", [(6, 2, 0, "alpha", 0), (6, 10, 1, "final", 0), (7, 0)])
def test_a_django_newer_than_the_tested_ones_is_told_as_information(monkeypatch, version):
    monkeypatch.setattr("django.VERSION", version)
    [said] = check_django(None)
    assert type(said) is Info
    assert said.id == "dj_sessions.I044"
    assert f"Django {version[0]}.{version[1]} " in said.msg
    assert " to ".join(TESTED) in said.msg
    assert f"Django {version[0]}.{version[1]}" in said.hint


@pytest.mark.parametrize(("server", "owner"), [(1000, 1001), (1000, 1000), (1000, 0), (0, 1000)])
def test_a_directory_of_another_user_is_reported_unless_root_asks(server, owner):
    facts = os.stat_result([0o40700, 1, 1, 1, owner, 0, 0, 0, 0, 0])
    with (
        mock.patch("os.geteuid", return_value=server),
        mock.patch.object(Path, "stat", return_value=facts),
        override_settings(**HEALTHY | engine("file")),
    ):
        found = [message.id for message in checks.check_file_privacy(None)]
    assert found == (["dj_sessions.W034"] if (server, owner) == (1000, 1001) else [])


def test_a_directory_that_its_group_may_use_is_the_site_s_choice():
    assert ids(**engine("file"), SESSION_FILE_PATH=make_directory(0o770)) == []


def test_a_serializer_that_nobody_set_is_not_reported():
    site = UserSettingsHolder(global_settings)
    site.MIDDLEWARE = [OURS]
    site.SESSION_ENGINE = "dj_sessions.backends.db"
    with mock.patch.object(settings, "_wrapped", site):
        assert settings.SESSION_SERIALIZER.startswith(DJANGO)
        assert list(checks.check_names(None)) == []


@pytest.mark.parametrize("value", [None, False, ""])
def test_a_cookie_without_samesite_needs_not_be_secure(value):
    assert ids(SESSION_COOKIE_SAMESITE=value, SESSION_COOKIE_SECURE=False) == ["W012"]


@pytest.mark.parametrize("value", ["None", "none", lazystr("NONE")])
def test_samesite_is_reported_as_it_is_written(value):
    said, _ = messages(SESSION_COOKIE_SAMESITE=value, SESSION_COOKIE_SECURE=False)
    assert f"SESSION_COOKIE_SAMESITE = {str(value)!r} " in said.msg


def test_the_cookie_that_clashes_is_named():
    [said] = messages(SESSION_COOKIE_NAME="django_language")
    assert "LANGUAGE_COOKIE_NAME" in said.msg
    assert "CSRF_COOKIE_NAME" not in said.msg


def test_a_cookie_that_django_does_not_set_clashes_with_none():
    assert ids(SESSION_COOKIE_NAME="csrftoken", CSRF_USE_SESSIONS=True) == []


def own_module(monkeypatch, name, **contents):
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    return {"SESSION_ENGINE": name}


def test_an_empty_cache_prefix_is_an_error(monkeypatch):
    store = type("SessionStore", (cache.SessionStore,), {"cache_key_prefix": ""})
    assert ids(**own_module(monkeypatch, "own_engine", SessionStore=store)) == ["W017"]
    store.cache_key_prefix = "own"
    assert ids(SESSION_ENGINE="own_engine") == []


def test_an_engine_with_its_own_keys_in_the_client_is_recognised_by_its_bases(monkeypatch):
    store = type("SessionStore", (signed_cookies.SessionStore,), {})
    own = own_module(monkeypatch, "own_engine", SessionStore=store)
    assert ids(**own, **PICKLE) == ["W021"]
    assert ids(**PICKLE, SESSION_ENGINE=f"{DJANGO}.backends.signed_cookies") == ["W001", "W021"]


def test_who_gives_up_pickle_is_told_what_that_costs():
    for name in ("db", "signed_cookies"):
        [said] = messages(**PICKLE, **engine(name))
        assert said.hint.endswith(" That logs everybody out, once.")


def test_a_subclass_of_the_pickle_serializer_is_one(monkeypatch):
    own_module(monkeypatch, "own_serializers", Own=type("Own", (PickleSerializer,), {}))
    assert ids(SESSION_SERIALIZER="own_serializers.Own") == ["W020"]


def test_a_weak_secret_is_not_shown():
    for keys in (["hunter2"], ["hunter2", 5], "hunter2"):
        for message in messages(**ENCRYPTED, SESSION_ENCRYPTION_KEYS=keys):
            assert "hunter2" not in f"{message.msg} {message.hint}"


def test_encryption_without_its_package_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "dj_sessions._codec._cryptography", None)
    monkeypatch.delattr("dj_sessions._codec._cryptography", raising=False)
    encryption._library.cache_clear()
    try:
        (message,) = messages(**ENCRYPTED)
    finally:
        encryption._library.cache_clear()
    assert message.id == "dj_sessions.E019"
    assert "need the package cryptography" in message.msg
    assert "pip install cryptography" in message.msg


def test_the_class_that_a_site_s_own_reader_of_pickles_writes_is_named(monkeypatch):
    own = type("Own", (serializers.PickleToJSONSerializer,), {"writes": serializers.JSONSerializer})
    own_module(monkeypatch, "own_serializers", Own=own)
    (message,) = messages(SESSION_SERIALIZER="own_serializers.Own")
    assert message.hint.endswith("SESSION_SERIALIZER = 'dj_sessions.serializers.JSONSerializer'.")


def test_an_engine_that_says_where_its_values_belong_is_accepted(monkeypatch):
    store = type("SessionStore", (django_cache.SessionStore,), {"engine_name": "shop"})
    assert ids(**own_module(monkeypatch, "own_engine", SessionStore=store), **ENCRYPTED) == []


def test_a_serializer_of_one_s_own_is_not_judged(monkeypatch):
    own = type("Own", (), {"dumps": lambda self, obj: b"", "loads": lambda self, data: {}})
    own_module(monkeypatch, "own_serializers", Own=own, make=lambda: own())
    assert ids(SESSION_SERIALIZER="own_serializers.Own") == []
    assert ids(SESSION_SERIALIZER="own_serializers.make") == []


def test_a_serializer_whose_package_is_not_installed_is_an_error(monkeypatch):
    monkeypatch.setattr(serializers, "orjson", None)
    (message,) = messages(SESSION_SERIALIZER="dj_sessions.serializers.FastJSONSerializer")
    assert message.id == "dj_sessions.E019"
    assert "needs orjson" in message.msg
    assert message.hint.startswith("Correct the name, install what it needs, or set ")


class OwnRedis(RedisCache):
    """Stores in a way of its own."""

    def set(self, *arguments, **options):
        return super().set(*arguments, **options)


@pytest.mark.parametrize(
    ("name", "backend", "said"),
    [
        ("cache", f"{__name__}.OwnRedis", ["dj_sessions.W037"]),
        ("cached_db", f"{__name__}.OwnRedis", []),  # where the database compares
        ("cache", "django_redis.cache.RedisCache", []),
        ("cache", "django_valkey.cache.ValkeyCache", []),
        ("cache", "django_valkey.cluster_cache.cache.ClusterValkeyCache", []),
        ("cache", "django.core.cache.backends.memcached.PyMemcacheCache", []),
    ],
)
def test_a_cache_that_does_not_compare_and_write_in_one_step_is_reported(name, backend, said):
    cache = {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1"}
    found = messages(**engine(name), CACHES={"default": cache})
    assert [message.id for message in found] == said
    if said:
        assert "'default', a OwnRedis," in found[0].msg


@pytest.mark.parametrize("name", ["cache", "cached_db"])
@pytest.mark.parametrize(
    ("backend", "missing"),
    [
        ("django.core.cache.backends.redis.RedisCache", "redis"),
        ("django.core.cache.backends.memcached.PyMemcacheCache", "pymemcache.serde"),
        ("django_redis.cache.RedisCache", "django_redis.cache"),
    ],
)
def test_a_cache_whose_client_is_not_installed_is_an_error(monkeypatch, name, backend, missing):
    caches = {"default": {"BACKEND": backend, "LOCATION": "redis://x"}}
    monkeypatch.setitem(sys.modules, missing, None)
    (message,) = messages(**engine(name), CACHES=caches)
    assert message.id == "dj_sessions.E024"
    assert missing in message.msg
    assert ids(**engine("file"), CACHES=caches) == []


def test_a_backend_may_be_a_function_that_makes_the_cache(monkeypatch):
    own_module(monkeypatch, "own_caches", make=lambda *arguments: DummyCache(*arguments))
    assert ids(**engine("cache"), CACHES={"default": {"BACKEND": "own_caches.make"}}) == ["W009"]


class StrayStore(db.SessionStore):
    @classmethod
    def get_model_class(cls):
        return apps.get_model("shop", "Session")


def test_an_engine_whose_model_is_not_installed_is_an_error(monkeypatch):
    own = own_module(monkeypatch, "own_engine", SessionStore=StrayStore)
    (message,) = messages(**own)
    assert message.id == "dj_sessions.E007"
    assert type(message) is Error
    assert "INSTALLED_APPS" in message.hint
    assert "migrate" in message.hint


# Storages


SYNC, ASYNC = ("read", "insert", "replace", "remove"), ("aread", "ainsert", "areplace", "aremove")


def storage_of(*methods, **abilities):
    """A class of storages that has these methods and abilities, and nothing else."""
    body = {method: lambda self, *args: None for method in methods}
    return type("OwnStorage", (Storage,), {"__module__": "own", **body, **abilities})


@pytest.fixture
def said_of(monkeypatch):
    """What is said of a site whose sessions are kept in a storage."""

    def said(storage):
        made = type("SessionStore", (StoredSession,), {"get_storage": lambda self: storage})
        return messages(**own_module(monkeypatch, "own_engine", SessionStore=made))

    return said


@pytest.mark.parametrize(
    ("methods", "abilities"),
    [
        ((*SYNC, "purge"), {}),
        ((*SYNC, "start_purge"), {}),
        (SYNC, {"forgets_expired": True}),
        ((*SYNC, "aread", "purge"), {}),
        ((*ASYNC, "purge"), {"async_native": True}),
        (("read", "ainsert", "areplace", "aremove", "purge"), {"async_native": True}),
        ((*SYNC, *ASYNC, "purge"), {"async_native": True}),
    ],
)
def test_a_storage_that_has_what_it_declares_is_not_reported(said_of, methods, abilities):
    assert said_of(storage_of(*methods, **abilities)()) == []


@pytest.mark.parametrize(
    ("methods", "abilities", "missing", "remedy"),
    [
        (("read", "insert", "replace"), {}, "remove()", "Write remove()"),
        ((), {}, "read() and insert() and replace() and remove()", "Write read()"),
        (ASYNC[:3], {"async_native": True}, "remove()", "Write remove()"),
        ((*SYNC[:3], "aremove"), {}, "remove()", "Set async_native = True"),
        (ASYNC, {}, "read() and insert() and replace() and remove()", "Set async_native = True"),
        (("aread", "insert"), {}, "read() and replace() and remove()", "Write read()"),
    ],
)
def test_a_storage_without_a_method_is_an_error(said_of, methods, abilities, missing, remedy):
    (message,) = said_of(storage_of(*methods, forgets_expired=True, **abilities)())
    assert (type(message), message.id) == (Error, "dj_sessions.E040")
    assert f"own.OwnStorage has no {missing}:" in message.msg
    assert message.hint.startswith(remedy)


def test_a_storage_that_keeps_what_is_over_and_cannot_purge_is_a_warning(said_of):
    (message,) = said_of(storage_of(*SYNC)())
    assert (type(message), message.id) == (Warning, "dj_sessions.W041")
    assert "own.OwnStorage has no purge()" in message.msg
    assert "forgets_expired = True" in message.hint


def test_a_storage_around_a_storage_may_answer_for_both(said_of):
    class Around(storage_of(*SYNC, "purge")):
        def check(self):
            return [*super().check(), *storage_of(*SYNC)().check()]

    assert [message.id for message in said_of(Around())] == ["dj_sessions.W041"]


@pytest.mark.parametrize("storage", [None, object(), {}])
def test_what_is_no_storage_is_an_error(said_of, storage):
    (message,) = said_of(storage)
    assert (type(message), message.id) == (Error, "dj_sessions.E042")
    assert f"get_storage() returns {storage!r}" in message.msg
    assert "get_storage()" in message.hint


def test_an_engine_without_a_storage_is_an_error(monkeypatch):
    (message,) = messages(**own_module(monkeypatch, "own_engine", SessionStore=StoredSession))
    assert message.id == "dj_sessions.E042"
    assert "StoredSession must provide get_storage()" in message.msg


@pytest.mark.parametrize("base", [SessionBase, DjangoSessionBase])
def test_an_engine_that_needs_no_storage_is_not_asked_for_one(monkeypatch, base):
    assert messages(**own_module(monkeypatch, "own_engine", SessionStore=base)) == []


WITHOUT_THE_APP = {
    "MIDDLEWARE": [AUTHENTICATION, THEIRS],
    "SESSION_COOKIE_AGE": "1209600",
    "SESSION_COOKIE_SAMESITE": "None",
    "SESSION_COOKIE_SECURE": False,
    "SESSION_SERIALIZER": "no.such.serializer",
}


@pytest.mark.parametrize("name", ["db", "cached_db", "cache", "file", "no_such_engine"])
def test_where_the_app_is_not_installed_nothing_is_said(name):
    """Checks stay registered where a test of somebody else's takes the app away."""
    wrong = HEALTHY | engine(name) | WITHOUT_THE_APP | {"SESSION_CACHE_ALIAS": "none"}
    with override_settings(**wrong):
        assert registry.run_checks(tags=[checks.TAG])
        with modify_settings(INSTALLED_APPS={"remove": ["dj_sessions", "django.contrib.admin"]}):
            assert not apps.is_installed("dj_sessions")
            assert registry.run_checks(tags=[checks.TAG]) == []


def is_ours(message):
    return message.id.startswith("dj_sessions.")


@pytest.fixture
def stray(tmp_path, monkeypatch):
    """A module that cannot be imported, as its model belongs to no app."""
    (tmp_path / "stray.py").write_text(
        "from django.db import models\n\nclass Row(models.Model):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "stray"


def test_an_engine_whose_import_fails_is_an_error_and_no_crash(stray):
    assert ids(SESSION_ENGINE=stray) == ["E006"]


@pytest.mark.parametrize("error", [RuntimeError, ValueError, TypeError, KeyError, SyntaxError])
def test_whatever_the_import_of_an_engine_raises_is_reported(tmp_path, monkeypatch, error):
    (tmp_path / "broken_engine.py").write_text(f"raise {error.__name__}('out of order')")
    monkeypatch.syspath_prepend(tmp_path)
    (message,) = messages(SESSION_ENGINE="broken_engine")
    assert message.id == "dj_sessions.E006"
    assert error.__name__ in message.msg
    assert "out of order" in message.msg


@pytest.mark.parametrize("is_moving", [False, True])
def test_an_engine_that_lacks_its_client_is_told_to_be_installed(tmp_path, monkeypatch, is_moving):
    """The name is right: to change it, as for a mistyped one, would be the wrong advice."""
    (tmp_path / "clientless.py").write_text("import a_client_that_is_not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    changed = moving(MOVE | {"TO": "clientless"}) if is_moving else {"SESSION_ENGINE": "clientless"}
    (message,) = messages(**changed)
    assert "a_client_that_is_not_installed" in message.msg
    assert "install what it needs" in message.hint


@pytest.mark.parametrize("setting", ["SESSION_ENGINE", "SESSION_SERIALIZER"])
@pytest.mark.parametrize("value", [None, 5, b"dj_sessions.backends.db"])
def test_a_name_that_is_no_text_is_called_that(setting, value):
    (message,) = messages(**{setting: value})
    assert message.msg.endswith(": it is not a string.")


def test_middleware_whose_import_fails_is_passed_over(stray):
    """Django loads middleware when it starts to serve; `migrate` runs the checks before."""
    assert ids(MIDDLEWARE=[f"{stray}.Middleware", OURS]) == []


class Subclass(middleware.SessionMiddleware):
    pass


class OfDjango(DjangoSessionMiddleware):
    pass


class OwnAuthentication(AuthenticationMiddleware):
    def process_request(self, request):
        request.user = AnonymousUser()


class Unrelated:
    """Gives requests their session, and is no subclass of anybody's."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.session = db.SessionStore()
        return self.get_response(request)


def factory(get_response):
    def answer(request):
        request.session = db.SessionStore()
        return get_response(request)

    return answer


UNRELATED = [f"{__name__}.{name}" for name in ("Unrelated", "factory")]


@pytest.mark.parametrize("own", [f"{__name__}.Subclass", f"{__name__}.OfDjango"])
def test_a_subclass_of_the_middleware_is_the_middleware(own):
    assert ids(MIDDLEWARE=[own, AUTHENTICATION]) == []
    assert ids(MIDDLEWARE=[AUTHENTICATION, own]) == ["W005"]
    assert ids(MIDDLEWARE=[THEIRS, own, AUTHENTICATION]) == ["W003"]


@pytest.mark.parametrize(
    ("order", "first"),
    [([THEIRS, OURS], "W003"), ([OURS, THEIRS], "W003"), ([AUTHENTICATION, OURS, THEIRS], "W003")],
)
def test_where_both_stand_django_s_middleware_is_to_be_removed(order, first):
    message = messages(MIDDLEWARE=order)[0]
    assert message.id == f"dj_sessions.{first}"
    assert message.hint == (
        f"Remove {THEIRS!r}, and put {OURS!r} where the first of the two stood."
    )


def view(request):
    return HttpResponse()


urlpatterns = [path("", view)]


def answers(**changed):
    """Tell whether a request is answered, be it with the way to the login."""
    with override_settings(**HEALTHY | {"ROOT_URLCONF": __name__} | changed):
        try:
            return Client().get("/").status_code in (200, 302)
        except ImproperlyConfigured:
            return False


LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"
IN_COOKIES = "django.contrib.messages.storage.cookie.CookieStorage"
OWN_AUTHENTICATION = f"{__name__}.OwnAuthentication"


@pytest.mark.parametrize(
    ("order", "changed", "is_reported", "is_answered"),
    [
        ([AUTHENTICATION, OURS], {}, True, False),
        ([REMOTE_USER, AUTHENTICATION, OURS], {}, True, False),
        ([LOGIN_REQUIRED, OURS, AUTHENTICATION], {}, False, True),
        ([CSRF, OURS], {"CSRF_USE_SESSIONS": True}, True, False),
        ([CSRF, OURS], {"CSRF_USE_SESSIONS": False}, False, True),
        *(([MESSAGES, OURS], {"MESSAGE_STORAGE": name}, True, False) for name in IN_SESSIONS),
        ([MESSAGES, OURS], {"MESSAGE_STORAGE": IN_COOKIES}, False, True),
        ([OWN_AUTHENTICATION, OURS], {}, False, True),
        *(([own, AUTHENTICATION, OURS], {}, False, True) for own in UNRELATED),
        *(([own, AUTHENTICATION], {}, False, True) for own in UNRELATED),
        # Only the author of the first one knows whether it gives requests a session.
        ([OWN_AUTHENTICATION, AUTHENTICATION, OURS], {}, False, False),
    ],
)
def test_an_order_with_which_requests_fail_is_reported_and_none_with_which_they_do_not(
    order, changed, is_reported, is_answered, databases
):
    assert ids(MIDDLEWARE=order, **changed) == ["W005"] * is_reported
    assert answers(MIDDLEWARE=order, **changed) is is_answered


def test_an_order_is_no_error_as_a_project_that_serves_nothing_works_with_it():
    (message,) = messages(MIDDLEWARE=[AUTHENTICATION, OURS])
    assert type(message) is Warning


@pytest.mark.parametrize("own", UNRELATED)
def test_a_site_whose_own_middleware_gives_requests_their_session_hears_nothing(own):
    assert ids(MIDDLEWARE=[own]) == []
    assert ids(MIDDLEWARE=[CSRF, own, AUTHENTICATION]) == []
    assert ids(MIDDLEWARE=[own, AUTHENTICATION, OURS]) == []


def test_middleware_that_cannot_be_imported_is_passed_over():
    others = ["no.such.middleware", "django.middleware.common.NoSuchThing"]
    assert ids(MIDDLEWARE=[*others, OURS, AUTHENTICATION, *others]) == []
    assert ids(MIDDLEWARE=others) == ["W004"]


def test_middleware_that_cannot_be_imported_is_named_where_no_session_middleware_is():
    mistyped = "dj_sessions.middleware.SessionMiddelware"
    (message,) = messages(MIDDLEWARE=["django.middleware.common.CommonMiddleware", mistyped])
    assert message.id == "dj_sessions.W004"
    assert f"{mistyped!r} cannot be imported: Module" in message.msg
    assert "CommonMiddleware" not in message.msg


def test_the_second_of_two_session_middlewares_helps_nobody_who_stands_between():
    assert ids(MIDDLEWARE=[OURS, AUTHENTICATION, OURS]) == []
    assert ids(MIDDLEWARE=[AUTHENTICATION, OURS, AUTHENTICATION, OURS]) == ["W005"]


# In the place of Django's checks

INSECURE = {"SESSION_COOKIE_SECURE": False, "SESSION_COOKIE_HTTPONLY": False}
SECURITY = [f"security.W0{number}" for number in range(10, 16)]


def deployment_ids(**changed):
    """What Django's checks and ours together say of the cookie."""
    with override_settings(**HEALTHY | INSECURE | changed):
        found = registry.run_checks(tags=["security"], include_deployment_checks=True)
    return sorted(message.id for message in found if message.id in SECURITY)


BOTH = ["security.W012", "security.W015"]
APP_ALONE = ["security.W010", "security.W013"]
MIDDLEWARE_ALONE = ["security.W011", "security.W014"]


def test_the_deployment_checks_tell_app_and_middleware_apart_as_django_s_do():
    assert deployment_ids() == BOTH
    assert deployment_ids(SESSION_COOKIE_SECURE="1", SESSION_COOKIE_HTTPONLY=1) == BOTH
    assert deployment_ids(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_HTTPONLY=True) == []
    assert deployment_ids(MIDDLEWARE=[]) == APP_ALONE
    with modify_settings(INSTALLED_APPS={"remove": ["dj_sessions", "django.contrib.admin"]}):
        assert deployment_ids() == MIDDLEWARE_ALONE
        assert deployment_ids(MIDDLEWARE=[]) == []


def test_where_django_s_names_still_stand_the_cookie_is_reported_once():
    assert deployment_ids(MIDDLEWARE=[THEIRS]) == MIDDLEWARE_ALONE
    assert deployment_ids(MIDDLEWARE=[THEIRS, OURS]) == MIDDLEWARE_ALONE
    import_module(f"{DJANGO}.models")  # while it is ours: a model is registered once
    taken = {"remove": ["dj_sessions", "django.contrib.admin"], "append": DJANGO}
    with modify_settings(INSTALLED_APPS=taken):
        assert deployment_ids() == APP_ALONE
        assert deployment_ids(MIDDLEWARE=[THEIRS]) == BOTH
        assert deployment_ids(MIDDLEWARE=[]) == APP_ALONE


IDS = """
    from django.core.checks import run_checks
    found = run_checks(tags=["security"], include_deployment_checks=True)
    print(*sorted(message.id for message in found if not message.is_silenced()))
"""


@pytest.mark.parametrize("silenced", [[], ["security.W012"], SECURITY])
@pytest.mark.parametrize(("has_app", "has_middleware"), [(1, 1), (1, 0)])
@pytest.mark.parametrize("spelling", ["", ".apps.SessionsConfig"])
def test_the_switch_changes_nothing_in_what_check_deploy_says(
    has_app, has_middleware, silenced, spelling
):
    before, after = (
        run(
            IDS,
            INSTALLED_APPS=[app + spelling] * has_app,
            MIDDLEWARE=[f"{app}.middleware.SessionMiddleware"] * has_middleware,
            SESSION_ENGINE=f"{app}.backends.db",
            SESSION_COOKIE_HTTPONLY=False,
            SILENCED_SYSTEM_CHECKS=silenced,
        )
        for app in (DJANGO, "dj_sessions")
    )
    assert before == after


def test_the_constants_have_django_s_ids():
    for name in ("W010", "W011", "W012", "W013", "W014", "W015"):
        ours, theirs = getattr(security, name), getattr(django_security, name)
        assert (ours.id, ours.level) == (theirs.id, theirs.level)


WIDE = [
    *(None, "", "x", "a.b", "/", 0, 1, -1, 3.5, 10**30, float("nan"), True, False),
    *([], ["x"], [None], (), {}, {"default": None}, {"default": {}}, {1: 2, "a": 3}, set()),
    *(b"", b"x", object(), object, len, Path("x"), timedelta(1), lazystr("x"), lazystr("")),
]
READ = [name for name, value in vars(SessionSettings).items() if isinstance(value, property)]


@pytest.mark.parametrize("name", ["db", "cache", "cached_db", "file", "redis", "signed_cookies"])
@pytest.mark.parametrize("setting", [*READ, "MIDDLEWARE", "CACHES"])
def test_no_value_makes_a_check_raise_and_what_is_said_names_the_setting(setting, name):
    usual = messages(**engine(name))
    for value in WIDE:
        wrong = {"default": value} if setting == "CACHES" else value  # else Django raises
        for message in messages(**engine(name) | {setting: wrong}):
            assert type(message) in (Error, Warning)
            assert message.id in SECURITY or is_ours(message)
            assert message.hint
            assert setting in message.msg + message.hint or message in usual, (value, message)


@pytest.mark.parametrize("value", [None, [], "default", object()])
def test_caches_that_are_no_dictionary_have_no_alias(monkeypatch, value):
    with override_settings(**HEALTHY | engine("cache")):
        monkeypatch.setattr(settings, "CACHES", value)
        assert [message.id for message in check_cache(None)] == ["dj_sessions.E008"]
        monkeypatch.undo()


# As Django runs them


def test_each_check_is_registered_where_django_runs_it():
    ordinary = registry.registry.get_checks()
    deployment = registry.registry.get_checks(include_deployment_checks=True)
    for check in ALL:
        assert check in deployment
        assert (check in ordinary) is (check in checks.CHECKS)
        assert (checks.TAG in check.tags) is (check not in checks.ON_DEMAND)


def test_every_id_is_stable_and_tested():
    source = "".join(path.read_text() for path in Path(dj_sessions.__file__).parent.rglob("*.py"))
    written = set(re.findall(r'"(?:dj_sessions|security)\.([EIW]\d{3})"', source))
    tested = {number for expected, _, _ in WRONG for number in expected.split()}
    # These are tested by name.
    tested |= (
        {"E007", "I033", "W017", "W039", "E040", "W041", "E042", "I044", "E055"}
        | {"E077", "W078", "W079"}
        | {"W085", "E086", "E089", "E090", "E120"}  # tests/user_sessions/test_checks.py
        | {"E115"}  # tests/test_metrics.py
        | {"E095", "E096", "E097"}  # tests/user_sessions/test_devices.py
        | {id_.split(".")[1] for id_ in SECURITY}
    )
    assert tested == written
    numbers = [number[1:] for number in tested]
    assert sorted(numbers) == sorted(set(numbers)), "a number has one level"


def test_every_check_reads_its_settings_late():
    for check in ALL:
        assert getattr(import_module(check.__module__), "conf", conf) is conf
    assert ids(SESSION_COOKIE_SECURE=False) == ["W012"]
    assert ids() == []


@pytest.fixture
def site(tmp_path):
    """A site with something wrong, and Django's own complaints left out."""

    def write(**wrong):
        lines = [
            "from pathlib import Path, PosixPath",
            *(f"{name} = {value!r}" for name, value in HEALTHY.items()),
            f"INSTALLED_APPS = {APPS}",
            "DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'",
            "SECRET_KEY = 'secret'",
            *(f"{name} = {value!r}" for name, value in wrong.items()),
        ]
        (tmp_path / "wrong_site.py").write_text("\n".join(lines))
        return {"path": tmp_path, "DJANGO_SETTINGS_MODULE": "wrong_site"}

    return write


def test_an_engine_that_was_never_named_is_not_called_still_django_s(site):
    unnamed = site()
    with (unnamed["path"] / "wrong_site.py").open("a") as lines:
        lines.write("\ndel SESSION_ENGINE\n")
    shown = execute(str(REPOSITORY / "manage.py"), "check", **unnamed)
    assert "(dj_sessions.W001) SESSION_ENGINE is not set, so it is Django's" in shown
    assert "HINT: Add SESSION_ENGINE = 'dj_sessions.backends.db' to the settings" in shown
    named = site(MIDDLEWARE=[OURS], SESSION_ENGINE=f"{DJANGO}.backends.db")
    shown = execute(str(REPOSITORY / "manage.py"), "check", **named)
    assert f"(dj_sessions.W001) SESSION_ENGINE is still Django's '{DJANGO}.backends.db'" in shown
    assert "HINT: Set SESSION_ENGINE = 'dj_sessions.backends.db'; it reads the same" in shown


def test_manage_py_check_shows_what_is_wrong(site):
    wrong = site(MIDDLEWARE=[THEIRS], SESSION_COOKIE_SECURE=False)
    shown = execute(str(REPOSITORY / "manage.py"), "check", **wrong)
    assert "(dj_sessions.W003) MIDDLEWARE still has Django's SessionMiddleware." in shown
    assert f"HINT: Put '{OURS}' in the place of '{THEIRS}'." in shown
    assert "W01" not in shown
    assert "identified 1 issue" in shown


@pytest.mark.parametrize("tag", ["security", "dj_sessions"])
def test_manage_py_check_deploy_shows_what_django_s_checks_no_longer_say(site, tag):
    wrong = site(SESSION_COOKIE_SECURE=False, SESSION_COOKIE_HTTPONLY=False)
    shown = execute(str(REPOSITORY / "manage.py"), "check", "--deploy", "--tag", tag, **wrong)
    assert shown.count("(security.W012) SESSION_COOKIE_SECURE is not set to True.") == 1
    assert shown.count("(security.W015) SESSION_COOKIE_HTTPONLY is not set to True.") == 1
    assert len(re.findall(r"security\.W01[0-5]", shown)) == 2


@pytest.mark.skipif(bool(list(check_django(None))), reason="Django is newer than the tested ones")
def test_the_demo_site_is_healthy(tmp_path):
    shown = execute(str(REPOSITORY / "manage.py"), "check", VAR_DIR=str(tmp_path))
    assert shown == "System check identified no issues (0 silenced).\n"
