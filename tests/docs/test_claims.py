"""What the pages `security`, `switch` and `differences` claim is so."""

import re
from contextlib import contextmanager
from importlib import import_module
from unittest import mock

import pytest
from django.apps import apps
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase as DjangoSessionBase
from django.core import signing
from django.core.cache import caches
from django.db import connections
from django.db.models.sql.compiler import SQLCompiler
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from dj_sessions.backends.db import SessionStore
from tests.docs.pages import docs
from tests.fresh import Failed, run

DJANGO = "django.contrib.sessions"


def test_a_new_secret_key_reads_what_the_old_one_signed(databases):
    [fence] = [fence for fence in docs("security").settings if "SECRET_KEY" in fence.text]
    rotated = fence.settings()
    with override_settings(SECRET_KEY=rotated["SECRET_KEY_FALLBACKS"][0]):
        payload = SessionStore().encode({"a": 1})
    with override_settings(**rotated):
        assert SessionStore().decode(payload) == {"a": 1}
    with override_settings(SECRET_KEY=rotated["SECRET_KEY"]):
        assert SessionStore().decode(payload) == {}


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file", "signed_cookies"])
def test_a_new_secret_key_alone_ends_what_is_signed_and_the_cache_of_cache_has_to_be_emptied(
    engine, databases, fresh_caches, tmp_path
):
    store = import_module(f"dj_sessions.backends.{engine}").SessionStore
    with override_settings(SESSION_FILE_PATH=tmp_path):
        with override_settings(SECRET_KEY="the key that has leaked"):
            session = store()
            session["a"] = 1
            session.save()
        left = {"a": 1} if engine == "cache" else {}
        assert dict(store(session.session_key).items()) == left
        caches["default"].clear()
        assert dict(store(session.session_key).items()) == {}


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file", "signed_cookies"])
def test_a_new_secret_key_logs_everybody_out(engine, user, fresh_caches, tmp_path):
    with override_settings(
        SESSION_ENGINE=f"dj_sessions.backends.{engine}", SESSION_FILE_PATH=tmp_path
    ):
        client = Client()
        client.force_login(user)
        assert get_user(client).is_authenticated
        with override_settings(SECRET_KEY="another key"):
            assert not get_user(client).is_authenticated


@pytest.mark.parametrize("engine", ["db", "cached_db", "file", "redis", "signed_cookies"])
def test_the_salts_are_those_on_the_page(engine, databases, tmp_path):
    rows = docs("security").sections["What is signed, and with what?"].rows
    [salt] = [row["Salt"].strip("`") for row in rows if f"`{engine}`" in row["Engine"]]
    with override_settings(SESSION_FILE_PATH=tmp_path):
        store = import_module(f"dj_sessions.backends.{engine}").SessionStore()
    if engine == "signed_cookies":
        store["a"] = 1
        store.save()
        signed = store.session_key
    else:
        signed = store.encode({"a": 1})
    assert signing.loads(signed, salt=salt)["a"] == 1


def test_the_page_on_security_says_of_each_engine_what_is_signed_and_whether_a_logout_is_final():
    page = docs("security")
    signed = " ".join(row["Engine"] for row in page.sections["What is signed, and with what?"].rows)
    for text in (signed, page.sections["Is a logout final?"].text):
        assert set(re.findall(r"`(\w+)`", text)) >= {
            "db",
            "cached_db",
            "cache",
            "file",
            "redis",
            "signed_cookies",
        }


ONE_BY_ONE = """
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from django.http import HttpResponse
    from django.urls import path

    def view(request):
        request.session["visits"] = request.session.get("visits", 0) + 1
        return HttpResponse(str(request.session["visits"]))

    class urls:
        urlpatterns = [path("", view)]

    call_command("migrate", verbosity=0)
    settings.ROOT_URLCONF = urls
    client = Client()
    assert [client.get("/").content for _ in range(2)] == [b"1", b"2"]
"""


@pytest.mark.parametrize("app", ["dj_sessions", DJANGO])
@pytest.mark.parametrize("middleware", ["dj_sessions", DJANGO])
@pytest.mark.parametrize("engine", ["dj_sessions", DJANGO])
def test_each_name_works_with_django_s_side_of_the_others(app, middleware, engine):
    run(
        ONE_BY_ONE,
        INSTALLED_APPS=[app],
        MIDDLEWARE=[f"{middleware}.middleware.SessionMiddleware"],
        SESSION_ENGINE=f"{engine}.backends.db",
    )


@pytest.mark.parametrize("installed", [["dj_sessions", DJANGO], [DJANGO, "dj_sessions"]])
def test_a_site_with_both_apps_refuses_to_start_and_says_why(installed):
    with pytest.raises(Failed, match=r"Remove 'django\.contrib\.sessions'"):
        run("", INSTALLED_APPS=installed)


def test_texts_of_a_site_are_translated_where_django_s_catalogue_is_named():
    model = apps.get_model("sessions", "Session")
    [fence] = [fence for fence in docs("switch").settings if "LOCALE_PATHS" in fence.text]
    with translation.override("de"):
        assert str(model._meta.verbose_name) == "Sitzung"
        assert translation.gettext("session data") == "session data"
    with override_settings(**fence.settings()), translation.override("de"):
        assert translation.gettext("session data") == "Sitzungsdaten"


def test_a_model_on_django_s_class_loses_its_labels_and_on_ours_keeps_them():
    [theirs, ours] = (
        import_module(f"{root}.base_session").AbstractBaseSession
        for root in (DJANGO, "dj_sessions")
    )
    with translation.override("de"):
        assert str(theirs._meta.get_field("session_data").verbose_name) == "session data"
        assert str(ours._meta.get_field("session_data").verbose_name) == "Sitzungsdaten"


# Classes and methods of Django's

ENGINES = ["db", "cached_db", "cache", "file", "signed_cookies"]


@pytest.fixture(params=ENGINES)
def stores(request, databases, fresh_caches, tmp_path):
    """The store of an engine, Django's and ours."""
    with override_settings(SESSION_FILE_PATH=tmp_path):
        yield [
            import_module(f"{root}.backends.{request.param}").SessionStore
            for root in (DJANGO, "dj_sessions")
        ]


def test_a_session_is_an_instance_of_django_s_base_and_of_our_store_alone(stores):
    theirs, ours = stores
    assert not isinstance(ours(), theirs)
    assert isinstance(ours(), DjangoSessionBase)
    assert isinstance(ours(), ours)


USES = {
    "save": lambda session: session.save(),
    "load": lambda session: session.get("colour"),
    "delete": lambda session: session.flush(),
}


@pytest.mark.parametrize("method", USES)
def test_a_patch_of_django_s_store_sees_nothing_and_the_same_path_of_ours_does(stores, method):
    ours = stores[1]
    called = []
    for store in stores:
        stored = ours()
        stored["colour"] = "green"
        stored.save()
        path = f"{store.__module__}.SessionStore.{method}"
        with mock.patch(path, autospec=True, return_value={}) as patched:
            USES[method](ours(stored.session_key))
        called.append(patched.called)
    assert called == [False, True]


def test_a_patch_of_django_s_middleware_sees_nothing_and_the_same_path_of_ours_does(client):
    called = []
    for root in (DJANGO, "dj_sessions"):
        path = f"{root}.middleware.SessionMiddleware.process_request"
        with mock.patch(path, autospec=True, return_value=HttpResponse()) as patched:
            client.get("/sync/untouched/")
        called.append(patched.called)
    assert called == [False, True]


@contextmanager
def replaced_in_the_orm():
    """What django-silk does to see statements; their number."""
    seen = []
    original = SQLCompiler.execute_sql

    def execute_sql(self, *args, **kwargs):
        seen.append(self.query.model)
        return original(self, *args, **kwargs)

    with mock.patch.object(SQLCompiler, "execute_sql", execute_sql):
        yield seen


def test_what_replaces_a_part_of_the_orm_does_not_see_our_statements(databases):
    seen = {}
    for root in (DJANGO, "dj_sessions"):
        store = import_module(f"{root}.backends.db").SessionStore
        session = store()
        session["colour"] = "green"
        session.save()
        again = store(session.session_key)
        with replaced_in_the_orm() as seen[root]:
            assert again["colour"] == "green"
            again["colour"] = "blue"
            again.save()
    assert len(seen[DJANGO]) >= 2
    assert seen["dj_sessions"] == []


def test_what_looks_at_the_cursor_sees_our_statements(databases, caplog):
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    wrapped = []

    def note(execute, sql, params, many, context):
        wrapped.append(sql)
        return execute(sql, params, many, context)

    connection = connections["default"]
    with (
        caplog.at_level("DEBUG", "django.db.backends"),
        connection.execute_wrapper(note),
        CaptureQueriesContext(connection) as captured,
    ):
        assert SessionStore(session.session_key)["colour"] == "green"
    [statement] = wrapped
    assert statement.startswith("SELECT")
    assert len(captured) == 1
    assert "SELECT" in caplog.text
