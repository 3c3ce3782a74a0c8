"""`Cache-Control: no-store` beside the cookie, and `Clear-Site-Data` after a logout."""

import pytest
from django.http import HttpResponse
from django.test import override_settings

from tests.middleware.serving import (
    UNKNOWN_KEY,
    change,
    flush,
    look,
    serve,
    stored,
    untouched,
)

USER = {"_auth_user_id": "1", "_auth_user_backend": "b", "_auth_user_hash": "h"}


def cache_control(response):
    return sorted(each.strip() for each in response.get("Cache-Control", "").split(",") if each)


# Cache-Control


@pytest.fixture
def no_store():
    with override_settings(SESSION_COOKIE_NO_STORE=True):
        yield


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize("view", [change, flush])
def test_a_response_with_the_cookie_is_not_stored(mode, view):
    assert cache_control(serve(mode, view, stored())) == ["no-store"]


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize("view", [untouched, look])
def test_a_response_without_the_cookie_is_as_it_was(mode, view):
    assert not serve(mode, view, stored()).has_header("Cache-Control")


def test_without_the_setting_no_response_says_how_it_is_stored(mode):
    assert not serve(mode, change).has_header("Cache-Control")


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("public, max-age=60", ["max-age=60", "no-store", "public"]),
        ("private", ["no-store", "private"]),
        ("no-store", ["no-store"]),
    ],
)
def test_what_the_view_has_said_stays(mode, said, expected):
    def view(request):
        change(request)
        return HttpResponse(headers={"Cache-Control": said})

    assert cache_control(serve(mode, view)) == expected


# Clear-Site-Data


@pytest.fixture
def cleared():
    with override_settings(SESSION_CLEAR_SITE_DATA="cookies"):
        yield


def log_in_as_another(request):
    flush(request)
    request.session.update({**USER, "_auth_user_id": "2"})


def log_out_with_a_note(request):
    flush(request)
    request.session["note"] = "Until next time."


def log_out_and_fail(request):
    flush(request)
    return HttpResponse(status=500)


def log_out_twice(request):
    flush(request)
    flush(request)


@pytest.mark.parametrize(
    ("setting", "header"),
    [
        ("cookies", '"cookies"'),
        ("*", '"*"'),
        (["cookies", "storage"], '"cookies", "storage"'),
        (("cache",), '"cache"'),
    ],
)
def test_a_logout_clears_what_the_setting_says(mode, setting, header):
    with override_settings(SESSION_CLEAR_SITE_DATA=setting):
        response = serve(mode, flush, stored(**USER))
    assert response["Clear-Site-Data"] == header
    assert response.cookies["sessionid"].value == ""


@pytest.mark.parametrize("setting", [None, "", [], ()])
def test_without_a_setting_a_logout_clears_nothing(mode, setting):
    with override_settings(SESSION_CLEAR_SITE_DATA=setting):
        assert not serve(mode, flush, stored(**USER)).has_header("Clear-Site-Data")


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("view", [log_out_with_a_note, log_out_and_fail, log_out_twice])
def test_a_logout_is_one_whatever_comes_of_the_response(mode, view):
    assert serve(mode, view, stored(**USER))["Clear-Site-Data"] == '"cookies"'


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("view", [untouched, look, change, log_in_as_another])
def test_no_other_response_clears_anything(mode, view):
    for key in (stored(**USER), UNKNOWN_KEY, "short", None):
        assert not serve(mode, view, key).has_header("Clear-Site-Data")


def look_and_flush(request):
    look(request)
    flush(request)


def start_and_flush(request):
    request.session["colour"] = "green"
    request.session.save()
    flush(request)


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("key", [UNKNOWN_KEY, "short"])
@pytest.mark.parametrize("view", [flush, look_and_flush])
def test_a_logout_of_a_session_that_is_over_clears_what_the_browser_keeps(mode, view, key):
    assert serve(mode, view, key)["Clear-Site-Data"] == '"cookies"'


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("view", [flush, look_and_flush, start_and_flush])
def test_whoever_comes_without_a_session_ends_none(mode, view):
    assert not serve(mode, view).has_header("Clear-Site-Data")


@pytest.mark.usefixtures("cleared")
def test_what_the_view_has_cleared_stays(mode):
    def view(request):
        flush(request)
        return HttpResponse(headers={"Clear-Site-Data": '"storage", "cookies"'})

    assert serve(mode, view, stored(**USER))["Clear-Site-Data"] == '"storage", "cookies"'
    with override_settings(SESSION_CLEAR_SITE_DATA=["cookies", "cache"]):
        response = serve(mode, view, stored(**USER))
    assert response["Clear-Site-Data"] == '"storage", "cookies", "cache"'
