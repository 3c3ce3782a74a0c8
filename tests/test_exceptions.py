"""`exceptions`: Django's own, and ours."""

import pickle
import re

import pytest
from django.contrib.sessions import exceptions as django_exceptions
from django.contrib.sessions.backends import base as django_base

from dj_sessions import exceptions
from dj_sessions.backends import base, cache, cached_db, db, file

OURS = [exceptions.SessionConflict, exceptions.SessionEncodeError, exceptions.SessionTooLarge]
BUILT_IN = {"TypeError": TypeError, "ValueError": ValueError}


@pytest.mark.parametrize("name", ["InvalidSessionKey", "SessionInterrupted", "SuspiciousSession"])
def test_the_exceptions_of_django_s_module_are_the_same_objects(name):
    assert getattr(exceptions, name) is getattr(django_exceptions, name)


@pytest.mark.parametrize("name", ["CreateError", "UpdateError"])
@pytest.mark.parametrize("module", [exceptions, base, db, cache, cached_db, file])
def test_the_exceptions_of_django_s_base_module_are_the_same_objects(name, module):
    assert getattr(module, name) is getattr(django_base, name)


def test_everything_public_is_an_exception_that_the_tree_in_the_docstring_shows():
    assert sorted(exceptions.__all__) == exceptions.__all__
    shown = re.findall(r"── (\w+)", exceptions.__doc__)
    for name in exceptions.__all__:
        assert issubclass(getattr(exceptions, name), Exception)
        assert shown.count(name) == 1
    assert set(shown) - set(exceptions.__all__) == {*BUILT_IN}


def test_the_tree_in_the_docstring_is_the_classes_own():
    parents = [(0, Exception)]
    for indent, name in re.findall(r"^    ([│ ]*[├└]── )(\w+)", exceptions.__doc__, re.MULTILINE):
        depth = len(indent)
        found = getattr(exceptions, name, None) or BUILT_IN[name]
        while parents[-1][0] >= depth:
            parents.pop()
        assert parents[-1][1] in found.__bases__, name
        parents.append((depth, found))


def test_the_tree_in_the_docstring_tells_which_are_django_s():
    for name, rest in re.findall(r"── (\w+)(.*)", exceptions.__doc__):
        if name in exceptions.__all__:
            is_django_s = getattr(exceptions, name).__module__.startswith("django.")
            assert rest.endswith("(Django's)") is is_django_s, name


def test_a_conflict_says_how_often_and_that_nothing_is_stored():
    error = exceptions.SessionConflict(8)
    assert error.attempts == 8
    assert "8 in all" in str(error)
    assert "Nothing of this save is stored" in str(error)


def test_a_session_that_is_too_large_says_how_large_and_what_of_it():
    error = exceptions.SessionTooLarge(5678, 4096, (("cart", 5210), ("seen", 310)))
    assert (error.size, error.limit) == (5678, 4096)
    assert error.largest == (("cart", 5210), ("seen", 310))
    assert "5,678 bytes long as a cookie" in str(error)
    assert "more than 4,096" in str(error)
    assert "'cart' (5,210 bytes), 'seen' (310 bytes)" in str(error)


def test_an_encode_error_says_where_what_and_what_to_do():
    error = exceptions.SessionEncodeError("session['a']", set, "Store a list.")
    assert error.path == "session['a']"
    assert error.value_type is set
    assert str(error) == (
        "session['a'] is of type builtins.set, which cannot be stored in the session. Store a list."
    )


@pytest.mark.parametrize(
    "error",
    [
        exceptions.SessionConflict(8),
        exceptions.SessionEncodeError("session['a']", set, "Store a list."),
        exceptions.SessionTooLarge(5678, 4096, (("cart", 5210), ("seen", 310))),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_exceptions_survive_being_pickled(error):
    """Test runners and task queues send them between processes."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
