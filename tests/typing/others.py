"""Exceptions, serializers and settings as code sees them."""

from typing import Any, Literal, assert_type

from django.contrib.sessions.backends import base as django_base
from django.contrib.sessions.exceptions import SessionInterrupted as DjangoSessionInterrupted

from dj_sessions.conf import conf
from dj_sessions.exceptions import (
    CreateError,
    SessionConflict,
    SessionEncodeError,
    SessionInterrupted,
    UpdateError,
)
from dj_sessions.serializers import JSONSerializer, PickleSerializer


def errors(unstorable: SessionEncodeError, conflict: SessionConflict) -> None:
    assert_type(unstorable.path, str)
    assert_type(unstorable.value_type, type)
    assert_type(conflict.attempts, int)
    of_type: TypeError = unstorable
    raise of_type


def the_same_classes() -> None:
    assert_type(CreateError(), django_base.CreateError)
    assert_type(django_base.UpdateError(), UpdateError)
    assert_type(SessionInterrupted(), DjangoSessionInterrupted)


class Tagged(PickleSerializer):
    protocol = 4

    def dumps(self, obj: Any) -> bytes:
        return b"1" + super().dumps(obj)

    def loads(self, data: bytes) -> Any:
        return super().loads(data[1:])


def serializers() -> None:
    assert_type(JSONSerializer().dumps({}), bytes)
    assert_type(Tagged().dumps({}), bytes)
    assert_type(Tagged().loads(b""), Any)


def settings() -> None:
    assert_type(conf.SESSION_COOKIE_AGE, int)
    assert_type(conf.SESSION_COOKIE_DOMAIN, str | None)
    assert_type(conf.SESSION_COOKIE_SAMESITE, Literal["Lax", "Strict", "None", False])
    assert_type(conf.SESSION_SAVE_EVERY_REQUEST, bool)
    conf.SESSION_COOKIE_AGE = 60  # type: ignore[misc]
    conf.SESSION_COOKY_AGE  # type: ignore[attr-defined] # noqa: B018
