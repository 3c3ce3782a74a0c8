"""`Vary: Cookie` exactly when the response depends on the session or sets its cookie."""

from contextlib import suppress
from importlib import import_module

import pytest
from django.http import HttpResponse
from django.test import override_settings

from dj_sessions.backends.base import SessionBase
from tests.middleware.api import ATTRIBUTES, TABLE, TWINS, WITH_SIGNED_COOKIE, WITHOUT_SIGNED_COOKIE
from tests.middleware.serving import look, serve, stored


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "Cookie"),
        ("Accept-Language", "Accept-Language, Cookie"),
        ("Cookie", "Cookie"),
        ("cookie", "cookie"),
        ("Accept-Encoding , COOKIE", "Accept-Encoding, COOKIE"),
        ("*", "*"),
        ("Accept, *", "*"),
    ],
)
def test_vary_is_added_to_what_is_there_and_not_doubled(mode, before, after):
    assert vary_after(mode, before) == after


@pytest.mark.parametrize("before", [" * ", " cookie", "Accept-Encoding , COOKIE ", "", ",", "\t"])
def test_vary_is_effective_whatever_odd_value_is_there(mode, before):
    words = {word.strip().lower() for word in vary_after(mode, before).split(",")}
    assert words & {"cookie", "*"}


def vary_after(mode, before):
    """What a view that reads the session and sends `before` as Vary ends up sending."""

    def view(request):
        look(request)
        return HttpResponse(headers={} if before is None else {"Vary": before})

    return serve(mode, view, stored())["Vary"]


def test_the_table_has_every_public_method():
    operators = {name for name in TABLE if name.startswith("__")}
    public = {name for name in dir(SessionBase) if not name.startswith("_")}
    assert {*TABLE, *TWINS, *ATTRIBUTES} - operators == public
    assert operators == {
        name
        for name in dir(SessionBase)
        if name.startswith("__")
        and name not in dir(object)
        and callable(getattr(SessionBase, name))
    } - {"__init_subclass__"}


def varied(mode, name, arguments, cookie):
    """Whether the response of a view that calls this method varies on the cookie."""

    def view(request):
        with suppress(KeyError):
            if name in ATTRIBUTES:
                getattr(request.session, name)
            elif name.startswith("__"):
                getattr(type(request.session), name)(request.session, *arguments)
            else:
                getattr(request.session, name)(*arguments)

    async def aview(request):
        with suppress(KeyError):
            await getattr(request.session, name)(*arguments)

    response = serve(mode, aview if name in TWINS else view, cookie)
    vary = response.get("Vary") == "Cookie"
    assert vary or "sessionid" not in response.cookies
    return vary


@pytest.mark.parametrize("with_cookie", [True, False], ids=["cookie", "no cookie"])
@pytest.mark.parametrize("engine", ["cache", "file", "signed_cookies"])
def test_a_response_varies_exactly_if_it_depends_on_the_session(
    mode, engine, with_cookie, tmp_path
):
    expected = {name: vary for name, (_, vary) in TABLE.items()} | ATTRIBUTES
    if mode.is_async:
        expected |= {name: vary for name, (_, vary) in TWINS.items()}
    if engine == "signed_cookies":
        own = WITH_SIGNED_COOKIE if with_cookie else WITHOUT_SIGNED_COOKIE
        expected |= {name: vary for name, vary in own.items() if name in expected}

    with override_settings(
        SESSION_ENGINE=f"dj_sessions.backends.{engine}", SESSION_FILE_PATH=tmp_path
    ):
        store = import_module(f"dj_sessions.backends.{engine}").SessionStore
        seen = {}
        for name in expected:
            session = store()
            session["colour"] = "green"
            session.save()
            arguments = (TABLE | TWINS).get(name, ((),))[0]
            key = session.session_key if with_cookie else None
            seen[name] = varied(mode, name, arguments, key)
    assert seen == expected


@pytest.mark.parametrize("method", ["get_expiry_age", "get_expiry_date"])
def test_an_expiry_that_is_given_does_not_depend_on_the_session(mode, method):
    response = serve(mode, lambda r: getattr(r.session, method)(expiry=60) and None, stored())
    assert not response.has_header("Vary")
