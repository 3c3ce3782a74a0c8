"""The pickle serializer that a site on stock Django has to bring along by itself."""

import pickle
from typing import Any


class PickleSerializer:
    def dumps(self, obj: Any) -> bytes:
        return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)

    def loads(self, data: bytes) -> Any:
        return pickle.loads(data)
