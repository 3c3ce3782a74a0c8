"""Sessions that end because something happens to their user."""

from __future__ import annotations

from unittest import mock

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model, login, update_session_auth_hash
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.http import HttpResponse
from django.test import override_settings
from django.test.utils import isolate_apps
from django.urls import path

from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import automatic, end_sessions
from dj_sessions.user_sessions.models import UserSession
from tests.fresh import run

pytestmark = [pytest.mark.stores(name=("db-postgres", "redis")), pytest.mark.modes("sync")]


def log_in_view(request):
    user = get_user_model().objects.get(username="ada")
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse()


def change_password(request):
    request.user.set_password("another one")
    request.user.save()
    update_session_auth_hash(request, request.user)
    return HttpResponse()


urlpatterns = [
    path("in/", log_in_view),
    path("change/", change_password),
    path("who/", lambda request: HttpResponse(request.user)),
]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=__name__, SESSION_HISTORY_DAYS=1):
        yield


@pytest.fixture
def keys(log_in, user):
    return [log_in(user).session_key for _ in range(2)]


@pytest.fixture
def left(store, keys):
    return lambda: sum(SESSION_KEY in store.SessionStore(key) for key in keys)


def reasons():
    return {row.reason for row in UserSession.objects.all()}


def test_a_new_password_ends_the_others(mode, user, left):
    client = mode.client()
    client.get("/in/")
    client.get("/change/")
    assert left() == 0
    assert client.get("/who/").content == b"ada"
    assert reasons() == {EndReason.PASSWORD_CHANGED, ""}


def test_elsewhere_a_new_password_ends_all(user, left):
    user.set_password("another one")
    user.save(update_fields=["password"])
    assert left() == 0


def test_what_changes_nothing_ends_nothing(user, left, store):
    user.email = "new@example.com"
    user.save()
    user.save(update_fields=["last_login"])
    with pytest.raises(ZeroDivisionError), transaction.atomic(store.database):  # noqa: PT012
        user.is_active = False
        user.save()
        raise ZeroDivisionError
    assert left() == 2


def test_deactivation_ends_all(user, left):
    user.is_active = False
    user.save()
    assert left() == 0
    assert reasons() == {EndReason.DEACTIVATED}


def test_deletion_ends_all(user, left):
    get_user_model().objects.all().delete()
    assert left() == 0
    assert UserSession.objects.count() == 0


def test_what_the_setting_does_not_name_ends_nothing(user, left):
    with override_settings(SESSION_END_ON=[]):
        user.set_password("another one")
        user.is_active = False
        user.save()
        user.groups.add(Group.objects.create(name="staff"))
        user.delete()
    assert left() == 2


MODELS = """
from django.contrib.auth.models import User

class Proxy(User):
    class Meta:
        proxy = True

class Child(User):
    pass
"""
CUSTOMERS = """
from django.core.management import call_command
from dj_sessions.user_sessions import sessions_of
from shop.models import Child, Proxy
from tests.user_sessions.rows import session_of

call_command("migrate", run_syncdb=True, verbosity=0)
for model in (Proxy, Child):
    customer = model.objects.create(username=model.__name__)
    session_of(customer)
    customer.is_active = False
    customer.save()
    print(sessions_of(customer.pk).count())
    session = session_of(customer)
    customer.delete()
    print("_auth_user_id" in type(session)(session.session_key))
"""


def test_proxies_and_children_of_the_user_model_are_users(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(MODELS)
    said = run(
        CUSTOMERS,
        path=tmp_path,
        INSTALLED_APPS=[
            *("django.contrib.auth", "django.contrib.contenttypes"),
            *("dj_sessions", "dj_sessions.user_sessions", "shop"),
        ],
        MIGRATION_MODULES=dict.fromkeys(
            ["auth", "contenttypes", "sessions", "dj_user_sessions", "shop"]
        ),
    )
    assert said.split() == ["0", "False"] * 2


CHANGES = {
    "a group": lambda user, group, permission: user.groups.add(group),
    "a member": lambda user, group, permission: group.user_set.add(user),
    "a permission": lambda user, group, permission: user.user_permissions.add(permission),
    "staff": lambda user, group, permission: (setattr(user, "is_staff", True), user.save()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_permissions_end_sessions_where_the_setting_says_so(user, left, what):
    group, permission = Group.objects.create(name="staff"), Permission.objects.first()
    with override_settings(SESSION_END_ON=["permissions"]):
        CHANGES[what](user, group, permission)
    assert left() == 0
    assert reasons() == {EndReason.PERMISSIONS_CHANGED}


def test_a_group_that_one_has_already_ends_nothing(user, left):
    group, permission = Group.objects.create(name="staff"), Permission.objects.first()
    group.permissions.add(permission)
    user.groups.add(group)
    with override_settings(SESSION_END_ON=["permissions"]):
        user.groups.add(group)
        group.user_set.add(user)
        group.permissions.add(permission)
    assert left() == 2


@pytest.mark.parametrize(
    "what", ["cleared", "members cleared", "permission of a group", "group deleted"]
)
def test_permissions_that_groups_lose_or_get_end_sessions(user, left, what):
    group = Group.objects.create(name="staff")
    user.groups.add(group)
    with override_settings(SESSION_END_ON=["permissions"]):
        if what == "cleared":
            user.groups.clear()
        elif what == "members cleared":
            group.user_set.clear()
        elif what == "group deleted":
            group.delete()
        else:
            group.permissions.add(Permission.objects.first())
    assert left() == 0


@isolate_apps("tests")
def test_a_user_who_is_saved_as_a_proxy_is_a_user(user, left):
    class Member(get_user_model()):
        class Meta:
            proxy = True
            app_label = "tests"

    both = [get_user_model(), Member]
    with mock.patch.object(automatic.apps, "get_models", return_value=both):
        automatic.connect()
    member = Member._base_manager.get(pk=user.pk)
    member.is_active = False
    member.save()
    for signal in (pre_save, pre_delete):
        signal.disconnect(automatic.before_save, sender=Member)
        signal.disconnect(automatic.before_delete, sender=Member)
    for signal in (post_save, post_delete):
        signal.disconnect(automatic.after_save, sender=Member)
        signal.disconnect(automatic.after_delete, sender=Member)
    assert left() == 0
    assert reasons() == {EndReason.DEACTIVATED}


class ListElsewhere:
    """A router of a site that has the list in a database of its own."""

    def db_for_read(self, model, **hints):
        return "replica" if model is UserSession else "default"

    db_for_write = db_for_read


@pytest.mark.stores(name="redis")
def test_users_in_another_database_than_the_list(databases, log_in, store, user):
    with override_settings(DATABASE_ROUTERS=[ListElsewhere()]):
        eve, bob = map(get_user_model().objects.create_user, ("eve", "bob"))
        sessions = [log_in(each) for each in (eve, bob)]
        assert end_sessions(get_user_model().objects.filter(username="eve")) == 1
        assert [row.user for row in UserSession.objects.filter(ended=None)] == [bob]
        bob.delete()
        assert [row.user_id for row in UserSession.objects.all()] == [eve.pk]
        assert not any(SESSION_KEY in store.SessionStore(each.session_key) for each in sessions)
