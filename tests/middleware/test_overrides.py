"""What subclasses override: the small steps, and the two halves in both modes."""

import asyncio
import threading
from contextlib import nullcontext
from unittest import mock

import pytest
from django.http import HttpResponse, HttpResponseRedirect
from django.test import RequestFactory, override_settings

from dj_sessions._http.decision import Decision
from dj_sessions.backends import cache
from dj_sessions.middleware import SessionMiddleware
from tests.counters import thread_hops
from tests.middleware.serving import change, data_of, flush, look, records, serve, stored, untouched

# What a site may want different, in five lines each


def test_another_cookie_name_per_request(mode):
    class PerSite(SessionMiddleware):
        def cookie_name(self, request):
            return f"session_{request.get_host().split('.')[0]}"

    def visit(view, **cookies):
        request = RequestFactory().get("/", headers={"host": "shop.localhost"})
        request.COOKIES.update(cookies)
        with override_settings(ALLOWED_HOSTS=[".localhost"]):
            return serve(mode, view, request=request, middleware=PerSite)

    key = visit(change).cookies["session_shop"].value
    assert data_of(key) == {"colour": "blue"}
    assert visit(flush, sessionid=key).cookies == {}
    assert visit(flush, session_shop=key).cookies["session_shop"].value == ""


def test_the_key_from_a_header(mode):
    class ForApps(SessionMiddleware):
        def get_session_key(self, request):
            return request.headers.get("X-Session") or super().get_session_key(request)

    seen = []

    def visit(**headers):
        request = RequestFactory().get("/", headers=headers)
        serve(
            mode,
            lambda request: seen.append(request.session.get("from")),
            stored(**{"from": "cookie"}),
            request=request,
            middleware=ForApps,
        )

    visit(x_session=stored(**{"from": "header"}))
    visit()
    assert seen == ["header", "cookie"]


def test_a_key_from_elsewhere_counts_alone_whatever_cookies_there_are(mode):
    class ForApps(SessionMiddleware):
        def get_session_key(self, request):
            return request.headers["X-Session"]

    seen = []
    pair = f"sessionid={stored(colour='red')}; sessionid={stored()}"
    serve(
        mode,
        lambda request: seen.append(request.session.get("colour")),
        request=RequestFactory().get("/", headers={"x-session": "a" * 32, "cookie": pair}),
        middleware=ForApps,
    )
    assert seen == [None]


def test_other_cookie_attributes_per_request(mode):
    class Embedded(SessionMiddleware):
        def cookie_attributes(self, request):
            own = {"samesite": "None", "secure": True} if "embed" in request.path else {}
            return {**super().cookie_attributes(request), **own}

    for where, samesite in (("/embed/", "None"), ("/", "Lax")):
        for view in (change, flush):
            response = serve(mode, view, stored(), Embedded, request=RequestFactory().get(where))
            assert response.cookies["sessionid"]["samesite"] == samesite
            assert bool(response.cookies["sessionid"]["secure"]) is (samesite == "None")


#: What a request may bring, where a middleware puts it into the cookie as it is.
INJECTED = {
    "domain": [
        "a.com; Path=/",
        "a.com\r\nX: 1",
        "m\xfc.de",
        "a b",
    ],
    "path": [
        *("/a;Domain=.example.com", "/a\r\nX-Evil: 1", "/a\n", "/a\0", "/\x7f", "shop"),
        "/m\xfc",
        "/\u2603",
    ],
    "samesite": ["Lax; Domain=.example.com", "Lax\r\n", "L\u0430x"],
    "name": ["a;b", "a=b", "a b", "a\r\nb", "path", "", "s\xfc"],
}


@pytest.mark.parametrize("view", [change, flush])
@pytest.mark.parametrize(
    ("attribute", "value"), [(name, value) for name in INJECTED for value in INJECTED[name]]
)
def test_what_no_cookie_can_have_is_an_error_and_no_header(mode, view, attribute, value):
    class Careless(SessionMiddleware):
        def cookie_name(self, request):
            return value if attribute == "name" else super().cookie_name(request)

        def cookie_attributes(self, request):
            own = {} if attribute == "name" else {attribute: value}
            return {**super().cookie_attributes(request), **own}

    request = RequestFactory().get("/")
    request.COOKIES[value if attribute == "name" else "sessionid"] = stored()
    with pytest.raises(ValueError, match=rf"the {attribute} .* must be ") as caught:
        serve(mode, view, middleware=Careless, request=request)
    method = "cookie_name()" if attribute == "name" else "cookie_attributes()"
    assert f"{method} of the session middleware" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("path", ["shop", "/m\xfc"])
def test_what_the_settings_say_is_left_to_the_checks(mode, path):
    with override_settings(SESSION_COOKIE_PATH=path):
        assert serve(mode, change).cookies["sessionid"]["path"] == path


def test_no_saving_for_some_requests(mode):
    class ReadOnly(SessionMiddleware):
        def decide(self, request, response, state):
            decision = super().decide(request, response, state)
            return Decision(vary=decision.vary) if request.method == "GET" else decision

    key = stored()
    response = serve(mode, change, key, ReadOnly)
    assert not response.cookies
    assert response["Vary"] == "Cookie"
    assert data_of(key) == {"colour": "green"}
    response = serve(mode, change, key, ReadOnly, request=RequestFactory().post("/"))
    assert data_of(key) == {"colour": "blue"}


def test_saving_without_setting_the_cookie_again(mode):
    class Quiet(SessionMiddleware):
        def decide(self, request, response, state):
            decision = super().decide(request, response, state)
            known = state.has_cookie and not state.empty
            return Decision(save=decision.save, vary=True) if known else decision

    key = stored()
    assert not serve(mode, change, key, Quiet).cookies
    assert data_of(key) == {"colour": "blue"}
    assert serve(mode, change, None, Quiet).cookies


def test_leaving_the_cookie_of_an_ended_session(mode):
    class Keeping(SessionMiddleware):
        def decide(self, request, response, state):
            return Decision(vary=True)

    assert not serve(mode, flush, stored(), Keeping).cookies


def test_what_decides_sees_the_request_the_response_and_the_state(mode):
    seen = []

    class Curious(SessionMiddleware):
        def decide(self, request, response, state):
            seen.append((request.path, response.status_code, state))
            return super().decide(request, response, state)

    def view(request):
        change(request)
        return HttpResponse(status=404)

    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        serve(mode, view, stored(), Curious, request=RequestFactory().get("/here/"))
    ((path, status, state),) = seen
    assert (path, status) == ("/here/", 404)
    assert state.accessed
    assert state.modified
    assert not state.empty
    assert state.has_cookie
    assert state.save_every_request
    assert state.status == 404


# process_request and process_response as people override them


class Noting(SessionMiddleware):
    """Overrides both, calling super()."""

    def process_request(self, request):
        request.notes = ["request"]
        super().process_request(request)
        request.session["from process_request"] = True

    def process_response(self, request, response):
        request.session["from process_response"] = True
        response = super().process_response(request, response)
        response["X-Notes"] = ", ".join([*request.notes, "response"])
        return response


def test_overridden_halves_that_call_super_take_effect(mode):
    response = serve(mode, lambda request: request.notes.append("view"), None, Noting)
    assert response["X-Notes"] == "request, view, response"
    assert data_of(response.cookies["sessionid"].value) == {
        "from process_request": True,
        "from process_response": True,
    }


def test_overridden_halves_take_one_hop_each_in_async_mode(mode):
    with thread_hops() as hops:
        serve(mode, untouched, None, Noting)
    assert len(hops) == (2 if mode.is_async else 0)


def test_overridden_halves_of_a_subclass_of_a_subclass_are_each_called_once(mode):
    class Twice(Noting):
        def process_response(self, request, response):
            response = super().process_response(request, response)
            response["X-Notes"] += ", again"
            return response

    response = serve(mode, untouched, None, Twice)
    assert response["X-Notes"] == "request, response, again"


def test_overridden_halves_of_a_mixin_take_effect(mode):
    class Mixin:
        def process_response(self, request, response):
            response["X-Mixin"] = "yes"
            return super().process_response(request, response)

    class Mixed(Mixin, SessionMiddleware):
        pass

    response = serve(mode, change, None, Mixed)
    assert response["X-Mixin"] == "yes"
    assert response.cookies


def test_an_overridden_process_request_need_not_call_super(mode):
    class FromHeader(SessionMiddleware):
        def process_request(self, request):
            request.session = self.SessionStore(request.headers["X-Session"])

    seen = []
    request = RequestFactory().get("/", headers={"x-session": stored()})
    serve(
        mode,
        lambda request: seen.append(request.session["colour"]),
        None,
        FromHeader,
        request=request,
    )
    assert seen == ["green"]


def test_an_overridden_process_response_need_not_call_super(mode):
    class Never(SessionMiddleware):
        def process_response(self, request, response):
            return response

    response = serve(mode, change, None, Never)
    assert not response.cookies
    assert records() == 0


def test_process_request_may_answer_itself(mode):
    class Closed(SessionMiddleware):
        def process_request(self, request):
            super().process_request(request)
            request.session["seen"] = "closed"
            return HttpResponseRedirect("/closed/")

    def view(request):
        pytest.fail("the view was reached")

    response = serve(mode, view, None, Closed)
    assert response["Location"] == "/closed/"
    assert data_of(response.cookies["sessionid"].value) == {"seen": "closed"}


def test_process_response_may_answer_with_another_response(mode):
    class Replacing(SessionMiddleware):
        def process_response(self, request, response):
            super().process_response(request, response)
            return HttpResponse("another")

    assert serve(mode, change, None, Replacing).content == b"another"


@pytest.mark.modes("async")
def test_overridden_async_halves_take_effect_in_async_mode(mode):
    class Native(SessionMiddleware):
        async def aprocess_request(self, request):
            await asyncio.sleep(0)
            await super().aprocess_request(request)
            await request.session.aset("from aprocess_request", True)

        async def aprocess_response(self, request, response):
            await request.session.aset("from aprocess_response", True)
            response = await super().aprocess_response(request, response)
            response["X-Native"] = "yes"
            return response

    response = serve(mode, untouched, None, Native)
    assert response["X-Native"] == "yes"
    assert data_of(response.cookies["sessionid"].value) == {
        "from aprocess_request": True,
        "from aprocess_response": True,
    }


def test_an_override_of_each_half_has_its_mode(mode):
    class Both(SessionMiddleware):
        def process_response(self, request, response):
            response = super().process_response(request, response)
            response["X-Mode"] = "sync"
            return response

        async def aprocess_response(self, request, response):
            response = await super().aprocess_response(request, response)
            response["X-Mode"] = "async"
            return response

    response = serve(mode, change, None, Both)
    assert response["X-Mode"] == mode.name
    assert response.cookies


def test_an_async_override_below_a_sync_one_reaches_it(mode):
    class Native(Noting):
        async def aprocess_response(self, request, response):
            response = await super().aprocess_response(request, response)
            response["X-Native"] = "yes"
            return response

    response = serve(mode, untouched, None, Native)
    assert response["X-Notes"] == "request, response"
    assert response.get("X-Native") == ("yes" if mode.is_async else None)


def test_an_overridden_call_takes_effect(mode):
    class Timing(SessionMiddleware):
        def __call__(self, request):
            request.begun = True
            return super().__call__(request)

    seen = []
    serve(mode, lambda request: seen.append(request.begun), None, Timing)
    assert seen == [True]


def test_the_halves_can_be_called_by_themselves():
    """As Django's documentation and many test suites do, to give a request a session."""
    request = RequestFactory().get("/")
    middleware = SessionMiddleware(lambda request: None)
    middleware.process_request(request)
    request.session["colour"] = "blue"
    response = middleware.process_response(request, HttpResponse())
    assert data_of(response.cookies["sessionid"].value) == {"colour": "blue"}


# What is replaced after its class was made, as tests do and what traces calls


@pytest.fixture(params=["on the class", "on a base class", "on the instance"])
def replaced(request, mode):
    """Serve a request with a half of the middleware, or a step, replaced by a function."""

    def serve_with(view=untouched, cookie=None, **functions):
        class Middleware(SessionMiddleware):
            pass

        where = SessionMiddleware if "base" in request.param else Middleware

        def make(get_response):
            middleware = Middleware(get_response)
            if "instance" in request.param:
                vars(middleware).update(functions)
            return middleware

        patched = {} if "instance" in request.param else functions
        with mock.patch.multiple(where, **patched) if patched else nullcontext():
            return serve(mode, view, cookie, make)

    return serve_with


def test_a_replaced_process_request_is_reached(replaced):
    mocked = mock.Mock(return_value=None)
    replaced(process_request=mocked)
    mocked.assert_called_once()


def test_a_replaced_process_request_may_answer_itself(replaced):
    def view(request):
        pytest.fail("the view was reached")

    mocked = mock.Mock(return_value=HttpResponseRedirect("/closed/"))
    assert replaced(view, process_request=mocked)["Location"] == "/closed/"


def test_a_replaced_process_response_is_reached_alone(replaced):
    instead = HttpResponse("another")
    mocked = mock.Mock(return_value=instead)
    assert replaced(change, process_response=mocked) is instead
    mocked.assert_called_once()
    assert records() == 0


def test_a_replaced_half_that_may_block_leaves_the_event_loop(replaced, mode):
    threads = []

    def note(*args):
        threads.append(threading.current_thread())
        return HttpResponse()

    with thread_hops() as hops:
        replaced(process_response=mock.Mock(side_effect=note))
    assert len(threads) == 1
    assert len(hops) == (1 if mode.is_async else 0)


def test_replaced_steps_are_reached(replaced):
    response = replaced(
        lambda request: request.session.set_expiry(0),
        get_session_key=mock.Mock(return_value=stored()),
        cookie_name=mock.Mock(return_value="another"),
        cookie_attributes=mock.Mock(return_value={"path": "/shop/"}),
    )
    assert response.cookies["another"]["path"] == "/shop/"
    decided = replaced(change, decide=mock.Mock(return_value=Decision(vary=True)))
    assert decided["Vary"] == "Cookie"
    assert not decided.cookies


def test_a_store_replaced_on_the_instance_is_the_one_that_is_made(mode):
    made = mock.Mock(side_effect=cache.SessionStore)

    def make(get_response):
        middleware = SessionMiddleware(get_response)
        middleware.SessionStore = made
        return middleware

    key = stored()
    serve(mode, look, key, make)
    made.assert_called_once_with(key)


@pytest.mark.modes("async")
def test_of_two_halves_that_were_both_replaced_each_has_its_mode(mode):
    instead = HttpResponse("async")
    halves = {
        "process_response": mock.Mock(),
        "aprocess_response": mock.AsyncMock(return_value=instead),
    }
    with mock.patch.multiple(SessionMiddleware, **halves):
        assert serve(mode, untouched) is instead
    halves["process_response"].assert_not_called()


def test_what_was_replaced_for_a_while_is_forgotten(mode):
    with mock.patch.object(SessionMiddleware, "process_response"):
        serve(mode, change)
    with thread_hops() as hops:
        serve(mode, untouched, stored())
    assert hops == []
