"""`_keys`: which texts are session keys."""

import string

import pytest
from django.contrib.sessions.backends.base import VALID_KEY_CHARS as DJANGO_KEY_CHARS
from django.utils.crypto import get_random_string
from hypothesis import example, given
from hypothesis import strategies as st

from dj_sessions import _keys
from dj_sessions.backends import cache
from dj_sessions.backends.base import SessionBase
from dj_sessions.models import Session

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def test_a_new_key_is_32_characters_of_django_s_alphabet():
    assert _keys.VALID_KEY_CHARS == DJANGO_KEY_CHARS
    for _ in range(100):
        key = _keys.new_key()
        assert len(key) == 32
        assert set(key) <= set(ALPHABET)
        assert _keys.is_key(key)


def test_no_two_new_keys_are_equal_and_every_character_occurs():
    made = {_keys.new_key() for _ in range(1000)}
    assert len(made) == 1000
    assert set("".join(made)) == set(ALPHABET)


def test_a_key_that_django_made_is_a_key():
    assert _keys.is_key(get_random_string(32, DJANGO_KEY_CHARS))


@pytest.mark.parametrize("length", range(1, 60))
def test_keys_are_8_to_40_characters_long(length):
    assert _keys.is_key("a" * length) is (8 <= length <= 40)


def test_the_longest_key_fits_the_column():
    column = Session._meta.get_field("session_key")
    assert column.max_length == _keys.MAX_LENGTH


@given(st.text(st.sampled_from(ALPHABET), min_size=8, max_size=40))
def test_whatever_is_in_the_alphabet_is_a_key(text):
    assert _keys.is_key(text)


@given(st.text(st.sampled_from(ALPHABET), min_size=8, max_size=39), st.characters(), st.data())
def test_one_character_outside_the_alphabet_is_enough_to_be_none(text, stranger, data):
    place = data.draw(st.integers(0, len(text)))
    assert _keys.is_key(text[:place] + stranger + text[place:]) is (stranger in ALPHABET)


@given(st.text())
def test_any_text_is_a_key_exactly_if_length_and_characters_fit(text):
    assert _keys.is_key(text) is (8 <= len(text) <= 40 and all(char in ALPHABET for char in text))


UNLIKELY = [
    "",
    "abcdefg",
    "abcdefgh\n",
    "\nabcdefgh",
    "aaaaaaaa\x00bbbb",
    "../../../etc/passwd",
    "..\\..\\windows",
    "ABCDEFGH",
    "abcdefgH",
    "abcdefgé",
    "abcdefg\N{ARABIC-INDIC DIGIT ONE}",
    "abcdefg\N{SUPERSCRIPT TWO}",
    '"abcdefgh"',
    r"abcdefgh\015\012",
    "abcdefgh;path=/",
    "abcd efgh",
    "a" * 4096,
]


@pytest.mark.parametrize("value", UNLIKELY)
def test_what_a_browser_may_send_in_place_of_a_key_is_none(value):
    assert _keys.is_key(value) is False


@pytest.mark.parametrize("value", [None, 0, 12345678, b"abcdefgh", ["abcdefgh"], object()])
def test_what_is_no_text_is_no_key(value):
    assert _keys.is_key(value) is False
    assert _keys.is_custom_key(value) is False


@pytest.mark.parametrize(
    "value", ["ABCDEFGH", "user-1.abcdef", "1c6c2c5e-90f8-4a4a-9d3e-0d9a4f2f9a11", "schlüssel"]
)
def test_a_store_with_keys_of_its_own_may_use_other_characters(value):
    assert _keys.is_custom_key(value) is True
    assert _keys.is_key(value) is False


@given(st.text())
@example("abcdefgh/")
@example("abcdefgh\x7f")
def test_a_custom_key_is_never_short_and_has_no_control_character_space_or_separator(text):
    forbidden = {*map(chr, range(33)), "\x7f", "/", "\\"}
    assert _keys.is_custom_key(text) is (len(text) >= 8 and not forbidden & set(text))


@pytest.mark.parametrize("letter", ["a", "\N{GREEK SMALL LETTER ALPHA}"])
def test_a_custom_key_of_a_store_is_no_longer_than_every_store_can_take(letter):
    class SessionStore(cache.SessionStore):
        def create(self):
            super().create()

    most = 160 // len(letter.encode())
    assert SessionStore(letter * most)._session_key == letter * most
    assert SessionStore(letter * (most + 1))._session_key is None


def test_a_key_that_is_the_data_may_be_long():
    class SessionStore(SessionBase):
        def create(self):
            self._session_key = self.encode({})

    assert SessionStore("a" * 1000)._session_key == "a" * 1000


def test_a_shortened_key_shows_six_characters():
    assert _keys.shorten("abcdefghijkl") == "abcdef…"


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_key_is_shortened_to_a_dash(nothing):
    assert _keys.shorten(nothing) == "—"


def test_a_shortened_key_is_no_key():
    assert not _keys.is_key(_keys.shorten(_keys.new_key()))
    assert string.ascii_lowercase not in _keys.shorten(string.ascii_lowercase)
