"""What is in the storage, seen from below the engines: rows, cache entries, files."""

import os
import pickle
import time
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import signing
from django.core.cache import caches
from django.db import connection

from dj_sessions._codec.forwards import found_in


class Records:
    """All stored records, decoded where the engine's format is a signed payload."""

    @property
    def engine(self) -> str:
        return settings.SESSION_ENGINE.rpartition(".")[2]

    @property
    def model(self) -> Any:
        return apps.get_model("sessions", "Session")

    def clear(self) -> None:
        self._stamped: dict[str, int] = {}  # when each file was written, as `stamp` left it
        if self.engine in ("db", "cached_db"):
            self.model._base_manager.all().delete()
        if self.engine in ("cache", "cached_db"):
            caches[settings.SESSION_CACHE_ALIAS].clear()
        for path in self._files():
            path.unlink()

    def read(self, keys: set[Any]) -> dict[str, Any]:
        """Return what is kept under each key; where the key is the record, of these keys."""
        if self.engine == "signed_cookies":
            return {key: self._signed(key) for key in sorted(keys - {None, ""}) if ":" in key}
        return {
            "db": self._rows,
            "cache": self._cached,
            "cached_db": self._rows_and_copies,
            "file": self._contents,
        }[self.engine]()

    def corrupt(self, key: str, payload: str) -> None:
        """Put something else in the place of a signed payload; a cache has none."""
        if self.engine in ("db", "cached_db"):
            self.model.objects.filter(session_key=key).update(session_data=payload)
        if self.engine == "cached_db":
            caches[settings.SESSION_CACHE_ALIAS].clear()
        for path in self._files():
            if path.name == f"{settings.SESSION_COOKIE_NAME}{key}":
                path.write_text(payload)

    def stamp(self, timestamp: float) -> None:
        """Give the files that were written since the last call the time of the test's clock."""
        for path in self._files():
            if self._stamped.get(path.name) != path.stat().st_mtime_ns:
                os.utime(path, (timestamp, timestamp))
                self._stamped[path.name] = path.stat().st_mtime_ns

    def _rows(self) -> dict[str, Any]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT session_key, session_data, expire_date FROM django_session ORDER BY rowid"
            )
            return {
                key: self._decoded(data) | {"until": str(end)}
                for key, data, end in cursor
                if found_in(data) is None  # which are ours
            }

    def _decoded(self, payload: str, salt: str = "SessionStore") -> dict[str, Any]:
        """The payload to the letter, with what it says if it is sound."""
        try:
            data = signing.loads(payload, salt=f"django.contrib.sessions.{salt}")
            return {"payload": payload, "data": data}
        except signing.BadSignature:
            return {"payload": payload}

    def _signed(self, cookie: str) -> dict[str, Any]:
        record = self._decoded(cookie, "backends.signed_cookies")
        if "data" in record:
            record["written"] = signing.b62_decode(cookie.split(":")[1])
        return record

    def _cached(self) -> dict[str, Any]:
        cache = caches[settings.SESSION_CACHE_ALIAS]
        prefix = cache.make_key(f"django.contrib.sessions.{self.engine}")
        return {
            name.removeprefix(prefix): {
                "data" if self.engine == "cache" else "copy": pickle.loads(cache._cache[name]),
                "kept until": cache._expire_info[name],
            }
            for name in reversed(cache._cache)
            if name.startswith(prefix)
            and "/" not in name.removeprefix(prefix)  # tags, generations and forwards are ours
            and cache._expire_info[name] > time.time()
        }

    def _rows_and_copies(self) -> dict[str, Any]:
        rows, copies = self._rows(), self._cached()
        return {key: rows.get(key, {}) | copies.get(key, {}) for key in rows | copies}

    def _contents(self) -> dict[str, Any]:
        prefix = settings.SESSION_COOKIE_NAME
        return {
            path.name.removeprefix(prefix): self._decoded(path.read_text("ascii"))
            | {"written": path.stat().st_mtime, "mode": oct(path.stat().st_mode)}
            for path in self._files()
            if not path.name.endswith("_out_moved")
        }

    def _files(self) -> list[Path]:
        if self.engine != "file":
            return []
        return sorted(Path(settings.SESSION_FILE_PATH).iterdir())


records = Records()
