"""`apps`: this app in the place of Django's, beside it, and without it."""

import pytest
from django.apps import apps
from django.contrib.sessions import base_session as django_base_session
from django.contrib.sessions import middleware as django_middleware
from django.contrib.sessions.backends import base as django_base
from django.core import checks
from django.test import modify_settings

from dj_sessions import base_session, middleware
from dj_sessions.apps import SessionsConfig
from dj_sessions.backends import base, cache, cached_db, db, file, signed_cookies
from dj_sessions.models import Session
from tests.fresh import Failed, run

DJANGO = "django.contrib.sessions"
SITE = ["django.contrib.auth", "django.contrib.contenttypes"]


def test_the_app_has_django_s_label():
    config = apps.get_app_config("sessions")
    assert type(config) is SessionsConfig
    assert config.name == "dj_sessions"
    assert str(config.verbose_name) == "Sessions"


# Both apps


def test_both_apps_at_once_are_refused_with_what_to_do_however_they_are_spelled():
    run(
        """
    from itertools import permutations, product
    from django.apps.registry import Apps
    from django.core.exceptions import ImproperlyConfigured

    names = ["django.contrib.sessions", "dj_sessions"]
    spellings = product(*[(name, name + ".apps.SessionsConfig") for name in names])
    for django, ours in spellings:
        for installed in permutations([django, ours]):
            settings.INSTALLED_APPS = installed
            try:
                Apps(installed)
            except ImproperlyConfigured as error:
                assert f"INSTALLED_APPS has both {django!r} and 'dj_sessions'" in str(error), error
                assert f"Remove {django!r}" in str(error), error
            else:
                raise AssertionError(installed)
    """,
        setup=False,
    )


@pytest.mark.parametrize("turn", [1, -1])
def test_a_site_with_both_apps_does_not_start_and_says_why(turn):
    with pytest.raises(Failed, match=f"ImproperlyConfigured: INSTALLED_APPS has both '{DJANGO}'"):
        run("", INSTALLED_APPS=["dj_sessions", DJANGO][::turn])


def test_the_apps_of_others_are_not_taken_for_django_s():
    with modify_settings(INSTALLED_APPS={"append": "django.contrib.sitemaps"}):
        assert apps.is_installed("django.contrib.sitemaps")


# The database

MIGRATE = """
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
"""


@pytest.fixture
def database(tmp_path):
    engine = "django.db.backends.sqlite3"
    return {"default": {"ENGINE": engine, "NAME": str(tmp_path / "db.sqlite3")}}


def test_nothing_is_left_to_migrate_on_a_database_that_django_made(database):
    django = {
        "MIDDLEWARE": [f"{DJANGO}.middleware.SessionMiddleware"],
        "SESSION_ENGINE": f"{DJANGO}.backends.db",
    }
    run(MIGRATE, INSTALLED_APPS=[*SITE, DJANGO], DATABASES=database, **django)
    run(
        """
    from django.core.management import call_command
    call_command("migrate", check_unapplied=True)
    call_command("makemigrations", check_changes=True, dry_run=True)
    """,
        INSTALLED_APPS=[*SITE, "dj_sessions"],
        DATABASES=database,
    )


def test_nothing_is_left_to_migrate_for_django_on_a_database_that_this_app_made(database):
    run(MIGRATE, INSTALLED_APPS=[*SITE, "dj_sessions"], DATABASES=database)
    run(
        """
    from django.core.management import call_command
    call_command("migrate", check_unapplied=True)
    """,
        INSTALLED_APPS=[*SITE, DJANGO],
        DATABASES=database,
    )


def test_both_apps_make_the_same_tables():
    describe = (
        MIGRATE
        + """
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'django_session' ORDER BY 1")
        print(cursor.fetchall())
        cursor.execute(
            "SELECT codename, name, model FROM auth_permission JOIN django_content_type "
            "ON content_type_id = django_content_type.id WHERE app_label = 'sessions' ORDER BY 1"
        )
        print(cursor.fetchall())
    """
    )
    ours = run(describe, INSTALLED_APPS=[*SITE, "dj_sessions"])
    assert "add_session" in ours
    assert ours == run(describe, INSTALLED_APPS=[*SITE, DJANGO])


# The engine and the middleware without the app

VISIT = """
    from django.contrib.sessions.models import Session
    from django.core.management import call_command
    from django.http import HttpResponse
    from django.test import Client
    from django.urls import path
    import asyncio
    import {engine} as engine

    call_command("migrate", verbosity=0)

    def view(request):
        request.session["visits"] = request.session.get("visits", 0) + 1
        return HttpResponse(request.session["visits"])

    urlpatterns = [path("", view)]
    settings.ROOT_URLCONF = sys.modules["__main__"]

    client = Client()
    assert client.get("/").content == b"1"
    assert client.get("/").content == b"2"
    row = Session.objects.get()
    assert row.get_decoded() == {{"visits": 2}}
    assert engine.SessionStore.get_model_class() is Session
    assert engine.SessionStore(row.session_key)["visits"] == 2
    engine.SessionStore(row.session_key).delete()
    assert not Session.objects.exists()
    assert client.get("/").content == b"1"
    assert Session.__module__ == {module!r}, Session.__module__
"""


@pytest.mark.parametrize("engine", ["db", "cached_db"])
def test_the_engine_and_the_middleware_work_while_django_s_app_stays_installed(engine):
    name = f"dj_sessions.backends.{engine}"
    run(
        VISIT.format(engine=name, module=f"{DJANGO}.models"),
        INSTALLED_APPS=[*SITE, DJANGO],
        SESSION_ENGINE=name,
    )


def test_the_whole_package_works_in_the_place_of_django_s_app():
    run(
        VISIT.format(engine="dj_sessions.backends.db", module="dj_sessions.models"),
        INSTALLED_APPS=[*SITE, "dj_sessions"],
    )


def test_django_s_engine_and_middleware_work_with_this_app_installed():
    """The first half of a switch, or of a switch back."""
    run(
        VISIT.format(engine=f"{DJANGO}.backends.db", module="dj_sessions.models"),
        INSTALLED_APPS=[*SITE, "dj_sessions"],
        MIDDLEWARE=[f"{DJANGO}.middleware.SessionMiddleware"],
        SESSION_ENGINE=f"{DJANGO}.backends.db",
    )


@pytest.mark.parametrize("engine", ["cache", "file", "signed_cookies"])
def test_engines_without_a_table_need_no_app(engine):
    run(
        f"""
    from dj_sessions.backends.{engine} import SessionStore
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    assert SessionStore(session.session_key)["colour"] == "green"
    session.flush()
    assert "dj_sessions.models" not in sys.modules
    """,
        INSTALLED_APPS=[],
        SESSION_ENGINE=f"dj_sessions.backends.{engine}",
    )


def test_the_database_engine_without_an_app_says_what_to_install():
    with pytest.raises(
        Failed, match=r"ImproperlyConfigured: .*Add 'dj_sessions' to INSTALLED_APPS"
    ):
        run(
            "from dj_sessions.backends.db import SessionStore; SessionStore().create()",
            INSTALLED_APPS=[],
        )


# Where others look for Django's classes


def admin_messages():
    return [message.id for message in checks.run_checks(tags=[checks.Tags.admin])]


def test_the_admin_accepts_the_middleware():
    assert "admin.E410" not in admin_messages()


def test_the_admin_still_asks_for_the_middleware():
    with modify_settings(MIDDLEWARE={"remove": "dj_sessions.middleware.SessionMiddleware"}):
        assert "admin.E410" in admin_messages()


@pytest.mark.parametrize(
    ("ours", "django"),
    [
        (base.SessionBase, django_base.SessionBase),
        *(
            (module.SessionStore, django_base.SessionBase)
            for module in (db, cache, cached_db, file, signed_cookies)
        ),
        (middleware.SessionMiddleware, django_middleware.SessionMiddleware),
        (base_session.AbstractBaseSession, django_base_session.AbstractBaseSession),
        (base_session.BaseSessionManager, django_base_session.BaseSessionManager),
        (Session, django_base_session.AbstractBaseSession),
        (type(Session.objects), django_base_session.BaseSessionManager),
    ],
    ids=lambda cls: f"{cls.__module__}.{cls.__name__}",
)
def test_our_classes_are_subclasses_of_django_s(ours, django):
    assert issubclass(ours, django)


@pytest.mark.parametrize("module", [db, cache, cached_db, file, signed_cookies])
def test_sessions_are_instances_of_django_s_base(module):
    session = module.SessionStore()
    assert isinstance(session, django_base.SessionBase)
    assert isinstance(session, base.SessionBase)
    assert type(session).__qualname__ == "SessionStore"


@pytest.mark.parametrize(
    ("raised", "caught"),
    [
        (base.CreateError, django_base.CreateError),
        (base.UpdateError, django_base.UpdateError),
        (django_base.CreateError, base.CreateError),
        (django_base.UpdateError, base.UpdateError),
    ],
)
def test_an_except_that_names_either_class_catches_the_other(raised, caught):
    with pytest.raises(caught):
        raise raised


@pytest.mark.parametrize(("engine", "hears"), [("cached_db", True), ("db", False)])
def test_a_process_that_opens_no_session_hears_of_deleted_rows_if_they_are_cached(engine, hears):
    said = run(
        """
        from django.db.models.signals import post_delete
        from django.contrib.sessions.models import Session
        print(post_delete.has_listeners(Session))
        """,
        INSTALLED_APPS=["dj_sessions"],
        SESSION_ENGINE=f"dj_sessions.backends.{engine}",
    )
    assert said.strip() == str(hears)


STRAY = """
from dj_sessions.backends.cached_db import SessionStore as Cached

class SessionStore(Cached):
    @classmethod
    def get_model_class(cls):
        raise RuntimeError("its model is in no app")
"""


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        *(("nowhere.to.be.found", "E006"), ("", "E006"), (None, "E006")),
        *(("broken_engine", "E006"), ("stray_engine", "E007")),
    ],
)
def test_an_engine_that_cannot_be_used_does_not_stop_the_site_from_saying_so(
    tmp_path, engine, expected
):
    (tmp_path / "broken_engine.py").write_text("raise RuntimeError('out of order')")
    (tmp_path / "stray_engine.py").write_text(STRAY)
    said = run(
        """
        from django.core.checks import run_checks
        print(*(message.id for message in run_checks()))
        """,
        path=tmp_path,
        INSTALLED_APPS=["dj_sessions"],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
        SESSION_ENGINE=engine,
    )
    assert f"dj_sessions.{expected}" in said.split()


CHECK = """
    from django.core.management import call_command
    call_command("check", deploy=True, tags=["dj_sessions"])
"""


@pytest.mark.parametrize("installed", [[*SITE, DJANGO], SITE])
def test_a_site_that_has_forgotten_the_app_hears_that_there_is_no_such_tag(installed):
    """The checks come with the app: without the tag there is nothing to hear."""
    with pytest.raises(Failed, match='There is no system check with the "dj_sessions" tag'):
        run(CHECK, INSTALLED_APPS=installed)


def test_the_tag_has_all_checks_of_this_app():
    said = run(CHECK, INSTALLED_APPS=[*SITE, "dj_sessions"])
    assert "security.W012" in said
    assert "dj_sessions.W012" not in said
