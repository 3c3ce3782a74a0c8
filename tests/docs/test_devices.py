"""The page `devices`: its examples work, and its tables are those of the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.contrib.auth.views import LoginView
from django.test import override_settings
from django.urls import include, path

from dj_sessions import user_sessions
from dj_sessions.serializers import JSONSerializer
from dj_sessions.user_sessions.in_words import Device, place_of
from dj_sessions.user_sessions.relogin import AUTHENTICATED_AT
from tests.docs.pages import docs

PAGE = docs("devices")
TEMPLATES = Path(user_sessions.__file__).parent / "templates/dj_user_sessions"


def table(introduction):
    """The first column of the table that follows these words."""
    found = re.search(re.escape(introduction) + r"\n\n((?:\|.*\n)+)", PAGE.text)
    return re.findall(r"^\| `(\w+)`", found[1], re.MULTILINE)


@pytest.fixture
def visitor(mode, user, listed, clock):
    client = mode.client()
    client.force_login(user)
    return client


def test_the_example_has_the_page(example, visitor):
    with override_settings(ROOT_URLCONF=example("devices", "shop.urls")):
        page = visitor.get("/account/sessions/")
    assert page.status_code == 200
    assert {*table("The context has:")} == {*page.context_data} - {"view"}


def test_the_examples_fit_the_page_into_a_site(visitor, tmp_path, settings):
    (tmp_path / "site.html").write_text(
        "<title>{% block page_title %}{% endblock %} | Shop</title>{% block main %}{% endblock %}"
    )
    for fence in PAGE.all("html"):
        if found := re.match("{# templates/(.+) #}", fence.text):
            (tmp_path / found[1]).parent.mkdir(exist_ok=True)
            (tmp_path / found[1]).write_text(fence.text)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.ROOT_URLCONF = (path("", include("dj_sessions.user_sessions.urls")),)
    settings.SESSION_DEVICES_BASE_TEMPLATE = "account_base.html"
    page = visitor.get("/").content.decode()
    assert "<title>Where you are logged in | Shop</title>" in page
    assert '<a href="/help/">Write to us</a>' in page
    assert "<h2>This device</h2>" in page


def test_the_blocks_are_those_of_the_template():
    source = (TEMPLATES / "devices.html").read_text()
    blocks = re.findall("{% block (devices_[a-z_]+) %}", source)
    assert re.findall(r"^\| `(devices_\w+)`", PAGE.text, re.MULTILINE) == blocks


def test_the_attributes_are_those_of_a_device():
    assert table("and a device has:") == [*(field.name for field in fields(Device)), "button"]


def test_the_classes_are_those_of_the_templates():
    source = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    classes = set(re.findall(r"`\.(dj-[\w-]+)`", PAGE.text))
    assert classes == set(re.findall('class="([^"]+)"', source))


def test_the_place_is_what_the_function_says(example):
    example("devices", "shop.places")
    [chosen] = [fence for fence in PAGE.settings if "PLACE" in fence.text]
    with override_settings(**chosen.settings()):
        assert place_of("192.0.2.0") == "Our office"
        assert place_of("198.51.100.0") == ""


def test_a_view_asks_for_a_recent_login(example, visitor, clock):
    views = example("devices", "shop.views")
    urls = [
        path("delete/", views.delete_account),
        path("codes/", views.show_backup_codes),
        path("login/", LoginView.as_view()),
    ]
    [age] = [fence for fence in PAGE.settings if "REAUTH" in fence.text]
    with override_settings(ROOT_URLCONF=tuple(urls), LOGIN_URL="/login/", **age.settings()):
        clock.move(299)
        assert [visitor.get(url).status_code for url in ("/delete/", "/codes/")] == [200, 200]
        clock.move(300)
        assert [visitor.get(url).status_code for url in ("/delete/", "/codes/")] == [302, 200]
        clock.move(600)
        assert visitor.get("/codes/")["Location"].startswith("/login/?next=/codes/")


def test_the_login_page_says_why_it_asks(example, visitor, clock, tmp_path, settings):
    [shown] = [fence for fence in PAGE.all("html") if "_relogin" in fence.text]
    (tmp_path / "registration").mkdir()
    (tmp_path / "registration" / "login.html").write_text(shown.text)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    codes = path("codes/", example("devices", "shop.views").show_backup_codes)
    settings.ROOT_URLCONF = (codes, path("login/", LoginView.as_view()))
    settings.LOGIN_URL, settings.SESSION_REAUTH_AGE = "/login/", 600
    clock.move(601)
    asked = visitor.get("/codes/")["Location"]
    assert "enter your password again" in visitor.get(asked).content.decode()
    assert visitor.get("/login/?next=/codes/").content.decode().strip() == ""


def test_the_time_takes_as_many_bytes_as_the_page_says():
    said = int(re.search(r"`_authenticated_at`: (\d+) bytes", PAGE.text)[1])
    with_it = {"colour": "green", AUTHENTICATED_AT: 1_800_000_000}
    serializer = JSONSerializer()
    assert len(serializer.dumps(with_it)) - len(serializer.dumps({"colour": "green"})) == said
