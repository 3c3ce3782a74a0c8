"""The session as a dictionary."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase

from dj_sessions._session.limits import NO_MARKS, USER_ID, Marks
from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import Twinned, after_load, operation_on_data

_REQUIRED: Final = object()


class SessionDictionary(Twinned, SessionBase):
    """The dictionary methods, over ``_session``, and the test cookie.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-sessions-in-views
    """

    TEST_COOKIE_NAME = "testcookie"
    TEST_COOKIE_VALUE = "worked"

    _session: dict[str, Any]
    _session_cache: dict[str, Any]
    #: What is stored beside the data for the limits.
    _marks: Marks = NO_MARKS

    def __contains__(self, key: object) -> bool:
        return key in self._session

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    @after_load
    def __setitem__(self, key: str, value: Any) -> None:
        """Set ``key`` to ``value``."""
        self._session[key] = value
        self._assigned(key)

    def __delitem__(self, key: str) -> None:
        del self._session[key]
        self._assigned(key)

    def _assigned(self, *keys: str) -> None:
        """Note that ``keys`` were assigned or deleted."""
        self.modified = True
        if USER_ID in keys:  # a login starts the session anew
            self._marks = NO_MARKS

    def __iter__(self) -> Iterator[str]:
        return iter(self._session)

    def __len__(self) -> int:
        return len(self._session)

    @after_load
    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under ``key``, or ``default``."""
        return self._session.get(key, default)

    @after_load
    def pop(self, key: str, default: Any = _REQUIRED) -> Any:
        """Remove ``key`` and return its value, or ``default``; raises KeyError without either."""
        if key in self._session:
            self._assigned(key)
        return self._session.pop(key, *(() if default is _REQUIRED else (default,)))

    @operation_on_data
    async def setdefault(  # type: ignore[override]
        self, mode: Mode, key: str, value: Any
    ) -> Any:
        """Return the value under ``key``; set it to ``value`` first if there is none."""
        if await mode(self.has_key, self.ahas_key, key):
            return self._session_cache[key]
        await mode(self.__setitem__, self.aset, key, value)
        return value

    @after_load
    def update(  # type: ignore[override]
        self, dict_: Mapping[str, Any] | Iterable[tuple[str, Any]]
    ) -> None:
        """Set every key of ``dict_``."""
        values = dict(dict_)
        self._session.update(values)
        self._assigned(*values)

    @after_load
    def has_key(self, key: object) -> bool:
        """Return whether ``key`` is set."""
        return key in self._session

    @after_load
    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return a view of the keys."""
        return self._session.keys()

    @after_load
    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """Return a view of the values."""
        return self._session.values()

    @after_load
    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Return a view of the pairs of key and value."""
        return self._session.items()

    def clear(self) -> None:
        """Remove all data and keep the key; the next save replaces what is stored."""
        self._session_cache = {}
        self._marks = NO_MARKS
        self.accessed = True
        self.modified = True

    @operation_on_data
    async def set_test_cookie(self, mode: Mode) -> None:
        """Set a test value; ``test_cookie_worked()`` looks for it in the next request."""
        name, value = self.TEST_COOKIE_NAME, self.TEST_COOKIE_VALUE
        await mode(self.__setitem__, self.aset, name, value)

    @operation_on_data
    async def test_cookie_worked(self, mode: Mode) -> bool:
        """Return whether the browser sent the test cookie back."""
        value = await mode(self.get, self.aget, self.TEST_COOKIE_NAME)  # type: ignore[arg-type]
        return bool(value == self.TEST_COOKIE_VALUE)

    @after_load
    def delete_test_cookie(self) -> None:
        """Remove the value of ``set_test_cookie()``; raises KeyError if there is none."""
        del self[self.TEST_COOKIE_NAME]
