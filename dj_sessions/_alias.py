"""Making ``django.contrib.sessions.models`` the same module as ``dj_sessions.models``.

Third-party packages import the former, which refuses to be imported while its app is not
installed. The hook acts when somebody imports it, and only while this app is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

ALIAS: Final = "django.contrib.sessions.models"
TARGET: Final = "dj_sessions.models"


class AliasFinder(MetaPathFinder):
    """Finds ``ALIAS`` while ``applies()`` is true."""

    def __init__(self, applies: Callable[[], bool]) -> None:
        self.applies = applies

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == ALIAS and self.applies():
            return ModuleSpec(fullname, AliasLoader(), origin=TARGET)
        return None


class AliasLoader(Loader):
    """Loads the target module as it is, under the alias."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self.module = import_module(TARGET)
        self.spec = self.module.__spec__
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just written the alias's spec over the module's own, which
        # reload() and find_spec() go by.
        module.__spec__ = self.spec


def install(applies: Callable[[], bool]) -> None:
    """Put the hook in place, once."""
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder(applies))
