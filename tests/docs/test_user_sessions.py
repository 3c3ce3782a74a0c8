"""What the page `user-sessions` shows does what the text around it says."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection, models
from django.test import Client, RequestFactory, override_settings
from django.test.utils import isolate_apps
from django.urls import path
from django.utils import timezone

from dj_sessions.models import Session
from dj_sessions.user_sessions import sessions_of
from dj_sessions.user_sessions.models import UserSession
from dj_sessions.user_sessions.privacy import address_of
from tests.docs.pages import docs
from tests.user_sessions.rows import session_of

PAGE = docs("user-sessions")
pytestmark = [
    pytest.mark.stores("db", database="sqlite"),
    pytest.mark.usefixtures("listed"),
]


class Urls:
    """A URLconf."""

    def __init__(self, *patterns):
        self.urlpatterns = list(patterns)


def clients(user, number):
    found = [Client(headers={"user-agent": f"Browser {name}/1.0"}) for name in "ABC"[:number]]
    for client in found:
        client.force_login(user)
    return found


def test_a_user_sees_the_sessions_and_ends_the_others(example, user):
    shop = example("user-sessions", "shop.devices")
    urls = Urls(path("devices/", shop.devices), path("end/", shop.end_others))
    with override_settings(ROOT_URLCONF=urls):
        mine, *others = clients(user, 3)
        shown = mine.get("/devices/").json()
        assert [each["this one"] for each in shown].count(True) == 1
        assert len(shown) == 3
        assert mine.get("/end/").status_code == 405
        assert mine.post("/end/").json() == {"ended": 2}
        assert len(mine.get("/devices/").json()) == 1
        assert [other.get("/devices/").status_code for other in others] == [302, 302]


def test_a_queryset_of_users_is_deactivated(example, user):
    clients(user, 2)
    users = get_user_model().objects.filter(is_active=True)
    assert example("user-sessions", "shop.accounts").deactivate(users) == 2
    assert not sessions_of(user).exists()
    assert not get_user_model().objects.filter(is_active=True).exists()


def test_the_form_says_that_there_are_too_many(example, user):
    view = example("user-sessions", "shop.login").LogIn.as_view(template_name="admin/login.html")
    example("user-sessions", "shop.limits")
    limited = {"SESSION_LIMIT_PER_USER": "shop.limits.sessions_allowed"}
    with override_settings(
        ROOT_URLCONF=Urls(path("login/", view), path("admin/", admin.site.urls)),
        SESSION_LIMIT_ACTION="refuse",
        **limited,
    ):
        clients(user, 3)
        form = {"username": "ada", "password": "secret"}
        response = Client().post("/login/", form)
        assert "You are logged in on 3 devices already" in str(response.context["form"].errors)
        user.is_staff = True
        user.save()
        assert Client().post("/login/", form | {"next": "/"}).status_code == 302


# From Django 6.1 on it is said where mails go.
@override_settings(
    MAILERS={"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
)
def test_a_mail_tells_of_a_new_device(example, user):
    example("user-sessions", "shop.new_devices")
    user.is_staff = True
    user.save()
    for browser in ("A/1.0", "B/1.0", "A/1.0", "B/2.0"):  # the last is an update
        client = Client(headers={"user-agent": f"Browser {browser}"})
        client.post("/admin/login/", {"username": "ada", "password": "secret"})
    assert [message.body for message in mail.outbox] == [
        "Somebody has logged in with Browser A/1.0.",
        "Somebody has logged in with Browser B/1.0.",
    ]


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("198.51.100.7", "198.51.100.0"),
        ("6.6.6.6, 198.51.100.7", "198.51.100.0"),  # the first is the visitor's invention
        ("6.6.6.6, nonsense", None),
        (None, None),
    ],
)
def test_the_address_is_that_which_the_proxy_has_seen(example, store, header, address):
    example("user-sessions", "shop.addresses")
    headers = {"x-forwarded-for": header} if header else {}
    request = RequestFactory().get("/", headers=headers)
    with override_settings(SESSION_CLIENT_ADDRESS="shop.addresses.client_address"):
        assert address_of(request) == address


def test_the_fields_are_those_of_the_model():
    named = {word.strip("`") for row in PAGE.rows for word in row["Field"].split(", ")}
    assert named - {"why"} == {field.name for field in UserSession._meta.fields} - {
        "id",
        "stored_key",
    }


@isolate_apps("tests.docs")
def test_sessions_of_another_table_are_taken_over(example, user, monkeypatch):
    class Old(models.Model):
        """As django-qsessions has it."""

        session_key = models.CharField(max_length=40, primary_key=True)
        session_data = models.TextField()
        expire_date = models.DateTimeField()
        created_at = models.DateTimeField()

        class Meta:
            app_label = "docs"

        def __str__(self):
            return self.pk[:6]

    login = timezone.now() - timezone.timedelta(days=5)
    taken = session_of(user)
    [row] = Session.objects.all()
    UserSession.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.create_model(Old)
    try:
        Old.objects.create(pk=row.pk, **values_of(row), created_at=login)
        Old.objects.create(pk="x" * 32, session_data="", expire_date=login, created_at=login)
        row.delete()
        monkeypatch.setattr(apps, "get_model", lambda label, name: Old)
        shop = example("user-sessions", "shop.take_over")
        for _ in range(2):
            shop.copy_sessions("qsessions")
        assert [each.pk for each in Session.objects.all()] == [taken.session_key]
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Old)


def values_of(row):
    return {"session_data": row.session_data, "expire_date": row.expire_date}
