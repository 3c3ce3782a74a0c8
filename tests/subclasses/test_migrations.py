"""The table of a session model of one's own: made, switched and used, in a site of its own."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.fresh import run

STOCK, OURS = "django.contrib.sessions", "dj_sessions"
MODELS = """
from django.conf import settings
from django.db import models
from {root}.base_session import AbstractBaseSession, BaseSessionManager


class MigratedManager(BaseSessionManager):
    use_in_migrations = True


class CustomSession(AbstractBaseSession):
    account_id = models.IntegerField(null=True, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    last_activity = models.DateTimeField(auto_now=True)
    objects = MigratedManager()

    @classmethod
    def get_session_store_class(cls):
        from accounts.store import SessionStore

        return SessionStore
"""
STORE = """
from {root}.backends.db import SessionStore as DBStore


class SessionStore(DBStore):
    @classmethod
    def get_model_class(cls):
        from accounts.models import CustomSession

        return CustomSession

    def create_model_instance(self, data):
        row = super().create_model_instance(data)
        row.account_id = data.get("account")
        return row
"""
MIGRATE = """
    from django.core.management import call_command
    call_command("makemigrations", "accounts", verbosity=0)
    call_command("migrate", verbosity=0)
"""
NOTHING_TO_DO = """
    from django.core.management import call_command
    call_command("makemigrations", check=True)
    call_command("migrate", check=True)
"""
USE = """
    from asgiref.sync import async_to_sync
    from accounts.models import CustomSession
    from accounts.store import SessionStore

    for name in ("save", "asave"):
        session = SessionStore()
        session["account"] = 7
        method = getattr(session, name)
        async_to_sync(method)() if name == "asave" else method()
        row = CustomSession.objects.get(session_key=session.session_key)
        assert row.account_id == 7 and row.get_decoded() == {"account": 7}, vars(row)
    call_command("clearsessions")
    assert CustomSession.objects.count() == 2
"""


@pytest.fixture
def site(tmp_path):
    """A site with an app `accounts`: `site(root, code)` runs code in it, on that package."""

    def visit(root, code):
        (tmp_path / "accounts" / "migrations").mkdir(parents=True, exist_ok=True)
        (tmp_path / "accounts" / "__init__.py").touch()
        (tmp_path / "accounts" / "migrations" / "__init__.py").touch()
        (tmp_path / "accounts" / "models.py").write_text(MODELS.format(root=root))
        (tmp_path / "accounts" / "store.py").write_text(STORE.format(root=root))
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "site.sqlite3")}
        apps = ["accounts", "django.contrib.auth", "django.contrib.contenttypes", root]
        return run(
            dedent(code),
            path=tmp_path,
            INSTALLED_APPS=apps,
            DATABASES={"default": database},
            MIDDLEWARE=[f"{root}.middleware.SessionMiddleware"],
            SESSION_ENGINE="accounts.store",
        )

    visit.migration = lambda: (tmp_path / "accounts/migrations/0001_initial.py").read_text()
    return visit


def test_a_model_on_our_base_gets_a_table_and_needs_nothing_of_ours_in_its_migration(site):
    site(OURS, MIGRATE + USE)
    site(OURS, NOTHING_TO_DO)
    assert "account_id" in site.migration()
    assert "accounts.models" in site.migration()  # its manager, as it says use_in_migrations
    assert "dj_sessions" not in site.migration()


def test_a_model_that_is_switched_has_nothing_to_migrate_there_nor_back(site):
    site(STOCK, MIGRATE)
    site(OURS, NOTHING_TO_DO + USE)
    site(STOCK, NOTHING_TO_DO)
