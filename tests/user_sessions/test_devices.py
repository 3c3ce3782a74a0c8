"""The page on which users see where they are logged in, and end what they do not want."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path
from django.utils import timezone, translation

from dj_sessions.user_sessions.checks import check_user_sessions
from dj_sessions.user_sessions.models import UserSession

PAGE = "/account/sessions/"
DEVICES = "dj_sessions.user_sessions.urls"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


class LoginPage(LoginView):
    def render_to_response(self, context, **kwargs):
        return HttpResponse("Log in")


urlpatterns = [
    path("account/sessions/", include(DEVICES)),
    path("login/", LoginPage.as_view()),
    path("bounce/", LoginPage.as_view(redirect_authenticated_user=True)),
]


class nested:
    urlpatterns = [path("me/", include(([path("sessions/", include(DEVICES))], "account")))]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=__name__, LOGIN_URL="/login/"):
        yield


@pytest.fixture
def log_in(user):
    """Logs somebody in with a browser of their own; `seen` is how long ago that was used."""

    def log_in(name="ada", agent=FIREFOX, seen=timedelta()):
        client = Client(headers={"User-Agent": agent}, REMOTE_ADDR="192.0.2.7")
        client.post("/login/", {"username": name, "password": "secret"})
        row = UserSession.objects.get(public_id=client.session.public_id)
        row.created = row.last_seen = timezone.now() - seen
        row.save()
        client.row, client.end = row, f"{PAGE}{row.public_id}/end/"
        return client

    return log_in


@pytest.fixture
def here(log_in):
    """The browser in which the page is open."""
    return log_in()


@pytest.fixture
def there(log_in):
    """Another browser of the same user."""
    return log_in(agent=SAFARI, seen=timedelta(hours=3))


@pytest.fixture
def of_another(log_in):
    get_user_model().objects.create_user("bob", password="secret")
    return log_in("bob")


def is_logged_in(client):
    return client.get(PAGE).status_code == 200


def shown(response, element="h3"):
    return re.findall(rf"<{element}>(.*?)</{element}>", response.content.decode())


def buttons(response):
    found = re.findall(r'<button(?: aria-label="(.*?)")?>(.*?)</button>', response.content.decode())
    return [label or text for label, text in found]


# The list


def test_this_device_comes_first_and_each_has_its_words(log_in, there):
    here = log_in(seen=timedelta(days=2))
    page = here.get(PAGE)
    assert shown(page, "h2") == ["This device", "Other devices"]
    assert shown(page) == ["Firefox on Linux", "Safari on iOS"]
    seen = timezone.localtime(there.row.last_seen).isoformat()
    assert shown(page, "dd")[0::3] == [
        "just now",
        f'<time datetime="{seen}">3 hours ago</time>',
    ]
    assert shown(page, "dd")[2::3] == ["192.0.2.0", "192.0.2.0"]
    assert buttons(page) == [
        "Log out",
        "End the session: Safari on iOS, last seen 3 hours ago",
        "End all other sessions",
    ]


def test_one_who_is_logged_in_nowhere_else_is_told_so(here, of_another):
    page = here.get(PAGE)
    assert "You are logged in nowhere else." in page.content.decode()
    assert buttons(page) == ["Log out"]


def test_the_page_has_no_key_and_nothing_caches_it(here, there):
    page = here.get(PAGE)
    for client in (here, there):
        assert client.session.session_key not in page.content.decode()
        assert client.row.public_id in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_what_a_browser_sends_is_text(log_in, here):
    log_in(agent="Firefox/1 <script>alert(1)</script> Linux")
    with override_settings(SESSION_PLACE_OF_ADDRESS=f"{__name__}.marked_up"):
        page = here.get(PAGE).content.decode()
    assert "<script" not in page
    assert "(&lt;b&gt;192.0.2.0)" in page


def marked_up(ip):
    return f"<b>{ip}"


def test_a_stranger_is_sent_to_the_login(databases):
    for method, url in (("get", PAGE), ("post", f"{PAGE}end-others/"), ("post", f"{PAGE}1/end/")):
        assert getattr(Client(), method)(url)["Location"] == f"/login/?next={url}"


# Ending


@override_settings(SESSION_HISTORY_DAYS=1)
def test_one_ends_a_session_elsewhere(here, there):
    answer = here.post(there.end, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "The session is ended." in answer.content.decode()
    assert not is_logged_in(there)
    assert is_logged_in(here)
    there.row.refresh_from_db()
    assert there.row.why == "ended from the list"


@pytest.mark.parametrize(("chosen", "to"), [(None, "/login/"), ("/goodbye/", "/goodbye/")])
def test_to_end_the_present_one_is_to_log_out(here, there, chosen, to):
    with override_settings(LOGOUT_REDIRECT_URL=chosen, SESSION_REAUTH_AGE=1):
        answer = here.post(here.end)
    assert answer["Location"] == to
    assert answer.cookies["sessionid"].value == ""
    assert is_logged_in(there)


def test_one_ends_all_the_others_and_nobody_else_s(log_in, here, there, of_another):
    log_in()
    answer = here.post(f"{PAGE}end-others/", follow=True)
    assert "2 other sessions are ended." in answer.content.decode()
    assert [is_logged_in(client) for client in (here, there, of_another)] == [True, False, True]


def test_nobody_ends_what_is_not_theirs_or_not_there(here, of_another):
    for url in (of_another.end, f"{PAGE}0123456789abcdef/end/"):
        assert here.post(url).status_code == 404
    assert is_logged_in(of_another)


def test_only_a_post_ends_anything(here, there):
    for url in (there.end, here.end, f"{PAGE}end-others/"):
        assert here.get(url)["Location"] == PAGE
    assert is_logged_in(there)


@pytest.mark.parametrize("csrf", ["django.middleware.csrf.CsrfViewMiddleware", None])
def test_no_other_site_ends_anything(log_in, there, csrf, settings):
    if csrf is None:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]
    here = log_in()
    here.handler.enforce_csrf_checks = True
    for url in (there.end, here.end, f"{PAGE}end-others/"):
        assert here.post(url).status_code == 403
    assert is_logged_in(there)
    [token, *_] = re.findall('csrfmiddlewaretoken" value="(.+?)"', here.get(PAGE).content.decode())
    assert here.post(there.end, {"csrfmiddlewaretoken": token}).status_code == 302
    assert not is_logged_in(there)


# Only after a recent login


@pytest.mark.parametrize("what", ["one", "all"])
def test_an_old_login_is_asked_for_again_before_others_are_ended(clock, here, there, what):
    url = there.end if what == "one" else f"{PAGE}end-others/"
    with override_settings(SESSION_REAUTH_AGE=600):
        clock.move(600)
        asked = here.post(url)
        assert asked["Location"].startswith(f"/login/?next={PAGE}%3F_relogin%3D")
        assert is_logged_in(there)
        here.post(asked["Location"], {"username": "ada", "password": "secret"})
        here.post(url)
        assert not is_logged_in(there)


def test_one_who_comes_back_from_the_login_finds_the_page(clock, here):
    with override_settings(SESSION_REAUTH_AGE=600):
        clock.move(600)
        asked = here.post(f"{PAGE}end-others/")
        credentials = {"username": "ada", "password": "secret"}
        answer = here.post(asked["Location"], credentials, follow=True)
    assert answer.redirect_chain[-1] == (PAGE, 302)
    assert "_relogin" not in answer.content.decode()


@override_settings(LOGIN_URL="/bounce/", SESSION_REAUTH_AGE=600)
def test_a_login_page_that_sends_members_away_keeps_nobody_from_ending(clock, here, there):
    clock.move(600)
    answer = here.post(there.end, follow=True)
    assert answer.content == b"Log in"
    assert len(answer.redirect_chain) == 3
    here.post(answer.redirect_chain[-1][0], {"username": "ada", "password": "secret"})
    here.post(there.end)
    assert not is_logged_in(there)


# It fits the site


def test_it_extends_the_template_of_the_site(here, tmp_path, settings):
    (tmp_path / "shop.html").write_text(
        "<title>{% block title %}{% endblock %} | Shop</title>{% block content %}{% endblock %}Bye"
    )
    (tmp_path / "dj_user_sessions").mkdir()
    (tmp_path / "dj_user_sessions/devices.html").write_text(
        "{% extends 'dj_user_sessions/devices.html' %}"
        "{% block devices_introduction %}{{ devices|length }} device{% endblock %}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.SESSION_DEVICES_BASE_TEMPLATE = "shop.html"
    page = here.get(PAGE).content.decode()
    assert "<title>Where you are logged in | Shop</title>" in page
    assert page.endswith("Bye")
    assert "1 device" in page
    assert "change your password" not in page


def test_it_works_in_whichever_namespace(here, there, settings):
    settings.ROOT_URLCONF = nested
    page = here.get("/me/sessions/").content.decode()
    actions = re.findall('action="(.+?)"', page)
    assert [action.startswith("/me/sessions/") for action in actions] == [True] * 3
    assert here.post(actions[1])["Location"] == "/me/sessions/"
    settings.ROOT_URLCONF = __name__
    assert not is_logged_in(there)


def test_a_place_that_cannot_be_found_keeps_nobody_from_the_page(here, caplog):
    with override_settings(SESSION_PLACE_OF_ADDRESS=f"{__name__}.broken"):
        page = here.get(PAGE)
    assert shown(page, "dd")[-1] == "192.0.2.0"
    assert "broken" in caplog.text
    assert "LookupError: no database" in caplog.text


def broken(ip):
    raise LookupError("no database")


@pytest.mark.parametrize(
    ("language", "lang", "button"),
    [
        ("de", "de", "Sitzung beenden: Safari unter iOS, zuletzt gesehen vor 3 Stunden"),
        ("fr", "fr", "Mettre fin à la session\u00a0: Safari sous iOS, vu pour la dernière fois"),
        ("es", "es", "Cerrar la sesión: Safari en iOS, visto por última vez hace 3 horas"),
        ("it", "en", "End the session: Safari on iOS, last seen 3 hours ago"),
    ],
)
def test_it_speaks_one_language_and_says_which(here, there, language, lang, button):
    with translation.override(language):
        page = here.get(PAGE)
    assert f'<section class="dj-devices" lang="{lang}">' in page.content.decode()
    assert buttons(page)[1].startswith(button)


def test_it_needs_no_messages(here, there, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "messages" not in name]
    assert here.post(there.end).status_code == 302
    assert not is_logged_in(there)


# The checks


@pytest.mark.parametrize(
    ("name", "wrong", "right", "id_"),
    [
        ("SESSION_DEVICES_BASE_TEMPLATE", "gone.html", "admin/base.html", "E095"),
        ("SESSION_DEVICES_BASE_TEMPLATE", None, "dj_user_sessions/base.html", "E095"),
        ("SESSION_PLACE_OF_ADDRESS", f"{__name__}.nothing", f"{__name__}.marked_up", "E096"),
        ("SESSION_PLACE_OF_ADDRESS", f"{__name__}.PAGE", None, "E096"),
        ("SESSION_REAUTH_AGE", 0, 1, "E097"),
        ("SESSION_REAUTH_AGE", True, 0.5, "E097"),
        ("SESSION_REAUTH_AGE", "600", None, "E097"),
    ],
)
def test_what_the_page_cannot_use_is_said(name, wrong, right, id_):
    for value, expected in ((wrong, [f"dj_sessions.{id_}"]), (right, [])):
        with override_settings(**{name: value}):
            said = [m for m in check_user_sessions(None) if m.id[-3:] in {"095", "096", "097"}]
        assert [message.id for message in said] == expected
        assert all(f"{name} = {value!r} is not" in message.msg for message in said)


def test_the_page_can_be_in_no_frame_of_another_site(here):
    """Also where the site has no middleware that says so."""
    assert here.get(PAGE).headers["X-Frame-Options"] == "DENY"
