"""A session in one of the sites, as the test drives it."""

from dataclasses import dataclass, field
from typing import Any

from tests.interop.processes import Worker


def call(method: str, *args: Any, **kwargs: Any) -> list[Any]:
    return [method, args, kwargs]


@dataclass
class RemoteSession:
    """The session of `key`; each `do()` is a request of its own, which opens it again."""

    site: Worker
    spelling: str
    key: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    def do(self, *calls: list[Any]) -> list[Any]:
        """Make the calls in one request; return what each returned, and keep the new key."""
        answer = self.site.ask(
            "session", mode=self.spelling, key=self.key, calls=calls, overrides=self.overrides
        )
        self.key = answer["key"]
        returned: list[Any] = answer["returned"]
        return returned

    def write(self, data: dict[str, Any], *calls: list[Any]) -> str:
        """Put the data into the session, make the calls, save; return the key."""
        self.do(call("update", data), *calls, call("save"))
        assert self.key
        return self.key

    def read(self) -> dict[str, Any]:
        """The data, without changing which session this is."""
        key = self.key
        [items] = self.do(call("items"))
        self.key = key
        return dict(items)
