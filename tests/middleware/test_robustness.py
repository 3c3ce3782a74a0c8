"""Stores with bugs, requests without a session, and what an untouched session costs."""

from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.deprecation import MiddlewareMixin

from dj_sessions.backends import cache, db
from dj_sessions.middleware import SessionMiddleware
from tests.counters import round_trips, thread_hops
from tests.middleware.serving import (
    change,
    data_of,
    flush,
    look,
    middleware_with,
    serve,
    stored,
    untouched,
)

# Stores with bugs, and requests without a session


@pytest.mark.parametrize("method", ["is_empty", "save", "get_expiry_age", "load"])
def test_an_attribute_error_inside_a_store_is_not_hidden(mode, method):
    def broken(self, *args, **kwargs):
        return self.no_such_attribute

    store = type("SessionStore", (cache.SessionStore,), {method: broken})
    with pytest.raises(AttributeError, match="no_such_attribute"):
        serve(mode, change, stored(), middleware_with(store))


def test_an_attribute_error_inside_a_property_of_a_store_is_not_hidden(mode):
    class Store(cache.SessionStore):
        @property
        def modified(self):
            return self.no_such_attribute

        @modified.setter
        def modified(self, value):
            pass

    with pytest.raises(AttributeError, match="no_such_attribute"):
        serve(mode, change, stored(), middleware_with(Store))


def test_a_request_whose_session_was_removed_is_served(mode):
    def view(request):
        change(request)
        del request.session

    response = serve(mode, view, stored())
    assert response.status_code == 200
    assert not response.cookies
    assert not response.has_header("Vary")


@pytest.mark.parametrize("instead", [{}, {"colour": "blue"}, None, SimpleNamespace()])
def test_a_request_whose_session_was_replaced_by_something_else_is_served(mode, instead):
    def view(request):
        request.session = instead

    key = stored()
    response = serve(mode, view, key)
    assert not response.cookies
    assert data_of(key) == {"colour": "green"}


def test_a_session_that_replaced_the_first_is_the_one_that_is_saved(mode):
    key = stored()

    def view(request):
        request.session = cache.SessionStore(key)
        request.session["colour"] = "red"

    assert serve(mode, view).cookies["sessionid"].value == key
    assert data_of(key) == {"colour": "red"}


def test_a_response_to_a_request_that_never_had_a_session_passes():
    response = HttpResponse()
    middleware = SessionMiddleware(lambda request: response)
    assert middleware.process_response(RequestFactory().get("/"), response) is response


# No response, as in tests that want nothing but request.session


@pytest.fixture
def without_response(mode):
    """Have a middleware of a package serve a request whose view returns None."""

    def serve_with(package, use=untouched, cookie=None):
        request = RequestFactory().get("/")
        if cookie is not None:
            request.COOKIES["sessionid"] = cookie

        async def aview(request):
            use(request)

        if mode.is_async:
            return async_to_sync(package(aview))(request), request
        return package(lambda request: use(request))(request), request

    return serve_with


@pytest.mark.parametrize("package", [SessionMiddleware, DjangoSessionMiddleware])
@pytest.mark.parametrize("has_cookie", [True, False])
def test_an_untouched_session_needs_no_response(without_response, package, has_cookie):
    response, request = without_response(package, cookie=stored() if has_cookie else None)
    assert response is None
    request.session["colour"] = "blue"
    request.session.save()
    assert data_of(request.session.session_key)["colour"] == "blue"


@pytest.mark.parametrize("package", [SessionMiddleware, DjangoSessionMiddleware])
@pytest.mark.parametrize("use", [look, change, flush])
def test_what_a_touched_session_owes_needs_a_response(without_response, package, use):
    key = stored()
    with pytest.raises(AttributeError, match="NoneType"):
        without_response(package, use, key)
    if use is change:
        assert data_of(key) == {"colour": "green"}


@pytest.mark.parametrize(
    "use", [untouched, lambda request: setattr(request.session, "modified", 1)]
)
def test_without_a_response_nothing_is_saved(without_response, settings, use):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    key = stored()
    with round_trips() as trips:
        without_response(SessionMiddleware, use, key)
    assert trips == []


def test_a_store_may_look_at_itself_when_it_is_made(mode, databases):
    class Store(db.SessionStore):
        def __init__(self, session_key=None):
            super().__init__(session_key)
            self.colour = self.get("colour")

    def view(request):
        assert request.session.colour == "green"

    session = Store()
    session["colour"] = "green"
    session.save()
    response = serve(mode, view, session.session_key, middleware_with(Store))
    assert response.status_code == 200


# Cost


def test_an_untouched_session_costs_no_hop_and_no_round_trip(mode):
    key = stored()
    with thread_hops() as hops, round_trips() as trips:
        response = serve(mode, untouched, key)
    assert hops == []
    assert trips == []
    assert not response.has_header("Vary")


def test_django_s_middleware_takes_two_hops_for_it():
    """So that the test above counts what it is meant to count."""
    assert SessionMiddleware.__call__ is not MiddlewareMixin.__call__

    async def aget_response(request):
        return HttpResponse()

    with thread_hops() as hops:
        async_to_sync(DjangoSessionMiddleware(aget_response))(RequestFactory().get("/"))
    assert len(hops) == 2


@pytest.mark.modes("async")
def test_a_changed_session_costs_one_hop_to_save(mode):
    async def view(request):
        await request.session.aset("colour", "blue")

    with thread_hops() as hops:
        serve(mode, view)
    assert len(hops) == 1
