"""The page `warning`: its example works, and its tables and numbers are those of the code."""

import inspect
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpResponse
from django.template import engines
from django.test import override_settings
from django.urls import include, path

import dj_sessions
from dj_sessions.templatetags.dj_sessions import session_expiry_warning
from tests.docs.pages import docs

PAGE = docs("warning")
SCRIPT = next(Path(dj_sessions.__file__).parent.rglob("session_expiry_warning.js")).read_text()


def test_the_example_warns_a_visitor_who_is_logged_in(example, mode, user):
    urls = example("warning", "shop.urls")
    template = engines["django"].from_string(PAGE.all("html")[0].text)
    page = path("", lambda request: HttpResponse(template.render({}, request)))
    root = type("urls", (), {"urlpatterns": [*urls.urlpatterns, page]})
    client = mode.client()
    with override_settings(ROOT_URLCONF=root):
        assert "<dialog" not in client.get("/").content.decode()
        client.force_login(user)
        assert "<dialog" in client.get("/").content.decode()
        answer = client.get("/session/remaining/").json()
    [shown] = PAGE.all("json")
    assert list(answer) == list(json.loads(shown.text))
    assert [row["Key"].strip("`") for row in PAGE.sections["The URL"].rows] == list(answer)


def test_the_example_for_the_admin_warns_on_its_pages(mode, user, tmp_path):
    example = next(fence.text for fence in PAGE.all("html") if "admin/base_site" in fence.text)
    own = tmp_path / re.match(r"{# templates/(\S+) #}", example)[1]
    own.parent.mkdir()
    own.write_text(example)
    site = AdminSite()  # without what other tests have registered
    urls = [path("admin/", site.urls), path("session/", include("dj_sessions.urls"))]
    client = mode.client()
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    with override_settings(
        TEMPLATES=[settings.TEMPLATES[0] | {"DIRS": [tmp_path]}],
        ROOT_URLCONF=type("urls", (), {"urlpatterns": urls}),
    ):
        shown = client.get("/admin/").content.decode()
    assert "<dialog" in shown
    assert 'method="post" action="/admin/logout/" data-part="form"' in shown


def test_the_example_of_a_post_renews_the_session(mode, user, databases):
    example = PAGE.sections["The URL"].all("html")[0].text
    address, method, header = re.search(
        r'fetch\("(.+)", { method: "(\w+)", headers: { "(.+)": token', example
    ).groups()
    urls = [path("session/", include("dj_sessions.urls"))]
    client = mode.client(enforce_csrf_checks=True)
    client.force_login(user)
    token = client.raw.cookies["csrftoken"] = "a" * 32
    with override_settings(ROOT_URLCONF=type("urls", (), {"urlpatterns": urls})):
        answers = [
            getattr(client, method.lower())(address, headers=headers)
            for headers in ({}, {header: token})
        ]
    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[1].cookies["sessionid"]


def test_the_options_are_those_of_the_tag():
    rows = {row["Argument"].strip("`"): row["Default"] for row in PAGE.sections["Options"].rows}
    _, *parameters = inspect.signature(session_expiry_warning).parameters.values()
    assert list(rows) == [parameter.name for parameter in parameters]
    assert rows["lead"] == str(parameters[0].default)
    assert f"{parameters[0].default // 60} minutes" in PAGE.text


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("const RETRY = 5 * SECOND", "tries again every five seconds"),
        ("const STEPS = [10, 30]", "each minute, and then at 30 and at 10 seconds"),
        ("this.#longest / 2", "after half of it: with 180 s, after 90 s"),
    ],
)
def test_numbers_are_those_of_the_script(line, sentence):
    assert line in SCRIPT
    assert sentence in " ".join(PAGE.text.split())


def test_the_languages_are_those_that_are_translated():
    named = re.search(r"The texts come in English, (\w+), (\w+) and (\w+)", PAGE.text)
    folders = {path.name for path in (Path(dj_sessions.__file__).parent / "locale").iterdir()}
    assert {{"German": "de", "French": "fr", "Spanish": "es"}[name] for name in named.groups()} == (
        folders
    )
