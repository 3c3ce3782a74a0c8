"""A payload that is corrupt or wrongly signed: an empty session and one logged line."""

import sys
from ssl import CertificateError
from types import ModuleType
from unittest import mock

import pytest
from django.core import signing
from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheKey
from django.core.signing import TimestampSigner, b64_encode
from django.test import override_settings

from dj_sessions._codec import log_rate
from dj_sessions.storage.caches import adapter_of
from tests.contract.visits import visit
from tests.stores import stored_name

LOGGER = "django.security.SuspiciousSession"
SECRET = "a-value-nobody-may-log"


@pytest.fixture
def spoil(store):
    """Put `payload` in the place of what the store holds under `key`; return the new key."""

    def spoil(key, payload):
        if store.kind == "signed_cookies":
            return payload
        if store.kind == "file":
            (store.path / f"sessionid{stored_name(key)}").write_bytes(payload.encode())
        elif store.kind == "cache":
            caches[store.cache].set(store.SessionStore.cache_key_prefix + stored_name(key), payload)
        elif store.kind == "redis":
            storage = store.SessionStore().get_storage()
            storage.server.send("SET", storage.name_of(stored_name(key)), payload)
        else:
            rows = store.SessionStore.get_model_class().objects.filter(session_key=stored_name(key))
            assert rows.update(session_data=payload) == 1
            if store.cache:
                caches[store.cache].delete(store.SessionStore.cache_key_prefix + stored_name(key))
        return key

    return spoil


def corruptions(store):
    """Texts that no store of this site has written."""
    salt = "django.contrib.sessions.SessionStore"
    if store.kind == "signed_cookies":
        salt = "django.contrib.sessions.backends.signed_cookies"
    good = signing.dumps({"secret": SECRET}, salt=salt, compress=True)
    signer = TimestampSigner(salt=salt)
    with override_settings(SECRET_KEY="the key of another site"):
        foreign = signing.dumps({"secret": SECRET}, salt=salt)
    return {
        "rubbish": SECRET,
        "cut": good[: len(good) // 2],
        "flipped": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "changed": "x" + good,
        "of another site": foreign,
        "of another purpose": signing.dumps({"secret": SECRET}, salt="something else"),
        "beyond ascii": "ä" + good,
        "no json": signer.sign(b64_encode(b"{secret: " + SECRET.encode()).decode()),
        "no zlib": signer.sign("." + b64_encode(SECRET.encode()).decode()),
        "no base64": signer.sign(f"{SECRET}A"),
        "a list": signing.dumps([SECRET], salt=salt),
        "a text": signing.dumps(SECRET, salt=salt),
        "null": signing.dumps(None, salt=salt),
    }


def assert_one_line(caplog, *unspeakable):
    records = [record for record in caplog.records if record.name == LOGGER]
    assert [record.levelname for record in records] == ["WARNING"]
    message = records[0].getMessage()
    reason = message.removeprefix("Session data corrupted")
    assert reason != message
    assert len(reason) > 10
    for text in unspeakable:
        assert text not in message
    assert len(caplog.records) == 1


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_a_corrupt_payload_is_an_empty_session_and_one_line(store, save, spoil, reopen, caplog):
    for what, payload in corruptions(store).items():
        key = spoil(save(colour="green"), payload)
        caplog.clear()
        session = reopen(key)
        assert dict(session.items()) == {}, what
        assert_one_line(caplog, key, SECRET, payload[:20])


@pytest.mark.stores("db", "cached_db", "file")
def test_a_payload_corrupted_while_it_is_in_use_is_one_line_and_replaced(
    store, save, spoil, reopen, caplog
):
    for what, payload in corruptions(store).items():
        key = save(colour="green")
        session = reopen(key)
        session.set("size", 3)
        spoil(key, payload)
        caplog.clear()
        session.save()
        assert_one_line(caplog, key, SECRET, payload[:20])
        assert dict(reopen(key).items()) == {"colour": "green", "size": 3}, what


@pytest.mark.stores("cache")
def test_what_is_no_dictionary_is_an_empty_session_and_one_line(save, spoil, reopen, caplog):
    for payload in (SECRET, SECRET.encode(), [SECRET], 7, {SECRET}):
        key = spoil(save(colour="green"), payload)
        caplog.clear()
        assert dict(reopen(key).items()) == {}, payload
        assert_one_line(caplog, key, SECRET)


@pytest.mark.stores("cache")
def test_bytes_that_the_cache_cannot_read_are_an_empty_session_and_one_line(
    store, save, reopen, caplog
):
    key = save(colour="green")
    rubbish = b"\x80\x05rubbish"
    cache = caches[store.cache]
    name = cache.make_key(store.SessionStore.cache_key_prefix + stored_name(key))
    if store.cache == "redis":
        assert cache._cache.get_client(write=True).set(name, rubbish)
    elif store.cache == "django_redis":
        assert cache.client.get_client(write=True).set(name, rubbish)
    elif store.cache == "memcached":
        pickled = 1  # pymemcache's flag for a pickle
        assert cache._cache._get_client(name).set(name, rubbish, flags=pickled)
    else:
        cache._cache[name] = rubbish
    assert dict(reopen(key).items()) == {}
    if store.cache != "memcached":  # pymemcache itself takes what it cannot read for nothing
        assert_one_line(caplog, key, "rubbish")


@pytest.mark.stores("cache")
@pytest.mark.usefixtures("no_encryption")
def test_a_value_whose_class_is_gone_is_an_empty_session_and_one_line(
    store, save, reopen, monkeypatch, caplog
):
    """A deployment removed it: each request of that visitor would fail until the session ends."""
    shop = ModuleType("shop_of_yesterday")
    shop.Cart = type("Cart", (), {"__module__": shop.__name__})
    monkeypatch.setitem(sys.modules, shop.__name__, shop)
    key = save(cart=shop.Cart(), secret=SECRET)
    monkeypatch.delitem(sys.modules, shop.__name__)
    assert dict(reopen(key).items()) == {}
    if store.cache != "memcached":  # pymemcache itself takes what it cannot read for nothing
        assert_one_line(caplog, key, SECRET)


@pytest.mark.stores("cache")
@pytest.mark.parametrize("error", [CertificateError("expired"), InvalidCacheKey("too long")])
def test_an_error_of_the_cache_is_no_corruption_though_it_is_a_value_error(
    store, save, reopen, caplog, error
):
    key = save(colour="green")
    adapter = type(adapter_of(caches[store.cache]))
    with (
        mock.patch.object(adapter, "read", side_effect=error),
        pytest.raises(type(error), match=str(error)),
    ):
        reopen(key).get("colour")
    assert not caplog.records
    assert reopen(key).get("colour") == "green"


def test_a_session_that_was_corrupt_can_be_used_again(store, save, spoil, reopen, caplog):
    for change in (lambda s: s.set("size", 3), lambda s: s.update({"size": 3})):
        key = spoil(save(colour="green"), SECRET)
        session = reopen(key)
        change(session)
        session.save()
        caplog.clear()
        assert dict(reopen(session.session_key).items()) == {"size": 3}
        assert caplog.records == []


def test_a_site_answers_a_visitor_whose_session_is_corrupt(mode, save, spoil, caplog):
    key = spoil(save(colour="green"), SECRET)
    caplog.clear()
    response = visit(mode, lambda session: session.get("colour"), cookie=key)
    assert response.status_code == 200
    assert response.seen == [None]
    assert_one_line(caplog, key, SECRET)


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_a_payload_is_read_under_an_old_secret_while_that_is_a_fallback(
    store, reopen, save, caplog
):
    with override_settings(SECRET_KEY="the old key"):
        key = save(colour="green")
    if store.cache:
        caches[store.cache].delete(store.SessionStore.cache_key_prefix + stored_name(key))
    with override_settings(SECRET_KEY_FALLBACKS=["the old key"]):
        session = reopen(key)
        assert session.get("colour") == "green"
        assert caplog.records == []
        session.set("size", 3)
        session.save()
    if store.cache:
        name = stored_name(session.session_key)
        caches[store.cache].delete(store.SessionStore.cache_key_prefix + name)
    assert dict(reopen(session.session_key).items()) == {"colour": "green", "size": 3}


@pytest.mark.stores("file")
def test_a_file_that_django_has_just_created_is_an_empty_session(save, spoil, reopen, caplog):
    session = reopen(spoil(save(colour="green"), ""))
    assert dict(session.items()) == {}
    assert caplog.records == []


@pytest.mark.stores("signed_cookies")
def test_of_many_payloads_in_a_minute_the_first_are_logged_and_the_others_counted(
    store, save, spoil, reopen, caplog
):
    """Whoever sends cookies can forge one with each request."""
    key = spoil(save(colour="green"), "a forged payload")
    for _ in range(50):
        assert reopen(key).get("colour") is None
    lines = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert len(lines) == log_rate.MOST + 1
    assert all(line.startswith("Session data corrupted: ") for line in lines)
    assert "the others are counted" in lines[-1]
