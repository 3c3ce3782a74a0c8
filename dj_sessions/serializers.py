"""The classes that ``SESSION_SERIALIZER`` may name."""

from __future__ import annotations

import pickle
from typing import Any

from django.core.signing import JSONSerializer

__all__ = ["JSONSerializer", "PickleSerializer"]

#: What the pickle module documents as raised by data that does not fit the code of today.
_UNREADABLE = (AttributeError, EOFError, ImportError, IndexError, KeyError, UnicodeDecodeError)


class PickleSerializer:
    """Read and write sessions as pickles, for sites that still hold such sessions.

    Whoever can sign a pickle can run code on the server: a leaked ``SECRET_KEY`` is enough. Move
    to ``JSONSerializer``; see https://docs.djangoproject.com/en/stable/topics/http/sessions/#session-serialization.
    """

    protocol = pickle.HIGHEST_PROTOCOL

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as bytes; raises what ``pickle.dumps`` raises."""
        return pickle.dumps(obj, self.protocol)

    def loads(self, data: bytes) -> Any:
        """Return what ``dumps`` was given; raises ``pickle.UnpicklingError`` if it cannot."""
        try:
            return pickle.loads(data)  # noqa: S301 # the payload's signature was verified
        except _UNREADABLE as error:
            raise pickle.UnpicklingError(f"{type(error).__name__} while unpickling") from error
