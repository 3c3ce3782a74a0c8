"""`views`: the URL that says how long the session lasts."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path

from dj_sessions.backends.db import SessionStore
from tests.counters import statements, thread_hops
from tests.fresh import run

URL = "/session/remaining/"
NOBODY = {"authenticated": False, "idle": None, "absolute": None}


def page(request):
    """A page that looks at the session, as most do."""
    return HttpResponse(request.session.get("colour"))


async def untouched(request):
    return HttpResponse()


urlpatterns = [
    path("session/", include("dj_sessions.urls")),
    path("page/", page),
    path("untouched/", untouched),
]


def member_by_other_means(get_response):
    """Middleware that knows who it is without a session, as from a header of a proxy."""

    def middleware(request):
        request.user = get_user_model()(username="ada")
        return get_response(request)

    return middleware


@pytest.fixture(autouse=True)
def limits():
    chosen = {"SESSION_IDLE_AGE": 900, "SESSION_ABSOLUTE_AGE": 3600, "SESSION_RENEW_AFTER": 60}
    with override_settings(ROOT_URLCONF=__name__, **chosen):
        yield


@pytest.fixture
def visitor(mode, user, clock):
    """A client that is logged in."""
    client = mode.client()
    client.force_login(user)
    return client


@pytest.fixture
def session(visitor):
    """Look at the stored session, without using it."""
    return lambda: SessionStore(visitor.raw.cookies["sessionid"].value)


def test_it_says_how_long_the_session_lasts(visitor, clock):
    assert visitor.get(URL).json() == {"authenticated": True, "idle": 900, "absolute": 3600}
    clock.move(100)
    assert visitor.get(URL).json() == {"authenticated": True, "idle": 800, "absolute": 3500}


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_to_ask_renews_nothing(visitor, clock, session, method):
    for seconds in (300, 600, 899):
        clock.move(seconds)
        response = getattr(visitor, method)(URL)
        assert response.status_code == 200
        assert not response.cookies
    assert session().get_remaining().idle == 1
    clock.move(900)
    assert visitor.get(URL).json() == NOBODY


def test_a_page_renews_the_session_that_the_url_only_looks_at(visitor, clock):
    """So that the test above can fail."""
    clock.move(300)
    visitor.get("/page/")
    assert visitor.get(URL).json()["idle"] == 900


def test_a_post_renews_the_session_and_its_cookie(visitor, clock, session):
    clock.move(600)
    response = visitor.post(URL)
    assert response.json() == {"authenticated": True, "idle": 900, "absolute": 3000}
    assert response.cookies["sessionid"]["max-age"] == 900
    clock.move(1400)
    assert session().get_remaining() == (100, 2200)
    assert visitor.get(URL).json()["idle"] == 100


def test_nobody_is_kept_beyond_the_absolute_end(visitor, clock):
    for seconds in range(800, 3600, 800):
        clock.move(seconds)
        visitor.post(URL)
    clock.move(3500)
    assert visitor.post(URL).json() == {"authenticated": True, "idle": 100, "absolute": 100}
    clock.move(3600)
    assert visitor.post(URL).json() == NOBODY


@pytest.mark.parametrize("absolute", [None, 3600])
def test_a_fixed_time_is_an_end_that_no_use_puts_off(visitor, clock, session, absolute):
    with override_settings(SESSION_ABSOLUTE_AGE=absolute):
        fixed = session()
        fixed.set_expiry(timedelta(seconds=600))
        fixed.save()
        clock.move(100)
        assert visitor.get(URL).json() == {"authenticated": True, "idle": 500, "absolute": 500}
        assert visitor.post(URL).json() == {"authenticated": True, "idle": 500, "absolute": 500}
        clock.move(600)
        assert visitor.get(URL).json() == NOBODY


def test_without_limits_it_lasts_as_long_as_the_cookie(visitor, clock):
    with override_settings(
        SESSION_IDLE_AGE=None, SESSION_ABSOLUTE_AGE=None, SESSION_RENEW_AFTER=None
    ):
        assert visitor.get(URL).json()["absolute"] is None
        assert visitor.get(URL).json()["idle"] in {1209599, 1209600}


# Nobody is logged in


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_gets_an_answer_and_no_session(mode, databases, method):
    response = getattr(mode.client(), method)(URL)
    assert response.json() == NOBODY
    assert not response.cookies
    with statements() as seen:
        getattr(mode.client(), method)(URL)
    assert seen == []


def test_a_visitor_without_a_login_can_keep_the_session_too(mode, databases, clock):
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    client = mode.client()
    client.raw.cookies["sessionid"] = session.session_key
    clock.move(300)
    response = client.get(URL)
    assert response.json() == {"authenticated": False, "idle": 600, "absolute": 3300}
    assert not response.cookies
    response = client.post(URL)
    assert response.json() == {"authenticated": False, "idle": 900, "absolute": 3300}
    assert response.cookies["sessionid"]["max-age"] == 900


def test_a_logout_meanwhile_ends_it(visitor, session, monkeypatch):
    """Another request ends the session while this one is about to renew it."""
    save = SessionStore.save

    def logged_out(self, *args, **kwargs):
        SessionStore(self.session_key).delete()
        return save(self, *args, **kwargs)

    visitor.get(URL)
    monkeypatch.setattr(SessionStore, "save", logged_out)
    response = visitor.post(URL)
    assert response.status_code == 200
    assert response.json() == NOBODY


@pytest.mark.modes("sync")
def test_a_login_that_no_session_keeps_starts_none(mode, databases):
    names = ["dj_sessions.middleware.SessionMiddleware", f"{__name__}.member_by_other_means"]
    with override_settings(MIDDLEWARE=names):
        response = mode.client().post(URL)
    assert response.json() == NOBODY | {"authenticated": True}
    assert not response.cookies


# What protects it


def test_a_post_needs_a_csrf_token(mode, databases):
    client = mode.client(enforce_csrf_checks=True)
    assert client.post(URL).status_code == 403


def test_also_where_the_middleware_for_it_is_missing(mode, databases, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "csrf" not in name]
    client = mode.client(enforce_csrf_checks=True)
    assert client.post(URL).status_code == 403
    assert client.get(URL).status_code == 200


@pytest.mark.parametrize("method", ["get", "post", "put", "options"])
def test_nothing_keeps_the_answer(visitor, method):
    response = getattr(visitor, method)(URL)
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_not_allowed(visitor, method):
    response = getattr(visitor, method)(URL)
    assert response.status_code == 405
    assert response["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_a_site_for_members_alone_does_not_send_strangers_to_its_login_page(
    mode, databases, settings
):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    client = mode.client()
    assert client.get("/page/").status_code == 302
    assert client.get(URL).json() == NOBODY


# What it costs


def test_to_ask_is_to_load_the_session_and_the_user(visitor):
    with statements() as seen:
        visitor.get(URL)
    assert [sql.split()[0] for sql in seen] == ["SELECT", "SELECT"]


def test_to_stay_is_to_save_beside_that_and_once_more_with_the_cookie(visitor):
    with statements() as seen:
        visitor.post(URL)
    assert [sql.split()[0] for sql in seen] == ["SELECT", "SELECT", "UPDATE", "UPDATE"]


@pytest.mark.modes("async")
def test_in_an_event_loop_it_adds_the_one_hop_of_a_sync_view(visitor):
    with thread_hops() as without:
        visitor.get("/untouched/")
    with thread_hops() as seen:
        visitor.get(URL)
    assert len(seen) == len(without) + 1, seen


# What is not there

WITHOUT = """
    from types import ModuleType
    from django.test import Client
    from django.urls import include, path

    urls = ModuleType("urls")
    urls.urlpatterns = [path("", include("dj_sessions.urls"))]
    sys.modules["urls"] = urls
    for method in ("get", "post"):
        print(getattr(Client(), method)("/remaining/").content.decode())
"""
ANSWER = '{"authenticated": false, "idle": null, "absolute": null}\n'


@pytest.mark.parametrize("middleware", [["dj_sessions.middleware.SessionMiddleware"], []])
def test_a_site_without_users_or_sessions_gets_an_answer(middleware):
    said = run(WITHOUT, INSTALLED_APPS=["dj_sessions"], MIDDLEWARE=middleware, ROOT_URLCONF="urls")
    assert said == ANSWER * 2


def test_django_s_own_engine_tells_nothing_of_the_ends(mode, user, databases):
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        client = mode.client()
        client.force_login(user)
        assert client.get(URL).json() == NOBODY | {"authenticated": True}
