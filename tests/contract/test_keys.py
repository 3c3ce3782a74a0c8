"""Keys that this package could not have made cost nothing, make nothing and break nothing."""

import os

import pytest
from django.test import override_settings

from tests.contract.traffic import traffic
from tests.contract.visits import session_cookie, visit

BAD_KEYS = [
    "",
    "short",
    "a" * 7,
    "a" * 41,
    "a" * 5000,
    "A" * 32,
    "abcdefgH" * 4,
    "aaaaaaaa\x00bbbb",
    "../../../../etc/passwd",
    "a/bc/def/ghij",
    "a\\bc\\def\\ghij",
    "a:bc:def:ghij",
    "with some spaces in it",
    "trailing-newline\n",
    "aaaaaaaaaaaaaaaa\n",
    "é" * 10,
    "٣" * 10,
    "ａ" * 10,
    "ﬁ" * 10,
    "\ud800" * 10,
    "aaaa%00aaaa",
    "percent-%s-%(x)s",
    '"aaaaaaaa"',
    "aaaaaaaa'; DROP TABLE django_session; --",
]

#: Cookie headers as clients send them: quoted octals, no value, one name twice, rubbish.
BAD_HEADERS = [
    'sessionid="aaaaaaaa\\000bbbb"',
    'sessionid="\\057etc\\057passwd"',
    'sessionid="\\303\\251\\303\\251\\303\\251\\303\\251\\303\\251"',
    'sessionid="\\012\\015Set-Cookie: x=y\\012"',
    'sessionid="aaaaaaaa',
    "sessionid=aaaaaaaa\x00bbbb",
    "sessionid=../../../../etc/passwd",
    "sessionid=" + "A" * 32,
    "sessionid=" + "a" * 41,
    "sessionid=" + "a" * 7,
    "sessionid=\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9",
    "sessionid=",
    "sessionid",
    "=sessionid",
    "sessionid=aaaaaaa; sessionid=bbbbbbb",
    "sessionid=a b c d e f g h",
    "sessionid==;;=",
    ";",
    "",
]


@pytest.mark.stores(server_side=True)
def test_a_bad_key_costs_no_io(store, reopen):
    for key in BAD_KEYS:
        with traffic(store) as said:
            session = reopen(key)
            assert session.get("colour") is None, repr(key)
            assert session.session_key is None, repr(key)
            assert session.is_empty(), repr(key)
            assert session.exists(key) is False, repr(key)
            session.delete(key)
            session.delete()
            session.flush()
        assert said.all == [], repr(key)


@pytest.mark.stores("signed_cookies")
def test_a_forged_cookie_is_an_empty_session(store, reopen, caplog):
    for key in BAD_KEYS:
        session = reopen(key)
        assert dict(session.items()) == {}, repr(key)
        assert session.session_key is None, repr(key)
        assert session.is_empty(), repr(key)


@pytest.mark.stores(server_side=True)
def test_what_is_no_text_is_no_key(store, reopen):
    for key in (0, b"a" * 32, ["a"] * 32, object(), True):
        with traffic(store) as said:
            assert reopen(None).exists(key) is False
            assert reopen(key).session_key is None
        assert said.all == []


@pytest.mark.stores(server_side=True)
def test_a_bad_key_is_replaced_by_the_first_save(reopen):
    for key in BAD_KEYS:
        session = reopen(key)
        session.set("colour", "green")
        session.save()
        assert session.session_key != key
        assert reopen(session.session_key).get("colour") == "green"


@pytest.mark.stores(server_side=True)
def test_every_key_that_django_could_have_made_is_looked_up(store, reopen):
    for key in ("a" * 8, "0" * 40, "abcdefgh01234567", "z" * 32):
        session = reopen(key)
        session.save(must_create=True)
        session.set("colour", "green")
        session.save()
        assert session.session_key == key
        assert reopen(key).get("colour") == "green"
        assert reopen(None).exists(key)


@pytest.mark.stores(server_side=True)
def test_no_cookie_makes_an_error_or_a_record(store, mode):
    for header in BAD_HEADERS:
        with traffic(store) as said:
            response = visit(mode, lambda session: session.get("colour"), cookie_header=header)
        assert response.status_code == 200, header
        assert response.seen == [None], header
        assert said.all == [], header
        cookie = session_cookie(response)
        assert cookie is None or (cookie.value, cookie["max-age"]) == ("", 0), header


@pytest.mark.stores("signed_cookies")
def test_no_cookie_makes_an_error(mode):
    for header in BAD_HEADERS:
        response = visit(mode, lambda session: session.get("colour"), cookie_header=header)
        assert response.status_code == 200, header
        assert response.seen == [None], header


def test_a_bad_cookie_is_replaced_when_the_visitor_gets_a_session(mode, reopen):
    for header in BAD_HEADERS:
        response = visit(mode, lambda session: session.set("colour", "green"), cookie_header=header)
        assert response.status_code == 200, header
        assert reopen(session_cookie(response).value).get("colour") == "green", header


@pytest.mark.stores(server_side=True)
def test_renewing_on_every_request_makes_no_record_for_a_bad_cookie(store, mode):
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        for header in [*BAD_HEADERS, f"sessionid={'a' * 32}"]:
            with traffic(store) as said:
                response = visit(mode, lambda session: None, cookie_header=header)
            assert response.status_code == 200, header
            assert said.lasting == [], header


@pytest.mark.stores("file")
def test_no_key_leaves_the_directory(store, reopen, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    secret = outside / "sessionidabcdefgh"
    secret.write_text("secret")
    for key in (f"/../../{outside.name}/abcdefgh", f"{os.sep}..{os.sep}{outside.name}/abcdefgh"):
        session = reopen(key)
        session.delete(key)
        session.set("colour", "green")
        session.save()
    assert secret.read_text() == "secret"
    assert os.listdir(outside) == [secret.name]
