"""The rooms of the package: what each may import, how long it is, and that all of it is its own."""

import ast
import importlib
import inspect
import re
import sys
import threading
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from types import FunctionType

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib import sessions as django_sessions
from django.contrib.sessions.backends import cache as django_cache
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.utils import timezone

import dj_sessions
from dj_sessions import _session, middleware
from dj_sessions.backends import cache
from dj_sessions.backends.stored import StoredSession
from dj_sessions.models import Session
from tests import redis_servers
from tests.fresh import run
from tests.middleware.api import ATTRIBUTES, TABLE, TWINS

PACKAGE = Path(dj_sessions.__file__).parent

# Where every room may tell what it has done
RECORDED = ("_metrics.instruments", "_metrics.recording")
# Each room, in order, and which rooms it may import
ROOMS = {
    "": (),
    "exceptions": (),
    "signals": (),
    "_keys": (),
    "_defaults": (),
    "conf": ("_defaults",),
    "_key_forms": ("_keys", "conf"),
    "_moments": ("conf",),
    "privacy": ("conf",),
    "_alias": (),
    "_translations": (),
    "_codec*": ("exceptions", "_codec*"),
    "serializers": ("conf", "_codec*"),
    "_metrics": (),
    "_metrics.instruments": (),
    "_metrics.recording": ("_codec.log_rate", "_metrics.instruments"),
    "base_session": ("_codec.forwards", "_key_forms", "_keys", "_translations", "conf"),
    "storage*": (
        *("conf", "exceptions", "_key_forms", "_keys", "_moments", "_codec*", "base_session"),
        *("storage*", *RECORDED),
    ),
    "_session*": (
        *("conf", "exceptions", "signals", "_keys", "_moments", "_codec*", "storage"),
        *("storage.base", "_session*", *RECORDED),
    ),
    "backends*": (
        *("conf", "exceptions", "signals", "_key_forms", "_keys", "_moments", "_codec*"),
        *("_session*", "storage*", "backends*", *RECORDED),
    ),
    "_metrics.expected": (
        *("conf", "signals", "_session", "storage.copies", *RECORDED),
        *("_session.counting", "storage.copies.counted", "backends.cached_db", "backends.moving"),
    ),
    "_metrics.prometheus": ("_metrics.expected", "_metrics.instruments"),
    "_metrics.opentelemetry": ("", "_metrics.expected", "_metrics.instruments"),
    "_metrics.switch": ("_codec.payloads", "conf", "signals", *RECORDED),
    "testing*": ("storage", "_keys", "testing*"),
    "_http*": ("conf", "exceptions", "_keys", "_session.modes", "_http*"),
    "registry": ("_session.modes", "_session.registries"),
    "security_log": (
        *("conf", "privacy", "signals", "registry", "_keys"),
        *("_codec.payloads", "_codec.log_rate"),
    ),
    "checks*": (
        *("conf", "_key_forms", "_keys", "serializers", "_http.cookie_values", "storage*"),
        *("backends.stored", "backends.moving", "security_log", "_metrics.switch", "checks*"),
    ),
    "_health*": (
        *("conf", "exceptions", "_keys", "_session.modes", "storage*", "backends.stored"),
        *("checks*", "_health*"),
    ),
    "_statistics*": (
        *("conf", "_codec*", "_session.limits", "_session.modes", "_session.session"),
        *("storage", "storage.listing", "backends.stored", "_statistics*"),
    ),
    "models": ("base_session", "backends.db"),
    "migrations*": ("models",),
    "middleware": (
        "exceptions",
        "conf",
        "_http*",
        "_session.modes",
        "_session.registries",
        "_session.twin_makers",
        "_session.twins",
    ),
    "decorators": ("_http.passive",),
    "views": ("conf", "decorators", "exceptions", "_health*"),
    "urls": ("views",),
    "admin": ("_keys", "_translations"),
    "templatetags*": ("conf", "_statistics.panel", "_statistics.summary"),
    "management*": (
        *("conf", "registry", "backends.stored", "storage", "storage.listing", "storage.record"),
        *("_key_forms", "_health*", "_statistics*", "management*"),
    ),
    "apps": (
        *("_alias", "_defaults", "_translations", "checks*", "conf", "security_log"),
        "_metrics.switch",
    ),
    # An app of its own: public names, what the public id of a key is, times as the site has them,
    # and which errors may pass.
    "user_sessions*": (
        *("_keys", "_moments", "conf", "exceptions", "management*", "privacy", "registry"),
        *("signals", "checks", "storage.rows.errors", "user_sessions*"),
    ),
}
ENGINES = ("db", "cache", "cached_db", "file", "redis", "signed_cookies")

LONGEST_MODULE = 300
LONGEST_BODY = 35


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def room_of(name):
    (room,) = [room for room in ROOMS if fnmatch(name, room)]
    return room


def imports(name):
    """The full names of the modules that a module imports, also inside functions."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not used here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix("dj_sessions.") in MODULES
                yield full if is_module else node.module


def own_imports(name):
    return {
        full.removeprefix("dj_sessions").removeprefix(".")
        for full in imports(name)
        if full.split(".")[0] == "dj_sessions"
    }


# Imports


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_its_room_may(name):
    allowed = ROOMS[room_of(name)]
    for imported in own_imports(name):
        assert any(fnmatch(imported, pattern) for pattern in allowed), imported


def test_rooms_import_rooms_above_them():
    order = list(ROOMS)
    for place, (room, allowed) in enumerate(ROOMS.items()):
        for pattern in allowed:
            above = pattern if pattern in order else room_of(pattern)
            assert order.index(above) < place or above == room


def test_no_module_imports_itself_by_a_detour():
    TopologicalSorter({name: own_imports(name) for name in MODULES}).prepare()


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("backends.")])
def test_no_backend_imports_an_engine_but_cached_db_the_database(name):
    engines = own_imports(name) & {f"backends.{engine}" for engine in ENGINES}
    assert engines == ({"backends.db"} if name == "backends.cached_db" else set())


PURE = ("_session.expiry", "_session.limits", "_session.merge", "_http.decision")


@pytest.mark.parametrize("name", PURE)
def test_pure_rooms_need_the_standard_library_and_each_other_alone(name):
    others = {full for full in imports(name) if full.removeprefix("dj_sessions.") not in PURE}
    assert {full.split(".")[0] for full in others} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", MODULES)
def test_a_module_needs_django_alone(name):
    tops = {full.split(".")[0] for full in imports(name)}
    redis_itself = ("batches", "clients", "errors", "server", "steps", "storage", "tracing")
    needed = {f"storage.redis.{module}": {"redis"} for module in redis_itself}
    needed |= {
        "serializers": {"orjson"},
        "_codec._cryptography": {"cryptography"},
        "user_sessions.user_agents": {"ua_parser"},
        "storage.caches.redis_pool": {"redis"},
        "_metrics.prometheus": {"prometheus_client"},
        "_metrics.opentelemetry": {"opentelemetry"},
    }
    optional = needed.get(name, set())
    assert tops - sys.stdlib_module_names <= {"django", "asgiref", "dj_sessions"} | optional


def test_the_middleware_loads_no_backend_when_imported():
    loaded = run(
        """
    import dj_sessions.middleware
    print(*sorted(name for name in sys.modules if name.startswith("dj_sessions.")))
    """,
        INSTALLED_APPS=[],
    ).split()
    assert "dj_sessions.middleware" in loaded
    assert not [name for name in loaded if name.startswith("dj_sessions.backends")]


def test_the_engines_load_neither_middleware_nor_cookies_nor_policy_nor_models():
    loaded = run(
        f"""
    from importlib import import_module
    for engine in {ENGINES}:
        import_module(f"dj_sessions.backends.{{engine}}")
    print(*sorted(name for name in sys.modules if name.startswith("dj_sessions.")))
    """,
        INSTALLED_APPS=[],
    ).split()
    assert "dj_sessions.backends.cached_db" in loaded
    for room in ("middleware", "_http", "models", "checks"):
        assert f"dj_sessions.{room}" not in loaded


# Size


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_read(name):
    assert len(MODULES[name].read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("name", MODULES)
def test_a_function_is_short_enough_to_see(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1:] if ast.get_docstring(node) else node.body
            length = first[-1].end_lineno - first[0].lineno + 1 if first else 0
            assert length <= LONGEST_BODY, node.name


# Documentation


METHODS = (FunctionType, classmethod, staticmethod, property, cached_property)


def public_things(name):
    """The public functions and classes of a module; of a public module, their methods too."""
    module = importlib.import_module(f"dj_sessions.{name}".rstrip("."))
    is_public = not any(part.startswith("_") for part in name.split("."))
    for key, thing in vars(module).items():
        if key.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing) or callable(thing):
            yield key, thing
        if inspect.isclass(thing) and is_public:
            yield from public_methods(key, thing)


def public_methods(key, cls):
    """The methods of a class, also of its bases in this package."""
    for name in dir(cls):
        value = inspect.getattr_static(cls, name)
        is_ours = definer(cls, name).startswith("dj_sessions") and not is_generated(value)
        if is_ours and not name.startswith(("_", "test_")) and isinstance(value, METHODS):
            yield f"{key}.{name}", getattr(cls, name)


def is_generated(value):
    """Whether Django has made a property of a class, as it makes `media` of an admin's."""
    return isinstance(value, property) and value.fget.__module__.startswith("django.")


@pytest.mark.parametrize("name", [name for name in MODULES if MODULES[name].stat().st_size])
def test_a_module_says_what_it_is_for(name):
    assert ast.get_docstring(TREES[name])


def test_the_room_of_sessions_names_its_classes_from_the_first_to_the_last():
    home = f"{_session.__name__}."
    built = [cls.__module__ for cls in reversed(StoredSession.__mro__)]
    classes = [module.removeprefix(home) for module in built if module.startswith(home)]
    assert re.findall(r"^- ``(\w+)``", _session.__doc__, re.MULTILINE) == classes


@pytest.mark.parametrize("name", [name for name in MODULES if ".migrations." not in f".{name}"])
def test_everything_public_is_documented(name):
    undocumented = [key for key, thing in public_things(name) if not inspect.getdoc(thing)]
    assert undocumented == []


@pytest.mark.parametrize("name", [name for name in MODULES if ".migrations." not in f".{name}"])
def test_what_a_module_exports_exists_in_order(name):
    module = importlib.import_module(f"dj_sessions.{name}".rstrip("."))
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    for key in exported:
        assert hasattr(module, key)


# Nothing of Django's bodies is reached

CLASSES = [
    ("backends.base", "SessionBase"),
    *((f"backends.{engine}", "SessionStore") for engine in ENGINES if engine != "redis"),
    ("middleware", "SessionMiddleware"),
    ("base_session", "AbstractBaseSession"),
    ("base_session", "BaseSessionManager"),
    ("models", "SessionManager"),
    ("models", "Session"),
]
# Helpers of Django's file engine that nobody documents, nor is known to override.
WITHOUT_COUNTERPART = {"backends.file": {"_last_modification", "_expiry_date"}}


class Plain:
    """What every class has."""


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_every_name_of_django_s_class_is_defined_by_ours(module, name):
    ours = getattr(importlib.import_module(f"dj_sessions.{module}"), name)
    theirs = getattr(importlib.import_module(f"django.contrib.sessions.{module}"), name)
    inherited = {
        key
        for key in vars(theirs)
        if key not in vars(Plain) and not definer(ours, key).startswith("dj_sessions.")
    }
    # Django's marker for an argument that is not given.
    inherited -= {"_SessionBase__not_given"}
    assert inherited == WITHOUT_COUNTERPART.get(module, set())


def definer(cls, name):
    """The module of the class that `name` comes from."""
    return next((base.__module__ for base in cls.__mro__ if name in vars(base)), "")


@contextmanager
def functions_of_django_sessions():
    """The names of the functions in django/contrib/sessions/ that are called, in any thread."""
    home = str(Path(django_sessions.__file__).parent)
    seen = set()

    def profile(frame, event, argument):
        code = frame.f_code
        # Neither modules nor class bodies are optimized: their creation is no use of them.
        if code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(home):
            seen.add(code.co_qualname)

    before = sys.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield seen
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def use_everything(store_class, mode):
    """Call each public method, on a session that is stored and on one that is not."""
    operations = TABLE | dict.fromkeys(ATTRIBUTES, ((), True))
    operations |= TWINS if mode.is_async else {}
    for name, (arguments, _) in operations.items():
        for stored in (True, False):
            session = store_class()
            if stored:
                session["colour"] = "green"
                session.save()
                session = store_class(session.session_key)
            with suppress(KeyError):
                attribute = getattr(session, name)
                if name in TWINS:
                    async_to_sync(attribute)(*arguments)
                elif name not in ATTRIBUTES:
                    attribute(*arguments)


def browse(mode):
    """Requests that create, read, change, rotate and end a session, and one that fails."""
    cookie = None
    for status, deed in (
        (200, lambda session: session.update({"colour": "green"})),
        (200, lambda session: session.get("colour")),
        (500, lambda session: session.update({"colour": "red"})),
        (200, lambda session: session.cycle_key()),
        (200, lambda session: session.set_expiry(60)),
        (200, lambda session: session.flush()),
    ):
        request = RequestFactory().get("/")
        if cookie:
            request.COOKIES["sessionid"] = cookie
        response = answer(mode, request, deed, status)
        if "sessionid" in response.cookies:
            cookie = response.cookies["sessionid"].value
    assert cookie == ""


def answer(mode, request, deed, status):
    def get_response(request):
        deed(request.session)
        return HttpResponse(status=status)

    async def aget_response(request):
        await sync_to_async(deed)(request.session)
        return HttpResponse(status=status)

    if mode.is_async:
        return async_to_sync(middleware.SessionMiddleware(aget_response))(request)
    return middleware.SessionMiddleware(get_response)(request)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("databases", "fresh_caches")
def test_no_function_of_django_s_sessions_runs(engine, mode, tmp_path):
    name = f"dj_sessions.backends.{engine}"
    redis = {"URL": redis_servers.needed(redis_servers.plain)} if engine == "redis" else None
    store_class = importlib.import_module(name).SessionStore
    with (
        override_settings(SESSION_ENGINE=name, SESSION_FILE_PATH=tmp_path, SESSION_REDIS=redis),
        functions_of_django_sessions() as seen,
    ):
        use_everything(store_class, mode)
        browse(mode)
        call_command("clearsessions")
    assert seen == set()


@pytest.mark.usefixtures("databases")
def test_no_function_of_django_s_session_model_runs():
    with functions_of_django_sessions() as seen:
        for data in ({"colour": "green"}, {}):
            row = Session.objects.save("abcdefgh" * 4, data, timezone.now())
            assert row.get_decoded() == data
            assert str(row)
        call_command("migrate", verbosity=0)
    assert seen == set()


def test_the_trace_sees_django_s_functions(fresh_caches):
    """So that the tests above can fail."""
    with functions_of_django_sessions() as seen:
        session = django_cache.SessionStore()
        session["colour"] = "green"
        async_to_sync(session.asave)()
    assert {"SessionBase.__setitem__", "SessionStore.asave"} <= seen
    assert issubclass(cache.SessionStore, django_cache.SessionBase)
