"""Partitioned cookies, and old ones that are expired beside the session's own."""

import asyncio
import pickle
from io import BytesIO

import django
import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from dj_sessions._http.morsels import SessionMorsel
from dj_sessions.middleware import SessionMiddleware
from tests.middleware.serving import change, data_of, flush, look, serve, stored, untouched
from tests.patience import PATIENCE

FRAMED = {
    "SESSION_COOKIE_PARTITIONED": True,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_SAMESITE": "None",
}
PARENT = {"SESSION_COOKIE_ALSO_EXPIRE": [{"domain": ".example.com"}]}


def lines(response):
    """What is sent, in its order."""
    return [cookie.OutputString() for cookie in response.cookies.values()]


def session_lines(response):
    return [line for line in lines(response) if line.startswith("sessionid=")]


@pytest.fixture
def framed():
    with override_settings(**FRAMED):
        yield


@pytest.mark.usefixtures("framed")
def test_a_partitioned_cookie_is_set_and_deleted_as_one(mode):
    response = serve(mode, change)
    [line] = lines(response)
    assert line.endswith("; HttpOnly; Max-Age=1209600; Partitioned; Path=/; SameSite=None; Secure")
    [line] = lines(serve(mode, flush, response.cookies["sessionid"].value))
    assert line == (
        'sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Partitioned; Path=/; '
        "SameSite=None; Secure"
    )


@pytest.mark.parametrize("secure", [True, False])
def test_a_partitioned_cookie_is_deleted_securely_as_browsers_ask_for_it(mode, secure):
    with override_settings(SESSION_COOKIE_PARTITIONED=True, SESSION_COOKIE_SECURE=secure):
        assert serve(mode, flush, stored()).cookies["sessionid"]["secure"] is True


@pytest.mark.usefixtures("framed")
def test_no_other_cookie_is_partitioned(mode):
    def view(request):
        change(request)
        response = HttpResponse()
        response.set_cookie("colour", "green", secure=True)
        return response

    colour, session = lines(serve(mode, view))
    assert colour == "colour=green; Path=/; Secure"
    assert "Partitioned" in session


@pytest.mark.usefixtures("framed")
@pytest.mark.parametrize("copy", [lambda r: pickle.loads(pickle.dumps(r)).cookies, None])
def test_a_copy_is_partitioned_as_well(mode, copy):
    """The cache of pages pickles responses, test clients copy cookies."""
    with override_settings(**PARENT):
        response = serve(mode, change)
    copies = copy(response) if copy else {k: c.copy() for k, c in response.cookies.items()}
    again = [cookie.OutputString() for cookie in copies.values()]
    assert again == lines(response)
    assert all("Partitioned" in line for line in again)
    assert (
        SessionMorsel.of(response.cookies["sessionid"], partitioned=True)
        == (response.cookies["sessionid"])
    )


class Embedded(SessionMiddleware):
    """A site of which one path is shown in frames."""

    def cookie_attributes(self, request):
        attributes = super().cookie_attributes(request)
        return attributes | {"partitioned": True, "secure": True, "samesite": "None"}


def test_a_middleware_can_have_cookies_of_some_requests_partitioned(mode):
    response = serve(mode, change, middleware=Embedded)
    assert "Partitioned" in lines(response)[0]
    key = response.cookies["sessionid"].value
    assert "Partitioned" in lines(serve(mode, flush, key, middleware=Embedded))[0]


# Old cookies


@pytest.mark.parametrize("deed", [change, flush])
def test_an_old_cookie_is_expired_before_the_session_s_own(mode, deed):
    with override_settings(**PARENT):
        old, own = session_lines(serve(mode, deed, stored()))
    assert old == (
        'sessionid=""; Domain=.example.com; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; '
        "Path=/; SameSite=Lax"
    )
    assert "Domain" not in own
    assert own.startswith('sessionid=""' if deed is flush else "sessionid=")


@pytest.mark.parametrize("view", [untouched, look])
def test_nothing_is_expired_where_the_cookie_is_neither_set_nor_deleted(mode, view):
    with override_settings(**PARENT):
        response = serve(mode, view, stored())
    assert not response.cookies


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"path": "/shop/"}, 'sessionid=""; {}; Max-Age=0; Path=/shop/; SameSite=None; Secure'),
        (
            {"domain": "a.test", "path": "/b/"},
            'sessionid=""; Domain=a.test; {}; Max-Age=0; Path=/b/; SameSite=None; Secure',
        ),
        (
            {"partitioned": True},
            'sessionid=""; {}; Max-Age=0; Partitioned; Path=/; SameSite=None; Secure',
        ),
    ],
)
def test_an_old_cookie_is_found_by_domain_path_and_partition(mode, place, expected):
    settings = {**FRAMED, "SESSION_COOKIE_PARTITIONED": False}
    with override_settings(**settings, SESSION_COOKIE_ALSO_EXPIRE=[place]):
        old, _ = session_lines(serve(mode, change))
    assert old == expected.format("expires=Thu, 01 Jan 1970 00:00:00 GMT")


@pytest.mark.usefixtures("framed")
def test_a_cookie_from_before_partitioning_is_expired_without_it(mode):
    with override_settings(SESSION_COOKIE_ALSO_EXPIRE=[{"partitioned": False}]):
        old, own = session_lines(serve(mode, change))
    assert "Partitioned" not in old
    assert "Partitioned" in own


def test_the_host_s_own_cookie_is_expired_where_the_new_one_is_the_domain_s(mode):
    settings = {"SESSION_COOKIE_DOMAIN": "example.com"}
    with override_settings(**settings, SESSION_COOKIE_ALSO_EXPIRE=[{"domain": None}]):
        old, own = session_lines(serve(mode, change))
    assert "Domain" not in old
    assert "Domain=example.com" in own


@pytest.mark.parametrize(
    "place",
    [{"domain": ".Example.com"}, {"domain": "example.com", "path": "/"}, {"partitioned": False}],
)
def test_the_place_of_the_cookie_itself_is_never_expired(mode, place):
    settings = {"SESSION_COOKIE_DOMAIN": "example.com", "SESSION_COOKIE_ALSO_EXPIRE": [place]}
    with override_settings(**settings):
        [own] = lines(serve(mode, change))
    assert "Max-Age=1209600" in own


# What a server sends, and what a test client keeps


def served_by_wsgi(cookie):
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/change/",
        "HTTP_COOKIE": cookie,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "http",
    }
    sent = []
    response = WSGIHandler()(environ, lambda status, headers: sent.extend(headers))
    response.close()
    return [value.strip() for name, value in sent if name == "Set-Cookie"]


def served_by_asgi(*cookies):
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/change/",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *((b"cookie", c.encode()) for c in cookies)],
    }

    async def answer():
        communicator = ApplicationCommunicator(ASGIHandler(), scope)
        await communicator.send_input({"type": "http.request", "body": b""})
        start = await communicator.receive_output(PATIENCE)
        await communicator.receive_output(PATIENCE)
        await communicator.wait(PATIENCE)
        return start["headers"]

    headers = asyncio.run(answer())
    return [value.decode() for name, value in headers if name == b"Set-Cookie"]


urlpatterns = [
    path("change/", lambda request: change(request) or HttpResponse()),
    path("look/", lambda request: HttpResponse(request.session.get("colour"))),
]
SITE = {
    "ROOT_URLCONF": __name__,
    "MIDDLEWARE": ["dj_sessions.middleware.SessionMiddleware"],
}


@pytest.mark.usefixtures("databases")  # a handler looks after their connections
@pytest.mark.parametrize("serve_with", [served_by_wsgi, served_by_asgi])
def test_a_server_sends_each_cookie_in_a_header_of_its_own(serve_with):
    key = stored()
    with override_settings(**SITE, **FRAMED, **PARENT):
        old, own = serve_with(f"sessionid={key}; sessionid=0123456789abcdef0123456789abcdef")
    assert old.startswith('sessionid=""; Domain=.example.com; ')
    assert own.startswith(f"sessionid={key}; ")
    assert all("; Partitioned; " in line for line in (old, own))
    assert data_of(key) == {"colour": "blue"}


@pytest.mark.usefixtures("databases")
@pytest.mark.skipif(django.VERSION < (6, 0), reason="this Django takes them for one cookie")
def test_cookies_may_come_in_headers_of_their_own():
    """As HTTP/2 allows."""
    key = stored()
    with override_settings(**SITE):
        [own] = served_by_asgi(f"sessionid={key}", "sessionid=0123456789abcdef0123456789abcdef")
    assert own.startswith(f"sessionid={key}; ")


def test_a_test_client_keeps_the_session_s_own_cookie(mode):
    with override_settings(**SITE, **PARENT):
        client = mode.client()
        response = client.get("/change/")
        assert client.raw.cookies["sessionid"].value == response.cookies["sessionid"].value
        assert client.get("/look/").content == b"blue"
        assert client.get("/change/").status_code == 200
        assert client.get("/look/").content == b"blue"
