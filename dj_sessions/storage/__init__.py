"""Where sessions are kept. A storage knows no session, no request and no setting of a cookie.

``Storage`` is the contract, ``Record`` what its methods take and return. Each folder implements it.
"""

from dj_sessions.storage.base import Commit, Entry, Record, Sample, Storage
from dj_sessions.storage.wrapper import StorageWrapper

__all__ = ["Commit", "Entry", "Record", "Sample", "Storage", "StorageWrapper"]
