"""`recent_login_required`: who has just logged in, and the way to the login page and back."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from dj_sessions.backends.db import SessionStore
from dj_sessions.user_sessions.decorators import authenticated_at, recent_login_required
from dj_sessions.user_sessions.relogin import page_of, to_login
from tests.counters import statements

AGE = 300


def done(request, **kwargs):
    return HttpResponse(request.GET.urlencode() or "done")


async def adone(request, **kwargs):
    return HttpResponse(request.GET.urlencode() or "done")


def when(request):
    return HttpResponse(str(authenticated_at(request.session)))


@method_decorator(recent_login_required(AGE), name="dispatch")
class Done(View):
    def get(self, request):
        return HttpResponse("done")


class AsyncDone(View):
    async def get(self, request):
        return HttpResponse("done")


class LoginPage(LoginView):
    def render_to_response(self, context, **kwargs):
        return HttpResponse("Log in")


urlpatterns = [
    path("sync/", recent_login_required(AGE)(done)),
    path("async/", recent_login_required(AGE)(adone)),
    path("sync/setting/", recent_login_required(done)),
    path("async/setting/", recent_login_required()(adone)),
    path("sync/class/", Done.as_view()),
    path("async/class/", recent_login_required(AGE)(AsyncDone.as_view())),
    path("sync/other/", recent_login_required(AGE, login_url="https://id.example.com/")(done)),
    path("async/other/", recent_login_required(AGE, login_url="https://id.example.com/")(adone)),
    path("sync/member/", login_required(done)),
    path("async/member/", login_required(adone)),
    path("sync/when/", when),
    path("async/when/", when),
    path("login/", LoginPage.as_view()),
    path("bounce/", LoginPage.as_view(redirect_authenticated_user=True)),
]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=__name__, LOGIN_URL="/login/", LOGIN_REDIRECT_URL="/home/"):
        yield


@pytest.fixture
def visitor(mode, user, clock):
    """A client that has just logged in."""
    client = mode.client()
    assert client.login(username="ada", password="secret")
    return client


def target(response):
    """Where a redirect to the login page leads back to, and the mark in it."""
    assert response.status_code == 302
    [back] = parse_qs(urlsplit(response["Location"]).query)["next"]
    marks = parse_qs(urlsplit(back).query).get("_relogin")
    return back, marks and marks[0]


def log_in(client, response):
    return client.post(response["Location"], {"username": "ada", "password": "secret"})


@pytest.mark.parametrize("place", ["", "class/"])
def test_an_old_login_is_asked_for_again_and_leads_back(visitor, mode, clock, place):
    url = f"/{mode.name}/{place}"
    assert visitor.get(url).content == b"done"
    clock.move(AGE - 1)
    assert visitor.get(url).content == b"done"
    clock.move(AGE)
    asked = visitor.get(url)
    assert asked["Location"].startswith("/login/?")
    back, mark = target(asked)
    assert back == f"{url}?_relogin={mark}"
    assert visitor.get(f"/{mode.name}/member/").content == b"done", "still logged in"
    returned = log_in(visitor, asked)
    assert returned["Location"] == back
    cleaned = visitor.get(back)
    assert cleaned["Location"] == url
    assert visitor.get(url).content == b"done"


def test_the_query_comes_back_as_it_was(visitor, mode, clock):
    clock.move(AGE)
    asked = visitor.get(f"/{mode.name}/?a=1&b=x%26y&a=2")
    cleaned = visitor.get(log_in(visitor, asked)["Location"])
    assert visitor.get(cleaned["Location"]).content == b"a=1&a=2&b=x%26y"


def test_a_login_of_the_same_user_keeps_the_data_and_renews_the_time(visitor, mode, clock):
    assert visitor.get(f"/{mode.name}/when/").content.decode() == str(clock.start)
    session = visitor.raw.session
    session["cart"] = [1]
    session.save()
    clock.move(AGE)
    log_in(visitor, visitor.get(f"/{mode.name}/"))
    assert visitor.get(f"/{mode.name}/when/").content.decode() == str(clock.after(seconds=AGE))
    assert visitor.raw.session["cart"] == [1]
    assert "_relogin" not in visitor.raw.session


def test_a_stranger_is_sent_to_the_login_and_gets_no_session(mode, databases):
    with statements() as seen:
        asked = mode.client().get(f"/{mode.name}/")
    assert target(asked) == (f"/{mode.name}/", None)
    assert not asked.cookies
    assert seen == []


def test_a_recent_login_costs_no_more_than_any(visitor, mode):
    visitor.get(f"/{mode.name}/member/")
    with statements() as of_login:
        visitor.get(f"/{mode.name}/member/")
    with statements() as of_recent:
        visitor.get(f"/{mode.name}/")
    assert len(of_recent) == len(of_login) > 0


@pytest.mark.parametrize(
    ("sender", "back"),
    [
        ("http://testserver/form/?step=2", "/form/?step=2"),
        ("http://testserver", "/"),
        (None, "/home/"),
        ("http://evil.example/form/", "/home/"),
        ("http://testserver.evil.example/", "/home/"),
        ("http://testserver@evil.example/", "/home/"),
        ("http://testserver//evil.example/", "/%2Fevil.example/"),
        ("javascript:alert(1)", "/home/"),
        ("http://testserver\\@evil.example/", "/home/"),
    ],
)
def test_after_a_post_one_comes_back_to_the_page_that_sent_it(visitor, mode, clock, sender, back):
    clock.move(AGE)
    headers = {"Referer": sender} if sender else {}
    asked = visitor.post(f"/{mode.name}/", headers=headers)
    assert target(asked) == (back, None)


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_with_two_slashes_leads_to_no_other_host(method):
    sender = "http://testserver//evil.example/"
    request = getattr(RequestFactory(), method)("/", headers={"Referer": sender})
    request.path = "//evil.example/"  # which Django's client would take for a host
    request.user = AnonymousUser()
    request.session = SessionStore()
    assert target(to_login(request, page_of(request))) == ("/%2Fevil.example/", None)


def test_a_login_page_elsewhere_gets_the_whole_address(visitor, mode, clock):
    clock.move(AGE)
    asked = visitor.get(f"/{mode.name}/other/")
    assert asked["Location"].startswith("https://id.example.com/?next=")
    assert target(asked)[0].startswith(f"http://testserver/{mode.name}/other/?_relogin=")


def test_the_same_user_keeps_the_key_in_a_recent_login(visitor, mode, clock):
    clock.move(AGE)
    key = visitor.cookies["sessionid"].value
    address = visitor.get(f"/{mode.name}/")["Location"]
    visitor.post(address, {"username": "ada", "password": "secret"})
    assert visitor.get(f"/{mode.name}/").status_code == 200
    assert visitor.cookies["sessionid"].value == key


@override_settings(LOGIN_URL="/bounce/")
def test_a_login_page_that_sends_members_away_does_not_do_so_for_ever(visitor, mode, clock):
    clock.move(AGE)
    url, seen = f"/{mode.name}/?a=1", []
    while len(seen) < 10:
        response = visitor.get(url)
        if response.status_code != 302:
            break
        seen.append(url := response["Location"])
    assert [urlsplit(one).path for one in seen] == ["/bounce/", f"/{mode.name}/", "/bounce/"]
    assert response.status_code == 200
    assert target_of(seen[-1]) == f"/{mode.name}/?a=1"
    again = visitor.post(seen[-1], {"username": "ada", "password": "secret"})
    assert visitor.get(again["Location"]).content == b"a=1"


def target_of(url):
    return parse_qs(urlsplit(url).query)["next"][0]


def test_nobody_can_be_logged_out_by_a_link(visitor, mode, clock):
    clock.move(AGE)
    _, mark = target(visitor.get(f"/{mode.name}/"))
    asked = visitor.get(f"/{mode.name}/?_relogin=another")
    assert target(asked)[1] not in (None, mark, "another")
    assert visitor.get(f"/{mode.name}/member/").content == b"done"


def test_one_who_comes_back_late_after_a_login_is_asked_again_and_stays_logged_in(
    visitor, mode, clock
):
    clock.move(AGE)
    returned = log_in(visitor, visitor.get(f"/{mode.name}/"))
    clock.move(2 * AGE)
    assert target(visitor.get(returned["Location"]))[1]
    assert visitor.get(f"/{mode.name}/member/").content == b"done"


@pytest.mark.parametrize(("age", "is_asked"), [(None, False), (60, True), (6000, False)])
def test_without_an_age_the_setting_counts(visitor, mode, clock, age, is_asked):
    clock.move(3600)
    with override_settings(SESSION_REAUTH_AGE=age):
        answer = visitor.get(f"/{mode.name}/setting/")
    assert answer.status_code == (302 if is_asked else 200)


def test_a_login_of_which_the_time_is_not_known_is_not_recent(visitor, mode):
    session = visitor.raw.session
    del session["_authenticated_at"]
    session.save()
    assert visitor.get(f"/{mode.name}/when/").content == b"None"
    assert visitor.get(f"/{mode.name}/").status_code == 302
    assert visitor.get(f"/{mode.name}/setting/").content == b"done"


@pytest.mark.parametrize("value", [None, "1800000000", [1]])
def test_only_a_number_is_a_time(value):
    assert authenticated_at({"_authenticated_at": value}) is None


def test_the_time_is_aware_where_the_site_s_times_are():
    stamp = {"_authenticated_at": 1_800_000_000}
    assert authenticated_at(stamp) == datetime(2027, 1, 15, 8, tzinfo=UTC)
    with override_settings(USE_TZ=False):
        assert authenticated_at(stamp) == datetime.fromtimestamp(1_800_000_000)


@pytest.mark.parametrize("age", [0, -1])
def test_an_age_is_above_0(age):
    with pytest.raises(ValueError, match=rf"age={age} is not a number of seconds above 0"):
        recent_login_required(age)
