"""A session of `signed_cookies` that fits no cookie, through the middleware."""

import pytest
from django.contrib.messages import success
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse
from django.test import override_settings

from dj_sessions.backends.signed_cookies import SessionStore


def fill_and_greet(get_response):
    """A middleware that answers, with a message in a cookie of its own."""

    def answer(request):
        request.session["cart"] = [hash(str(number)) for number in range(1000)]
        request._messages = CookieStorage(request)
        success(request, "It is in the cart.")
        response = HttpResponse("done")
        request._messages.update(response)
        return response

    return answer


@pytest.fixture(autouse=True)
def site():
    with override_settings(
        SESSION_ENGINE="dj_sessions.backends.signed_cookies",
        MIDDLEWARE=["dj_sessions.middleware.SessionMiddleware", f"{__name__}.fill_and_greet"],
        ROOT_URLCONF=(),
    ):
        yield


@pytest.fixture
def client(mode):
    client = mode.client(raise_request_exception=False)
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    client.raw.cookies["sessionid"] = session.session_key
    return client


def test_it_is_a_500_that_leaves_the_visitor_s_cookie_as_it_was(client, caplog):
    before = client.raw.cookies["sessionid"].value
    response = client.get("/")
    assert response.status_code == 500
    assert not response.cookies  # nor the message of what has not been done
    assert client.raw.cookies["sessionid"].value == before
    [logged] = [record for record in caplog.records if record.exc_info]
    assert "its largest keys are 'cart' (" in str(logged.exc_info[1])


def test_where_the_site_has_it_so_it_is_sent_all_the_same_and_logged(client, caplog):
    with override_settings(SESSION_COOKIE_TOO_LARGE="warning"):
        response = client.get("/")
    assert response.status_code == 200
    assert len(response.cookies["sessionid"].value) > 4096
    assert "messages" in response.cookies
    assert ["'cart'" in record.getMessage() for record in caplog.records] == [True]
