"""Each setting takes effect on engines and middleware that were imported and built before."""

from http.cookies import Morsel

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.cache import caches
from django.core.signing import JSONSerializer
from django.test import AsyncRequestFactory, RequestFactory, override_settings

from dj_sessions.middleware import SessionMiddleware
from dj_sessions.storage.rows.prepared import _rows
from tests.contract.visits import make_view
from tests.stores import stored_name


class Shouting(JSONSerializer):
    """JSON after a word of its own."""

    def dumps(self, obj):
        return b"!" + super().dumps(obj)

    def loads(self, data):
        assert data[:1] == b"!"
        return super().loads(data[1:])


@pytest.fixture
def answer(store, mode):
    """Answer requests through one middleware, which was built before any setting changed."""
    set_colour = make_view(mode, [lambda session: session.set("colour", "green")])
    look = make_view(mode, [lambda session: session.get("colour")])
    middlewares = {view: SessionMiddleware(view) for view in (set_colour, look)}
    factory = (AsyncRequestFactory if mode.is_async else RequestFactory)()

    def answer(*, change=True, cookies=None):
        middleware = middlewares[set_colour if change else look]
        request = factory.get("/")
        request.COOKIES.update(cookies or {})
        return async_to_sync(middleware)(request) if mode.is_async else middleware(request)

    answer()
    return answer


def attributes(morsel: Morsel) -> dict:
    return {name: value for name, value in morsel.items() if value and name != "expires"}


def test_the_cookie_is_written_as_the_settings_say_now(answer):
    plain = {"path": "/", "max-age": 1209600, "httponly": True, "samesite": "Lax"}
    for change, expected in {
        "nothing": ({}, {}),
        "age": ({"SESSION_COOKIE_AGE": 60}, {"max-age": 60}),
        "domain": ({"SESSION_COOKIE_DOMAIN": "a.example"}, {"domain": "a.example"}),
        "httponly": ({"SESSION_COOKIE_HTTPONLY": False}, {"httponly": None}),
        "path": ({"SESSION_COOKIE_PATH": "/shop"}, {"path": "/shop"}),
        "samesite": ({"SESSION_COOKIE_SAMESITE": "Strict"}, {"samesite": "Strict"}),
        "no samesite": ({"SESSION_COOKIE_SAMESITE": False}, {"samesite": None}),
        "secure": ({"SESSION_COOKIE_SECURE": True}, {"secure": True}),
        "close": ({"SESSION_EXPIRE_AT_BROWSER_CLOSE": True}, {"max-age": None}),
    }.values():
        with override_settings(**change):
            written = attributes(answer().cookies["sessionid"])
        expected = {**plain, **expected}
        assert written == {name: value for name, value in expected.items() if value is not None}


def test_the_cookie_has_the_name_that_the_settings_say_now(answer):
    with override_settings(SESSION_COOKIE_NAME="visit"):
        response = answer()
        assert list(response.cookies) == ["visit"]
        key = response.cookies["visit"].value
        assert answer(change=False, cookies={"visit": key}).seen == ["green"]
        assert answer(change=False, cookies={"sessionid": key}).seen == [None]


def test_renewing_on_every_request_begins_when_the_settings_say_so(answer):
    key = answer().cookies["sessionid"].value
    assert not answer(change=False, cookies={"sessionid": key}).cookies
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        assert answer(change=False, cookies={"sessionid": key}).cookies["sessionid"].value


def test_ages_are_those_of_the_settings_now(save, reopen):
    session = reopen(save(colour="green"))
    with override_settings(SESSION_COOKIE_AGE=60, SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        assert session.get_session_cookie_age() == 60
        assert session.get_expiry_age() == 60
        assert session.get_expire_at_browser_close() is True
    assert session.get_expiry_age() == 1209600
    assert session.get_expire_at_browser_close() is False


@pytest.mark.stores("db", "file", "signed_cookies")
@pytest.mark.usefixtures("no_encryption")
def test_the_serializer_is_the_one_of_the_settings_now(save, reopen, caplog):
    before = save(colour="red")
    with override_settings(SESSION_SERIALIZER=f"{__name__}.Shouting"):
        key = save(colour="green")
        assert reopen(key).get("colour") == "green"
        with pytest.raises(AssertionError):
            reopen(before).get("colour")
    assert dict(reopen(key).items()) == {}
    assert "JSONDecodeError" in caplog.text


@pytest.mark.stores("db", "file", "signed_cookies")
def test_the_secret_is_the_one_of_the_settings_now(save, reopen):
    key = save(colour="green")
    with override_settings(SECRET_KEY="a new secret"):
        assert reopen(key).get("colour") is None
    with override_settings(SECRET_KEY="a new secret", SECRET_KEY_FALLBACKS=["an old one"]):
        assert reopen(key).get("colour") is None
    assert reopen(key).get("colour") == "green"


@pytest.mark.stores("cache", "cached_db")
@pytest.mark.usefixtures("no_encryption")
def test_the_cache_is_the_one_of_the_settings_now(store, save):
    prefix = store.SessionStore.cache_key_prefix
    one = save(colour="green")
    another = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "another"}
    with override_settings(
        CACHES={**settings.CACHES, "another": another}, SESSION_CACHE_ALIAS="another"
    ):
        other = save(colour="red")
        assert caches["another"].get(prefix + stored_name(other))["colour"] == "red"
        assert caches["another"].get(prefix + stored_name(one)) is None
        caches["another"].clear()
    assert caches[store.cache].get(prefix + stored_name(one))["colour"] == "green"
    assert caches[store.cache].get(prefix + stored_name(other)) is None


@pytest.mark.stores("cached_db")
def test_times_have_the_zone_that_the_settings_say_now(store, save, reopen):
    """A load that misses the cache reads the date of the row."""
    key = save(colour="green")
    for use_tz in (True, False, True):
        caches[store.cache].delete(f"{store.SessionStore.cache_key_prefix}{stored_name(key)}")
        _rows.cache_clear()
        with override_settings(USE_TZ=not use_tz):
            reopen(save(colour="red")).get("colour")
        with override_settings(USE_TZ=use_tz):
            assert reopen(key).get("colour") == "green"


@pytest.mark.stores("file")
def test_the_directory_is_the_one_of_the_settings_now(store, save, reopen, tmp_path_factory):
    one = save(colour="green")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with override_settings(SESSION_FILE_PATH=elsewhere):
        other = save(colour="red")
        assert [file.name for file in elsewhere.iterdir()] == [f"sessionid{stored_name(other)}"]
        assert reopen(one).get("colour") is None
    assert [file.name for file in store.path.iterdir()] == [f"sessionid{stored_name(one)}"]
    assert reopen(one).get("colour") == "green"


@pytest.mark.stores("file")
def test_files_are_named_as_the_settings_say_now(store, save, reopen):
    with override_settings(SESSION_COOKIE_NAME="visit"):
        key = save(colour="green")
        assert (store.path / f"visit{stored_name(key)}").exists()
        assert reopen(key).get("colour") == "green"
    assert reopen(key).get("colour") is None
