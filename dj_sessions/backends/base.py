"""``SessionBase``, and what Django's module of this name has beside it."""

from dj_sessions._keys import VALID_KEY_CHARS
from dj_sessions._session.limits import Remaining
from dj_sessions._session.session import SessionBase
from dj_sessions.exceptions import CreateError, UpdateError

__all__ = ["VALID_KEY_CHARS", "CreateError", "Remaining", "SessionBase", "UpdateError"]
