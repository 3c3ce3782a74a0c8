"""`base_session` and `models`: the session as a row."""

import pickle
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import models
from django.test import Client, override_settings
from django.test.utils import isolate_apps
from django.urls import path
from django.utils import timezone

from dj_sessions.backends import db
from dj_sessions.base_session import AbstractBaseSession, BaseSessionManager
from dj_sessions.models import Session, SessionManager

KEY = "abcdefgh" * 4
TOMORROW = datetime(2131, 5, 17, tzinfo=UTC)


# The manager


@pytest.mark.usefixtures("databases")
def test_the_manager_saves_a_session_from_its_data():
    saved = Session.objects.save(KEY, {"colour": "green"}, TOMORROW)
    assert type(saved) is Session
    row = Session.objects.get(pk=KEY)
    assert row.expire_date == TOMORROW
    assert row.get_decoded() == {"colour": "green"}
    assert db.SessionStore(KEY)["colour"] == "green"


@pytest.mark.usefixtures("databases")
def test_the_manager_saves_over_what_is_there():
    Session.objects.save(KEY, {"colour": "green"}, TOMORROW)
    Session.objects.save(KEY, {"colour": "blue"}, TOMORROW + timedelta(days=1))
    row = Session.objects.get()
    assert row.get_decoded() == {"colour": "blue"}
    assert row.expire_date == TOMORROW + timedelta(days=1)


@pytest.mark.usefixtures("databases")
def test_the_manager_removes_a_session_that_is_empty():
    Session.objects.save(KEY, {"colour": "green"}, TOMORROW)
    Session.objects.save("other" * 6, {"colour": "green"}, TOMORROW)
    Session.objects.save(KEY, {}, TOMORROW)
    assert [row.pk for row in Session.objects.all()] == ["other" * 6]


def test_the_manager_encodes_as_the_store_of_its_model_does():
    text = Session.objects.encode({"colour": "green"})
    assert db.SessionStore().decode(text) == {"colour": "green"}


@isolate_apps("tests")
def test_a_model_of_one_s_own_has_the_manager_and_its_own_store():
    class Store(db.SessionStore):
        def encode(self, session_dict):
            return f"own {session_dict}"

        def decode(self, session_data):
            return {"read": session_data}

    class Own(AbstractBaseSession):
        account_id = models.IntegerField(null=True)

        @classmethod
        def get_session_store_class(cls):
            return Store

        class Meta(AbstractBaseSession.Meta):
            app_label = "tests"

    assert type(Own.objects) is BaseSessionManager
    assert Own.objects.encode({"a": 1}) == "own {'a': 1}"
    assert Own(KEY, "text", TOMORROW, 7).get_decoded() == {"read": "text"}
    assert Own._meta.verbose_name == "session"
    assert not Own._meta.abstract


@isolate_apps("tests")
def test_a_model_without_a_store_says_what_to_provide():
    class Forgetful(AbstractBaseSession):
        class Meta:
            app_label = "tests"

    for call in (lambda: Forgetful(KEY).get_decoded(), lambda: Forgetful.objects.encode({})):
        with pytest.raises(NotImplementedError, match=r"Forgetful must provide get_session_store"):
            call()


# The model


def test_a_row_that_cannot_be_read_has_no_data(caplog):
    assert Session(KEY, "garbage", TOMORROW).get_decoded() == {}
    assert [record.name for record in caplog.records] == ["django.security.SuspiciousSession"]


def test_the_table_and_its_columns_are_django_s():
    fields = {field.name: field for field in Session._meta.get_fields()}
    assert list(fields) == ["session_key", "session_data", "expire_date"]
    assert Session._meta.db_table == "django_session"
    assert Session._meta.label == "sessions.Session"
    assert fields["session_key"].primary_key
    assert fields["session_key"].max_length == 40
    assert fields["expire_date"].db_index
    assert apps.get_model("sessions.Session") is Session


def test_the_manager_is_known_to_migrations():
    assert type(Session.objects) is SessionManager
    assert SessionManager.use_in_migrations
    assert not getattr(BaseSessionManager, "use_in_migrations", False)


def test_the_store_of_the_model_is_the_database_engine():
    assert Session.get_session_store_class() is db.SessionStore
    assert db.SessionStore.get_model_class() is Session


def test_the_text_of_a_session_is_never_its_key():
    session = Session(KEY, "", TOMORROW)
    for shown in (str(session), repr(session), f"{session}", f"{session!s:>50}"):
        assert KEY not in shown
        assert "abcdef…" in shown
        assert KEY[:7] not in shown
    assert str(Session()) == "—"


def test_a_pickled_row_keeps_its_key():
    session = pickle.loads(pickle.dumps(Session(KEY, "text", TOMORROW)))
    assert (session.pk, session.session_data, session.expire_date) == (KEY, "text", TOMORROW)


# The admin of a site that registers it

site = admin.AdminSite()
site.register(Session)
site.register(LogEntry)
urlpatterns = [path("admin/", site.urls)]


@pytest.fixture
def staff(databases):
    user = get_user_model().objects.create_superuser("ada", "ada@example.com", "secret")
    client = Client()
    client.force_login(user)
    with override_settings(ROOT_URLCONF=__name__):
        yield client


@pytest.fixture
def row(databases):
    Session.objects.save(KEY, {"colour": "green"}, timezone.now() + timedelta(days=1))
    return Session.objects.get(pk=KEY)


@pytest.mark.parametrize(
    "page",
    [
        "",
        f"?q={KEY[:6]}",
        f"{KEY}/change/",
        f"{KEY}/delete/",
        f"{KEY}/history/",
        "add/",
    ],
)
def test_no_admin_page_shows_a_key(staff, row, page):
    response = staff.get(f"/admin/sessions/session/{page}")
    text = re.sub(r"<input[^>]*>|<textarea.*?</textarea>|<[^>]*>", "", response.content.decode())
    assert response.status_code == 200
    assert KEY not in text
    if page != "add/":
        assert "abcdef…" in text


def test_the_admin_deletes_a_session_and_its_log_does_not_keep_the_key(staff, row):
    address = f"/admin/sessions/session/{KEY}/delete/"
    assert staff.post(address, {"post": "yes"}).status_code == 302
    assert not Session.objects.filter(pk=KEY).exists()
    assert LogEntry.objects.get().object_repr == "abcdef…"
    assert db.SessionStore(KEY).get("colour") is None


def test_the_admin_deletes_many_sessions(staff, row):
    Session.objects.save("other" * 6, {"a": 1}, timezone.now() + timedelta(days=1))
    response = staff.post(
        "/admin/sessions/session/",
        {"action": "delete_selected", "_selected_action": [KEY, "other" * 6], "post": "yes"},
    )
    assert response.status_code == 302
    assert not Session.objects.filter(pk__in=[KEY, "other" * 6]).exists()
