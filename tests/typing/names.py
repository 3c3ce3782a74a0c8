"""Names that sites import from wherever Django's sessions have them."""

from dj_sessions.backends.base import VALID_KEY_CHARS, CreateError, SessionBase, UpdateError
from dj_sessions.backends.cache import KEY_PREFIX as CACHE_PREFIX
from dj_sessions.backends.cached_db import KEY_PREFIX, DBStore, logger
from dj_sessions.backends.db import DatabaseError, SessionStore
from dj_sessions.backends.db import SuspiciousOperation as InDatabase
from dj_sessions.backends.file import VALID_KEY_CHARS as IN_FILE_NAMES
from dj_sessions.backends.file import InvalidSessionKey as InFileName
from dj_sessions.backends.file import SuspiciousOperation as InFile
from dj_sessions.backends.signed_cookies import SessionBase as OfCookies
from dj_sessions.exceptions import (
    BadRequest,
    InvalidSessionKey,
    SessionInterrupted,
    SuspiciousOperation,
    SuspiciousSession,
)
from dj_sessions.middleware import SessionInterrupted as InRequest
from dj_sessions.middleware import UpdateError as InResponse
from dj_sessions.models import AbstractBaseSession, BaseSessionManager, SessionManager
from dj_sessions.serializers import BaseJSONSerializer, JSONSerializer

texts: list[str] = [VALID_KEY_CHARS, IN_FILE_NAMES, CACHE_PREFIX, KEY_PREFIX]
stores: list[type[SessionBase]] = [DBStore, SessionStore, OfCookies]
models: list[type] = [AbstractBaseSession, BaseSessionManager, SessionManager]
serializers: list[type[JSONSerializer]] = [BaseJSONSerializer, JSONSerializer]
errors: list[type[Exception]] = [
    *(BadRequest, CreateError, DatabaseError, InvalidSessionKey, SessionInterrupted, UpdateError),
    *(SuspiciousOperation, SuspiciousSession, InDatabase, InFile, InFileName),
    *(InRequest, InResponse),
]
logger.info("%s", errors)
