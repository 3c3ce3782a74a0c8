"""An engine that breaks both promises: it saves without a look at what is there."""

from pathlib import Path

from dj_sessions.backends import file


class SessionStore(file.SessionStore):
    def _replace(self, key, record, expected):
        Path(self._key_to_file(key)).write_text(record.payload)
        return True
