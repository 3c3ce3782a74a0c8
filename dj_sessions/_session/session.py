"""``SessionBase``: the key, the payload and the lifecycle that Django documents.

See https://docs.djangoproject.com/en/stable/topics/http/sessions/.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from operator import attrgetter
from typing import Any

from asgiref.sync import AsyncToSync
from django.utils import timezone
from django.utils.module_loading import import_string

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._metrics.recording import recorders
from dj_sessions._session.candidates import KeyCandidates
from dj_sessions._session.modes import Mode
from dj_sessions._session.registries import UNKNOWN
from dj_sessions._session.twins import at_once, operation, twin_of
from dj_sessions.conf import conf
from dj_sessions.signals import session_key_refused

#: Held for an assignment: setdefault() on the attributes would have a dictionary made of them.
_loaded_once = threading.Lock()


class SessionBase(KeyCandidates):
    """One visitor's data under a session key, read from its store when first needed.

    Set ``modified`` (bool) after you change a nested value, so that the session is saved.
    ``accessed`` (bool) tells the middleware that the session was used. A store implements
    ``exists``, ``create``, ``save``, ``delete``, ``load`` and, if it can, ``clear_expired``. Their
    async twins, such as ``asave``, follow from these.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-sessions-in-views
    """

    #: The kind of engine that encrypted values are bound to. A subclass reads what its base wrote,
    #: so it has the same; engines that read each other's sessions share one.
    engine_name = ""

    #: Held by the task that loads; and the thread whose sync code waits for that task, if any.
    _loading: tuple[asyncio.Lock, object] | None = None
    _serializer: Any = None
    #: Whether this request has ended the session, as a logout does.
    _was_flushed = False
    #: The key that this session had, while what is stored and ended is the same under another key.
    _old_key: str | None = None
    #: The user's id in what is stored, None for nobody. It is kept while there are registries.
    _owner: Any = UNKNOWN

    # The async twins that the type stubs of Django do not know
    _aget_new_session_key: Callable[[], Coroutine[Any, Any, str]]

    def __init__(self, session_key: str | None = None) -> None:
        self._session_key = session_key
        self.accessed = False
        self.modified = False

    def __bool__(self) -> bool:
        """Return ``not is_empty()``; this counts as an access."""
        self.accessed = True
        return not self.is_empty()

    def is_empty(self) -> bool:
        """Return whether there is neither key nor data; this does not count as an access."""
        return not self._session_key and not getattr(self, "_session_cache", None)

    # The payload

    @property
    def serializer(self) -> Any:
        """The class that ``SESSION_SERIALIZER`` names; assign another class to override it."""
        return self._serializer or import_string(conf.SESSION_SERIALIZER)

    @serializer.setter
    def serializer(self, value: Any) -> None:
        self._serializer = value

    @property
    def key_salt(self) -> str:
        """The salt of the payload's signature: Django's, so each reads the other's sessions."""
        return "django.contrib.sessions." + type(self).__qualname__

    def encode(self, session_dict: dict[str, Any]) -> str:
        """Return the data as signed text; raises SessionEncodeError for what cannot be stored."""
        signed = timezone.now().timestamp()
        serializer, salt = self.serializer, self.key_salt
        return payloads.encode(session_dict, serializer, salt, signed, self.engine_name)

    def decode(self, session_data: str | bytes) -> dict[str, Any]:
        """Return the data in a text of ``encode()``; log a corrupt text and return no data."""
        serializer, salt, engine = self.serializer, self.key_salt, self.engine_name
        report = self._report_corruption
        return payloads.decode(session_data, serializer, salt, report, engine=engine) or {}

    def _report_corruption(self, reason: str) -> None:
        """Log that what is stored for this session cannot be read, and why."""
        payloads.report_corruption(reason, self._session_key, self._place())

    def _place(self) -> str:
        """Return where the session is kept, for whoever has to look at it there."""
        return ""

    # The key

    def _validate_session_key(self, key: object) -> bool:
        """Return whether ``key`` may be a key: only then is the store asked for it."""
        return _keys.is_key(key) or (self._makes_own_keys() and _keys.is_custom_key(key))

    def _is_key(self, value: object) -> bool:
        """Return whether ``value`` may be a key.

        A hashed key is none, whatever a subclass allows: whoever reads the store has it.
        """
        return self._validate_session_key(value) and not _keys.is_hashed(str(value))

    @classmethod
    def _makes_own_keys(cls) -> bool:
        """Return whether a subclass overrides what gives a session its key."""
        makers = (
            cls._get_new_session_key,
            cls._aget_new_session_key,
            cls._get_or_create_session_key,
            cls._aget_or_create_session_key,
            cls.create,
            cls.acreate,
        )
        # No generator: each session asks, and its steps take longer than the comparison.
        for maker in makers:  # noqa: SIM110
            if not str(maker.__module__).startswith("dj_sessions."):
                return True
        return False

    def _get_session_key(self) -> str | None:
        return self.__session_key

    def _set_session_key(self, value: str | None) -> None:
        """Take ``value`` as the key, or None in place of one that cannot be a key."""
        self.__session_key = value if self._is_key(value) else None

    _session_key = property(
        attrgetter("_SessionBase__session_key"),
        lambda self, value: self._set_session_key(value),
    )

    @property
    def session_key(self) -> str | None:
        """The key, or None before the first save; reading it counts as an access."""
        self.accessed = True
        return self.__session_key

    @property
    def public_id(self) -> str | None:
        """A short identifier that is no secret, for logs and support; None without a key.

        It is the same in every process and changes when the key changes. Reading it counts as an
        access.
        """
        key = self.session_key
        return None if key is None else _keys.public_id(key)

    @at_once
    def _get_new_session_key(self) -> str:
        """Return a key that nobody uses; ``create()`` tries another if that proves wrong."""
        return _keys.new_key()

    def _get_or_create_session_key(self) -> str:
        if self._session_key is None:
            self._session_key = self._get_new_session_key()
        return self._session_key  # type: ignore[no-any-return]

    @twin_of(_get_or_create_session_key)
    async def _aget_or_create_session_key(self) -> str:
        if self._session_key is None:
            self._session_key = await self._aget_new_session_key()
        return self._session_key  # type: ignore[no-any-return]

    # Loading

    def _get_session(self, no_load: bool = False) -> dict[str, Any]:
        """Return the data, loaded on first use; with ``no_load`` a new session's is empty."""
        self.accessed = True
        if not hasattr(self, "_session_cache"):
            if no_load or self._session_key is None:
                data = {}
                if self._refused_key and (session_key_refused.receivers or recorders):
                    self._tell_refused()
            else:
                data = self._load_first() if self._other_keys else self.load()
            with _loaded_once:
                # Another task of this request may have loaded it meanwhile, and written to it.
                if not hasattr(self, "_session_cache"):
                    self._session_cache = data
            self._note_loaded()
        return self._session_cache

    @property
    def _session(self) -> dict[str, Any]:  # type: ignore[override]
        if hasattr(self, "_session_cache"):
            self.accessed = True
            return self._session_cache
        return self._get_session()

    @twin_of(_get_session)
    async def _aget_session(self, no_load: bool = False) -> dict[str, Any]:
        self.accessed = True
        if not hasattr(self, "_session_cache"):
            if no_load or self._session_key is None:
                self._session_cache = {}
                if self._refused_key and (session_key_refused.receivers or recorders):
                    await self._atell_refused()
            else:
                await self._load_once()
        return self._session_cache

    async def _load_once(self) -> None:
        """Load, unless another task of this request does or did."""
        thread = getattr(AsyncToSync.executors, "current", None)
        lock, loading_in = self._loading or (asyncio.Lock(), thread)
        if loading_in is not thread:
            # That task may wait for the thread that waits, in async_to_sync(), for this one.
            await self._load_unless_loaded()
            return
        self._loading = lock, thread
        try:
            async with lock:
                await self._load_unless_loaded()
        finally:  # a lock belongs to one event loop, the session may be used in the next
            self._loading = None

    async def _load_unless_loaded(self) -> None:
        if not hasattr(self, "_session_cache"):
            data = await (self._aload_first() if self._other_keys else self.aload())
            self._session_cache = getattr(self, "_session_cache", data)
            self._note_loaded()

    def _note_loaded(self) -> None:
        """Take note that the data in this session is what ``load()`` returned."""
        self._keep_marks(self._session_cache)  # of a load() that a subclass overrides

    # Lifecycle

    @operation
    async def flush(self, mode: Mode) -> None:
        """End the session: remove its data and its key, here and in the store."""
        if self._other_keys:
            await mode(self._get_session, self._aget_session)
        self._was_flushed = True
        baseline = self._loaded_baseline()
        self.clear()
        await self._end_loaded(mode, baseline)
        self._session_key = None

    async def _end_loaded(self, mode: Mode, baseline: Any) -> None:
        """End what this session was loaded from."""
        await mode(self.delete, self.adelete)

    def _loaded_baseline(self) -> Any:
        """Return what the data in this session is compared with, where its store compares."""
        return None

    @operation
    async def cycle_key(self, mode: Mode) -> None:
        """Move the data to a new key and end the old one, against session fixation.

        Raises what ``create()`` raises. If another request has changed the key meanwhile, this
        session uses the new key of that request. If another request has ended the login, nothing
        is stored, and on StoredSession the next save raises SessionEnded.
        """
        data = await mode(self._get_session, self._aget_session)
        key, baseline = self._session_key, self._loaded_baseline()
        if key and self._was_moved:  # another request has just done it, and brings the cookie
            self.modified = True
            return
        self._old_key = key
        try:
            await mode(self.create, self.acreate)
            self._session_cache = data
            if key:
                await self._leave_key(mode, key, baseline)
        finally:
            self._old_key = None

    async def _leave_key(self, mode: Mode, key: str, baseline: Any) -> None:
        """End the session under ``key``, which has moved to another one."""
        await mode(self.delete, self.adelete, key)
