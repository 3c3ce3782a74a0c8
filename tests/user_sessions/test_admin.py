"""The admin of the list of sessions, and that of the model ``Session``."""

import re
from unittest import mock

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.urls import path, reverse
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.admin import SessionAdmin
from dj_sessions.user_sessions.admin import SessionsOfUserMixin
from dj_sessions.user_sessions.models import UserSession
from tests.fresh import run
from tests.user_sessions.rows import row_of, session_of

pytestmark = pytest.mark.stores("db", database="sqlite")

LIST = "admin:dj_user_sessions_usersession_changelist"
PAGE = "admin:dj_user_sessions_usersession_change"


class LinkedUserAdmin(SessionsOfUserMixin, UserAdmin):
    """As a site has one for a user model of its own."""


class PlainUserAdmin(SessionsOfUserMixin, admin.ModelAdmin):
    """Without fieldsets."""


own = admin.AdminSite("own")
own.register(Session, SessionAdmin)
own.register(get_user_model(), LinkedUserAdmin)
bare = admin.AdminSite("bare")
bare.register(get_user_model(), PlainUserAdmin)
urlpatterns = [
    path("admin/", admin.site.urls),
    path("own/", own.urls),
    path("bare/", bare.urls),
]
own_sites = override_settings(ROOT_URLCONF=__name__)


@pytest.fixture
def boss(store):
    return get_user_model().objects.create_superuser("boss", "boss@example.com", "secret")


@pytest.fixture
def client(boss):
    client = Client()
    client.force_login(boss)
    return client


def staff(*permissions):
    """Somebody with these permissions alone, in a browser."""
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def listed(client, **query):
    text = client.get(reverse(LIST), query).content.decode()
    return set(re.findall(r'field-public_id"><a[^>]*>(\w{16})<', text)), text


def end(client, *rows, **more):
    chosen = {"action": "end_selected", "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(LIST), chosen | more)


def test_the_list_shows_neither_keys_nor_data(client, user):
    session = session_of(user, note="very private")
    row = row_of(user, session)
    for page in (reverse(LIST), reverse(PAGE, args=[row.pk])):
        text = client.get(page).content.decode()
        assert row.public_id in text
        assert "very private" not in text
        assert session.session_key not in text


def test_it_is_filtered_and_searched(client, user, boss):
    first = row_of(user, ip_address="203.0.113.0")
    other = row_of(boss, ip_address="198.51.100.0", engine="dj_sessions.backends.cache")
    over = row_of(user, ended=timezone.now(), reason="flushed", ip_address=None)
    assert {first.public_id, other.public_id} <= listed(client, state="live")[0]
    found, text = listed(client, state="ended")
    assert found == {over.public_id}
    assert "logged out" in text
    assert listed(client, user=user.pk)[0] == {first.public_id, over.public_id}
    assert listed(client, engine="dj_sessions.backends.cache")[0] == {other.public_id}
    assert listed(client, q="ada")[0] == {first.public_id, over.public_id}
    assert listed(client, q="198.51")[0] == {other.public_id}
    assert listed(client, q=over.public_id[:9])[0] == {over.public_id}


def test_a_user_who_cannot_be_is_not_looked_for(client):
    assert client.get(reverse(LIST), {"user": "nobody"}).headers["location"].endswith("?e=1")
    assert listed(client, user=987_654)[0] == set()


class UsersElsewhere:
    """A router of a site that has its users in another database."""

    def db_for_read(self, model, **hints):
        return "replica" if model is get_user_model() else None


def test_names_of_users_in_another_database_are_not_searched(client, user):
    row = row_of(user)
    with override_settings(DATABASE_ROUTERS=[UsersElsewhere()]):
        fields = admin.site.get_model_admin(UserSession).get_search_fields(None)
    assert fields == ["^ip_address", "^public_id"]
    assert listed(client, q=row.public_id)[0] == {row.public_id}


def test_ending_asks_first_and_is_written_into_the_history_of_the_user(client, user, boss, store):
    session = session_of(user)
    row, kept = row_of(user, session), row_of(user)
    text = end(client, row).content.decode()
    assert "One session will be ended." in text
    assert row.public_id in text
    assert store.SessionStore().exists(session.session_key)
    shown = end(client, row, post="yes")
    assert shown.status_code == 302
    assert "1 session was ended." in client.get(shown.url).content.decode()
    assert not store.SessionStore().exists(session.session_key)
    assert row.public_id not in listed(client, state="live")[0]
    assert kept.public_id in listed(client, state="live")[0]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.object_repr) == (boss, str(user.pk), "ada")
    assert entry.get_change_message() == f"Ended the session {row.public_id}."


def test_one_that_cannot_be_ended_keeps_no_other_alive(client, user, store):
    session = session_of(user)
    row, lost = row_of(user, session), row_of(user)  # the newest is ended first
    store.SessionStore().get_storage().remove(lost.stored_key)
    full = mock.patch.object(store.Storage, "insert", side_effect=MemoryError)
    with full, pytest.raises(MemoryError):  # its place cannot be kept from a login
        end(client, lost, row, post="yes")
    assert not store.SessionStore().exists(session.session_key)


def test_all_that_match_are_ended_without_a_field_for_each(client, user, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 6
    rows = [row_of(user) for _ in range(7)]
    page = f"{reverse(LIST)}?user={user.pk}"
    chosen = {"action": "end_selected", "_selected_action": rows[0].pk, "select_across": 1}
    text = client.post(page, chosen).content.decode()
    assert "7 sessions will be ended." in text
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    fields.pop("csrfmiddlewaretoken", None)
    client.post(page, fields)
    assert not UserSession.objects.live().filter(user=user).exists()
    assert LogEntry.objects.count() == 7


def test_one_s_own_session_goes_on(client, boss, store):
    own = row_of(boss, client.session)
    text = client.get(end(client, own, post="yes").url).content.decode()
    assert "Your own session goes on." in text
    assert "There was no other session to be ended." in text


def test_nothing_can_be_added_changed_or_deleted(client, user):
    row = row_of(user)
    page = reverse(PAGE, args=[row.pk])
    assert client.get(reverse("admin:dj_user_sessions_usersession_add")).status_code == 403
    assert client.post(page, {"ip_address": "192.0.2.1"}).status_code == 403
    delete = reverse("admin:dj_user_sessions_usersession_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert delete not in client.get(page).content.decode()
    assert "delete_selected" not in listed(client)[1]
    row.refresh_from_db()
    assert row.ip_address == "203.0.113.0"


def test_to_look_is_one_permission_and_to_end_another(client, user):
    row = row_of(user)
    clerk = staff("view_usersession")
    found, text = listed(clerk)
    assert row.public_id in found
    assert "end_selected" not in text
    end(clerk, row, post="yes")
    assert listed(clerk, state="live")[0] >= {row.public_id}
    get_user_model().objects.filter(username="clerk").delete()
    end(staff("delete_usersession"), row, post="yes")
    assert row.public_id not in listed(client, state="live")[0]
    get_user_model().objects.filter(username="clerk").delete()
    assert staff("view_user").get(reverse(LIST)).status_code == 403


def test_sessions_of_accounts_that_are_gone_can_be_ended_too(client):
    session = session_of(None, **{SESSION_KEY: "987654"})
    row = UserSession.objects.get(public_id=session.public_id)
    assert "(987654)" in listed(client)[1]
    assert client.get(reverse(PAGE, args=[row.pk])).status_code == 200
    assert "(987654)" in end(client, row).content.decode()
    assert end(client, row, post="yes").status_code == 302
    assert session.public_id not in listed(client, state="live")[0]


def test_who_may_delete_a_user_may_do_so_though_sessions_are_listed(user, store):
    row_of(user)
    delete = reverse("admin:auth_user_delete", args=[user.pk])
    staff("delete_user", "view_user").post(delete, {"post": "yes"})
    assert not get_user_model().objects.filter(pk=user.pk).exists()


def test_the_page_of_a_user_has_a_link_to_the_sessions(client, user):
    row, text = row_of(user), client.get(page_of(user)).content.decode()
    [link] = re.findall(r'<a href="([^"]*)">Sessions</a>', text)
    assert row.public_id in client.get(link.replace("&amp;", "&")).content.decode()
    clerk = staff("view_user")
    assert ">Sessions</a>" not in clerk.get(page_of(user)).content.decode()


def page_of(user, site="admin"):
    return reverse(f"{site}:auth_user_change", args=[user.pk])


@own_sites
def test_an_admin_of_one_s_own_has_it_by_a_mixin(client, user):
    row_of(user)
    text = client.get(page_of(user, "bare")).content.decode()
    assert text.count("field-sessions") == 1  # and no link: that site does not show them
    text = client.get(page_of(user, "own")).content.decode()
    assert text.count("field-sessions") == 1
    assert client.get(reverse("own:auth_user_add")).status_code == 200


# Session


@own_sites
@pytest.mark.parametrize("form", ["plain", "hashed"])
def test_the_stored_sessions_are_shown_without_their_keys(client, user, form):
    with override_settings(SESSION_KEY_STORAGE=[form]):
        session = session_of(user, note="very private")
    name = _keys.FORMS[form](session.session_key)
    page = reverse("own:sessions_session_changelist")
    text = client.get(page).content.decode()
    [link] = re.findall(rf'href="([^"]*{session.public_id}[^"]*)"', text)
    for shown in (text, client.get(link).content.decode()):
        assert _keys.shorten(name) in shown
        assert session.public_id in shown
        assert name not in shown
        assert name[:8] not in shown + link
        assert "very private" not in shown
    for other in (
        name,
        session.public_id,
        f"a-{session.public_id}",
        f"{name[:6]}-0123456789abcdef",
    ):
        assert client.get(f"{page}{other}/change/").status_code == 302
    assert client.post(link).status_code == 403


def test_no_admin_of_it_is_registered_by_itself():
    assert not admin.site.is_registered(Session)


# A user model of the site's own

MODELS = """
from uuid import uuid4
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

class Member(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid4)
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    objects = BaseUserManager()
"""
MEMBERS = """
from django.contrib import admin
from django.contrib.auth import SESSION_KEY, get_user_model
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone
from dj_sessions.user_sessions.models import UserSession

call_command("migrate", run_syncdb=True, verbosity=0)
members = [get_user_model().objects.create(email=f"{name}@example.com") for name in ("a", "b")]
for number, member in enumerate(members):
    now = timezone.now()
    UserSession.objects.create(user=member, public_id=str(number), stored_key="k", created=now,
        last_seen=now, expires=now, engine="dj_sessions.backends.db")
rows = admin.site._registry[UserSession]
request = RequestFactory().get("/")
found, _ = rows.get_search_results(request, rows.get_queryset(request), "b@example")
print(*found)
call_command("usersessions", users=["b@example.com"])
"""


def test_a_user_model_of_a_site_with_another_name_and_key(tmp_path):
    (tmp_path / "club").mkdir()
    (tmp_path / "club" / "__init__.py").touch()
    (tmp_path / "club" / "models.py").write_text(MODELS)
    said = run(
        MEMBERS,
        path=tmp_path,
        INSTALLED_APPS=[
            *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
            *("dj_sessions", "dj_sessions.user_sessions", "django.contrib.messages", "club"),
        ],
        AUTH_USER_MODEL="club.Member",
        SILENCED_SYSTEM_CHECKS=["admin"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    assert said.splitlines()[0] == "1"
