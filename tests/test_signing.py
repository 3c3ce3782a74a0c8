"""`_codec.signed_text`: what Django's signing makes and takes, byte for byte."""

import random
import zlib
from unittest import mock

import pytest
from django.core import signing
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from dj_sessions._codec import signed_text

SALT = "django.contrib.sessions.SessionStore"


class Bytes:
    """A serializer that has nothing to do."""

    def dumps(self, obj):
        return obj

    def loads(self, data):
        return data


def by_django(data, **options):
    return signing.dumps(data, salt=SALT, serializer=Bytes, compress=True, **options)


SESSIONS = st.one_of(
    st.binary(max_size=300),
    st.text('{}:,"abcdefg0123456789 ', max_size=3000).map(str.encode),
    st.builds(bytes.__mul__, st.binary(min_size=1, max_size=40), st.integers(1, 200)),
)


@given(SESSIONS)
def test_the_text_is_the_one_that_django_makes(data):
    with mock.patch("time.time", return_value=1_900_000_000.5):
        assert signed_text.sign(data, SALT) == by_django(data)


@given(SESSIONS)
def test_each_reads_what_the_other_wrote(data):
    assert signed_text.unsign(by_django(data), SALT) == data
    assert signing.loads(signed_text.sign(data, SALT), salt=SALT, serializer=Bytes) == data


@pytest.mark.parametrize(
    "size", [0, 1, 11, 12, 100, signed_text.SMALL, signed_text.SMALL + 1, 100_000]
)
def test_what_is_compressed_is_what_zlib_makes(size):
    data = bytes(random.Random(size).choices(b"{}:,abcdef", k=size))
    assert signed_text.compress(data) == zlib.compress(data)


def test_a_key_that_was_replaced_still_counts_and_no_other_does():
    with override_settings(SECRET_KEY="the old one"):
        text = signed_text.sign(b"data", SALT)
    with override_settings(SECRET_KEY="the new one", SECRET_KEY_FALLBACKS=["the old one"]):
        assert signed_text.unsign(text, SALT) == b"data"
    with override_settings(SECRET_KEY="the new one"), pytest.raises(signing.BadSignature):
        signed_text.unsign(text, SALT)


@pytest.mark.parametrize("empty", ["", b"", None])
def test_an_empty_old_key_is_no_key_that_anybody_knows(empty):
    """``os.environ.get("OLD_KEYS", "").split(",")`` is a list with an empty key."""
    for known in (b"", b"None"):
        with mock.patch.object(signed_text, "settings", mock.Mock(SECRET_KEY=known)):
            forged = signed_text.sign(b"data", SALT)
        with (
            override_settings(SECRET_KEY_FALLBACKS=[empty]),
            pytest.raises(signing.BadSignature),
        ):
            signed_text.unsign(forged, SALT)
    with override_settings(SECRET_KEY_FALLBACKS=[empty, "old"]):
        assert signed_text.unsign(by_django(b"data"), SALT) == b"data"
        assert signed_text.unsign(by_django(b"data", key="old"), SALT) == b"data"


def test_an_empty_salt_is_the_one_that_django_takes_instead():
    assert signed_text.unsign(signing.dumps(b"data", salt="", serializer=Bytes), "") == b"data"


@pytest.mark.parametrize("key", ["text", b"bytes", "schl\u00fcssel"])
def test_keys_of_any_kind_sign_as_django_signs(key):
    with override_settings(SECRET_KEY=key), mock.patch("time.time", return_value=1_900_000_000):
        assert signed_text.sign(b"data", SALT) == by_django(b"data")


@pytest.mark.parametrize("text", ["", ":", "::", "no separator", "a:b", "a:b:c", "\N{SNOWMAN}:b:c"])
def test_what_nobody_signed_is_refused(text):
    with pytest.raises(signing.BadSignature):
        signed_text.unsign(text, SALT)


def test_another_salt_is_another_purpose():
    with pytest.raises(signing.BadSignature):
        signed_text.unsign(signed_text.sign(b"data", "another"), SALT)


@pytest.mark.parametrize("value", ["data", "data:", "data:*", ".data:1"])
def test_what_is_signed_and_no_session_is_a_value_error_or_one_of_zlib(value):
    text = signing.Signer(salt=SALT).sign(value)
    with pytest.raises((ValueError, zlib.error)):
        signed_text.unsign(text, SALT)
