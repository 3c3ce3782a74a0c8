"""Holes that session frameworks have had, by their numbers; none may come back.

Each test goes through the whole middleware stack, over every store for which the hole makes sense.
"""

import os
import re

import pytest
from asgiref.sync import async_to_sync
from django.contrib import auth
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.cache import caches
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings
from django.urls import path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dj_sessions.middleware import SessionMiddleware
from tests.contract import conftest as sessions
from tests.contract.test_flags import DATA, NEITHER, TABLE
from tests.contract.traffic import traffic
from tests.contract.visits import session_cookie, varies_on_cookie, visit

KEY = re.compile(r"[0-9a-z]{8,40}")


new, reopen, save = sessions.new, sessions.reopen, sessions.save


@pytest.fixture
def cached_site():
    """Pages are kept in Django's cache, and found there again."""
    with override_settings(
        MIDDLEWARE=[
            "django.middleware.cache.UpdateCacheMiddleware",
            "dj_sessions.middleware.SessionMiddleware",
            "django.middleware.cache.FetchFromCacheMiddleware",
        ]
    ):
        yield


def get_colour(session):
    return session.get("colour")


def set_colour(session):
    return session.set("colour", "green")


def look_away(session):
    return None


@pytest.mark.stores("cache", "cached_db")
def test_cve_2011_4136_a_session_key_names_nothing_else_in_the_cache(store, mode):
    """Sessions in the root of the cache: a key could name what the site had cached itself."""
    prefix = f"django.contrib.sessions.{store.kind}"
    others = {"", "django.contrib.sessions.cache", "django.contrib.sessions.cached_db"} - {prefix}
    key = "siteentry"
    for other in others:
        caches[store.cache].set(other + key, {"colour": "of the site", "_auth_user_id": "1"})
    with traffic(store) as said:
        assert visit(mode, get_colour, cookie=key).seen == [None]
    assert said.round_trips
    own = (prefix + key, f"{prefix}/generation")  # no session key has a slash
    assert [trip for trip in said.round_trips if not any(name in trip for name in own)] == []


def test_cve_2014_0482_another_remote_user_gets_nothing_of_the_session(store, mode, databases):
    """The session of one user was kept when the web server announced another."""
    header = "REMOTE_USER"

    def view(request):
        return HttpResponse(request.session.get("_auth_user_id"))

    async def aview(request):
        return HttpResponse(await request.session.aget("_auth_user_id"))

    with override_settings(
        ROOT_URLCONF=(path("", aview if mode.is_async else view),),
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"],
        MIDDLEWARE=[
            "dj_sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.RemoteUserMiddleware",
        ],
    ):
        client = mode.client()

        def get(user):
            if mode.is_async:
                return client.get("/", headers={header: user})
            return client.get("/", **{header: user})

        def user_of(response):
            return get_user_model().objects.get(pk=response.content).username

        assert user_of(get("ada")) == "ada"
        key = session_cookie(client).value
        session = mode.wrap(store.SessionStore(key))
        session.set("secret", "of ada")
        session.save()
        client.cookies["sessionid"] = key = session.session_key
        assert user_of(get("bob")) == "bob"
        session = mode.wrap(store.SessionStore(session_cookie(client).value))
        assert session.session_key != key
        assert session.get("secret") is None
        if store.server_side:
            assert not session.exists(key)


def test_cve_2014_1418_every_browser_gets_vary(mode, save):
    """Vary was removed for browsers that mishandled it, and caches then mixed visitors."""
    key = save(colour="green")
    for browser in (
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "Mozilla/5.0 (MSIE 9.0; Windows NT 6.1; Trident/5.0)",
        "ChromeFrame",
        "",
    ):
        response = visit(mode, get_colour, cookie=key, headers={"user-agent": browser})
        assert varies_on_cookie(response), browser
        response = visit(mode, set_colour, headers={"user-agent": browser})
        assert varies_on_cookie(response), browser


def test_cve_2015_3982_a_flushed_session_has_no_key(store, mode, save, reopen):
    """flush() left the key "", under which all flushed sessions met."""
    response = visit(
        mode,
        lambda session: session.flush(),
        lambda session: session.session_key,
        cookie=save(colour="green"),
    )
    assert response.seen == [None, None]
    assert session_cookie(response).value == ""
    for key in ("", "a", "a" * 7):
        session = reopen(key)
        with traffic(store) as said:
            assert session.get("colour") is None
        assert said.all == []
        session.set("colour", "green")
        session.save()
        assert len(session.session_key) >= 32
        assert visit(mode, get_colour, cookie=key).seen == [None]


def without_leases(writes):
    """Without the leases of readers of `cached_db`, who give them back where there is no row."""
    return [write for write in writes if "/tag" not in write and "/generation" not in write]


def entries_of(store, key):
    if store.kind != "cached_db":
        return None
    names = [store.SessionStore.cache_key_prefix + key + end for end in ("", "/tag")]
    return caches[store.cache].get_many(names)


def test_cve_2015_5143_reading_an_unknown_key_makes_no_record(store, mode, new, save):
    """Every request with a made-up key left a session behind, until the store was full."""
    expired = new()
    expired.set("colour", "green")
    expired.set_expiry(-1)
    expired.save()
    deleted = save(colour="green")
    if store.server_side:
        new().delete(deleted)
    keys = ["a" * 32, "0" * 40, "madeupkey", expired.session_key]
    for key in keys if not store.server_side else [*keys, deleted]:
        before = entries_of(store, key)
        with traffic(store) as said:
            response = visit(mode, get_colour, cookie=key)
        assert without_leases(said.writes) == []
        assert entries_of(store, key) == before
        assert response.seen == [None]
        assert session_cookie(response) is None or session_cookie(response).value == ""


def test_cve_2015_5963_a_thousand_anonymous_logouts_make_no_record(store, mode):
    """Logging out without being logged in created a session each time (also CVE-2015-5964)."""

    def log_out(request):
        auth.logout(request)
        return HttpResponse()

    async def alog_out(request):
        await auth.alogout(request)
        return HttpResponse()

    def many():
        middleware, factory = SessionMiddleware(log_out), RequestFactory()
        return [middleware(factory.get("/")) for _ in range(500)]

    async def amany():
        middleware, factory = SessionMiddleware(alog_out), AsyncRequestFactory()
        return [await middleware(factory.get("/")) for _ in range(500)]

    for renew in (False, True):
        with override_settings(SESSION_SAVE_EVERY_REQUEST=renew), traffic(store) as said:
            responses = async_to_sync(amany)() if mode.is_async else many()
        assert said.all == []
        assert [response for response in responses if response.cookies] == []


#: Cookie headers: mostly of the characters that parsers and stores stumble over.
COOKIE_TEXT = st.text(
    st.one_of(
        st.sampled_from("sessionid=;\"\\,0127 \t/:'%.@[](){}<>?&abcxyzABC"),
        st.characters(min_codepoint=0, max_codepoint=255, exclude_characters="\r\n"),
    ),
    max_size=80,
)
COOKIE_HEADERS = st.one_of(
    COOKIE_TEXT,
    st.lists(COOKIE_TEXT.map("sessionid={}".format), max_size=3).map("; ".join),
    COOKIE_TEXT.map('sessionid="{}"'.format),
    st.lists(st.integers(0, 0o777), min_size=3, max_size=12).map(
        lambda codes: 'sessionid="{}"'.format("".join(f"\\{code:03o}" for code in codes))
    ),
)


def test_cve_2016_7401_no_cookie_header_breaks_the_site_or_reaches_the_store(store, mode):
    """Lax parsing let one cookie be taken for several, and odd bytes for keys."""
    said_of_keys = []

    def look(session):
        said_of_keys.append(session.raw._session_key)
        return session.get("colour")

    @settings(
        max_examples=30,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(header=COOKIE_HEADERS)
    def send(header):
        said_of_keys.clear()
        with traffic(store) as said:
            response = visit(mode, look, cookie_header=header, raises=False)
        assert response.status_code == 200
        (key,) = said_of_keys
        assert without_leases(said.writes) == []
        if store.server_side:
            assert key is None or KEY.fullmatch(key)
            assert key is not None or said.all == []

    send()


def quoted(text):
    """Return `text` as cookies quote what they cannot hold: in octal numbers."""
    return '"{}"'.format("".join(f"\\{byte:03o}" for byte in text.encode()))


@pytest.mark.stores("cache", "cached_db")
def test_cve_2020_13254_malformed_cache_keys_never_reach_the_cache(store, mode):
    """Memcached keys with blanks or line ends collided, or were taken for commands."""
    for key in (
        "with blanks in it",
        "aaaaaaaa\r\nflush_all\r\n",
        "aaaaaaaa\x00",
        "aaaaaaaa\x7f",
        "a" * 250,
        "ключключключ",
    ):
        session = mode.wrap(store.SessionStore(key))
        with traffic(store) as said:
            assert session.get("colour") is None
            assert not session.exists(key)
            session.delete(key)
            visit(mode, get_colour, cookie_header=f"sessionid={quoted(key)}")
        assert said.all == [], key


@pytest.mark.stores("file")
def test_cve_2020_24583_files_are_their_owner_s_alone(store, mode):
    """Files, and folders made on the way (CVE-2020-24584), were open to other users."""
    umask = os.umask(0)
    try:
        key = session_cookie(visit(mode, set_colour)).value
        visit(mode, lambda session: session.set("colour", "red"), cookie=key)
    finally:
        os.umask(umask)
    modes = {file.name: file.stat().st_mode & 0o777 for file in store.path.iterdir()}
    assert modes == {f"sessionid{key}": 0o600}


def test_cve_2026_35192_a_renewed_cookie_is_not_for_the_next_visitor(mode, save, cached_site):
    """The cookie that is renewed with every response was cached with a page without Vary."""
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        response = visit(mode, look_away, cookie=save(colour="green"))
        assert session_cookie(response).value
        assert varies_on_cookie(response)
        stranger = visit(mode, look_away)
        assert session_cookie(stranger) is None


def test_cve_2026_48588_a_response_that_sets_the_cookie_is_not_cached(store, mode, cached_site):
    """With any other cookie in the request, a page and its Set-Cookie were cached."""
    other = "theme=dark"
    keys = {session_cookie(visit(mode, set_colour, cookie_header=other)).value for _ in range(3)}
    visits = [visit(mode, get_colour, cookie_header=other) for _ in range(2)]
    assert [visitor.seen for visitor in visits] == [[None], [None]]
    if store.server_side:  # equal data, signed in the same second, are equal cookies
        assert len(keys) == 3


#: Vary and Cache-Control of a view.
ODD_HEADERS = [
    ("*", ""),
    (" * ", "public, Max-Age=60"),
    ("Accept, *", ""),
    ("Cookie", "public, Max-Age=60"),
    ("cookie", ""),
    ("COOKIE ", "PRIVATE"),
    ("  Cookie  ,  Accept", ""),
    ("Accept,Cookie", " No-Cache "),
    ("X-Cookie", ""),
    ("Accept-Encoding", "public, Max-Age=60"),
    ("", ""),
    ("", "PUBLIC"),
]


def test_cve_2026_6907_odd_headers_do_not_show_one_visitor_to_another(mode, save, cached_site):
    """Odd Vary and Cache-Control values let private pages be cached (CVE-2026-8404, -48587)."""
    ada, bob = save(colour="green"), save(colour="red")
    for number, (vary, cache_control) in enumerate(ODD_HEADERS):
        answer = {"Vary": vary, "Cache-Control": cache_control}
        answer = {name: value for name, value in answer.items() if value}
        pages = [
            visit(mode, get_colour, cookie=key, answer=answer, query=f"page={number}")
            for key in (ada, bob, "")
        ]
        assert [page.content for page in pages] == [b"['green']", b"['red']", b"[None]"], vary
        for page in pages:
            names = {name.strip().lower() for name in page["Vary"].split(",")}
            assert names & {"*", "cookie"}, (vary, page["Vary"])


def test_cve_2026_35193_authorization_and_cookie_are_both_in_vary(mode, save, cached_site):
    """A page for one Authorization header was cached for all."""
    headers = {"authorization": "Basic YWRhOnNlY3JldA=="}
    response = visit(mode, get_colour, cookie=save(colour="green"), headers=headers)
    assert {name.strip() for name in response["Vary"].split(",")} == {"Cookie", "Authorization"}


@pytest.mark.stores("db", "file", "signed_cookies")
def test_cve_2026_6873_what_is_signed_for_another_purpose_is_no_session(store, mode):
    """Two pairs of a name and a salt could make one salt, and one signature serve for both."""
    data = {"colour": "green", "_auth_user_id": "1"}
    response = HttpResponse()
    response.set_signed_cookie("sessionid", "a" * 32, salt="")
    response.set_signed_cookie("session", "a" * 32, salt="id")
    other = {
        "db": "django.contrib.sessions.backends.signed_cookies",
        "file": "django.contrib.sessions.backends.signed_cookies",
        "signed_cookies": "django.contrib.sessions.SessionStore",
    }[store.kind]
    forged = [
        signing.dumps(data, salt=other),
        signing.dumps(data),
        signing.dumps(data, salt=""),
        *(morsel.value for morsel in response.cookies.values()),
    ]
    for text in forged:
        if store.kind == "signed_cookies":
            assert visit(mode, get_colour, cookie=text).seen == [None]
        else:
            assert store.SessionStore().decode(text) == {}


def test_rack_cve_2026_39324_what_is_not_encrypted_is_never_taken_for_it(store, mode, save, reopen):
    """Cookies that could not be decrypted were read as ones of before the encryption."""
    with override_settings(SESSION_SERIALIZER="dj_sessions.serializers.JSONSerializer"):
        plain = save(_auth_user_id="1")
    with override_settings(SESSION_SERIALIZER="dj_sessions.serializers.EncryptedJSONSerializer"):
        assert visit(mode, lambda s: s.get("_auth_user_id"), cookie=plain).seen == [None]
        key = save(colour="green")
        assert visit(mode, get_colour, cookie=key).seen == ["green"]
        with override_settings(SESSION_ENCRYPTION_KEYS=["another secret, of 32 characters"]):
            assert visit(mode, get_colour, cookie=key).seen == [None]
            with override_settings(SESSION_ENCRYPTION_ACCEPT_PLAIN=True):
                assert visit(mode, get_colour, cookie=key).seen == [None]


#: These have no twin: in the event loop they are for sessions that are loaded already.
SYNC_ONLY = {"in", "item", "iter", "len", "del"}
#: These raise KeyError without a session.
NEEDS_DATA = {"item", "del", "pop", "delete_test_cookie"}


def test_flask_cve_2023_30861_whatever_depends_on_the_session_varies(store, mode):
    """Access that did not count as access sent no Vary: Cookie (also Flask's CVE-2026-27205)."""

    def stored():
        session = store.SessionStore()
        session.update(DATA)
        session.save()
        return session.session_key

    varied, expected = {}, {}
    for what, (act, flags) in TABLE.items():
        if mode.is_async and what in SYNC_ONLY:
            continue
        for cookie in (True, False) if what not in NEEDS_DATA else (True,):
            response = visit(mode, act, cookie=stored() if cookie else None)
            varied[what, cookie] = varies_on_cookie(response)
            expected[what, cookie] = flags is not NEITHER
            assert session_cookie(response) is None or varied[what, cookie], what
    assert varied == expected
