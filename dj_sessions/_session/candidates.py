"""A request that brings several keys: the first one under which there is a session counts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from dj_sessions import _keys
from dj_sessions._session import events
from dj_sessions._session.modes import Mode
from dj_sessions._session.store_methods import StoreMethods
from dj_sessions._session.twins import operation
from dj_sessions.signals import RefusalReason


class KeyCandidates(StoreMethods):
    """A session whose key is chosen when it is loaded, where its request brings several.

    A browser sends two cookies of one name after a change of their domain or path.
    """

    #: The keys to try after the session's own, until it is loaded.
    _other_keys: tuple[str, ...] = ()
    #: The value that was given as the key and cannot be one.
    _refused_key: object = None
    #: Whether another request has moved the session that this one asked for to another key.
    _was_moved = False
    #: What stands under the key of this request in the place of a session.
    _found_forward: Any = None

    _is_key: Callable[[object], bool]
    _aload_first: Callable[[], Coroutine[Any, Any, dict[str, Any]]]
    _atell_refused: Callable[[], Coroutine[Any, Any, None]]

    def _offer_keys(self, keys: Iterable[str]) -> None:
        """Take ``keys`` as the others to try, without those that cannot be keys."""
        possible = [key for key in keys if self._is_key(key)]
        if self._session_key is None and possible:
            self._session_key = possible.pop(0)
        self._other_keys = tuple(possible)

    @operation
    async def _load_first(self, mode: Mode) -> dict[str, Any]:
        """Load the first of the keys that has a session; if none has, the session's own it is."""
        first = self._session_key
        data = await mode(self.load, self.aload)
        forward, others = None, list(self._other_keys)
        while self._session_key is None and others:
            if self._was_moved and forward is None:
                forward = self._found_forward
                # It lives, so no other session may take its place in the browser.
                lives = await self._leads_to(mode)
                others = [key for key in others if lives in (None, key)]
                continue
            self._session_key = others.pop(0)
            self._was_moved, self._found_forward = False, None
            data = await mode(self.load, self.aload)
        if self._session_key is None and forward is not None:
            self._was_moved, self._found_forward = True, forward
        self._other_keys = ()
        if first is not None and self._session_key is None and not self._was_moved:
            await events.key_refused(mode, self, first, RefusalReason.UNKNOWN)
        return data

    @operation
    async def _tell_refused(self, mode: Mode) -> None:
        """Tell that the key that this session was given cannot be one."""
        key = str(self._refused_key)
        is_hashed = _keys.is_hashed(key)
        reason = RefusalReason.HASHED if is_hashed else RefusalReason.MALFORMED
        await events.key_refused(mode, self, key, reason)

    async def _leads_to(self, mode: Mode) -> str | None:
        """Return the key of the session that has moved from the one asked for, None if it ended."""
        return None
