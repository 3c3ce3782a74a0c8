"""Where sessions are kept. A storage knows no session, no request and no setting of a cookie.

``Storage`` is the contract, ``Record`` what it takes and gives; each folder implements it.
"""

from dj_sessions.storage.base import Commit, Record, Storage
from dj_sessions.storage.wrapper import StorageWrapper

__all__ = ["Commit", "Record", "Storage", "StorageWrapper"]
