"""Session engines as sites and third-party packages write them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

PARENT = re.compile(rf"(?<=from {re.escape(__name__)}\.)(\w+)")


def path(name: str) -> str:
    """The value of SESSION_ENGINE for an engine in this directory."""
    return f"{__name__}.{name}"


def stock_path(name: str) -> str:
    """The same engine as its author left it: its imports, and its parents', are from Django."""
    found = path(f"on_django_{name}")
    if found not in sys.modules:
        source = Path(__file__).with_name(f"{name}.py").read_text()
        for parent in PARENT.findall(source):
            stock_path(parent)
        source = PARENT.sub(r"on_django_\1", source)
        source = source.replace("dj_sessions", "django.contrib.sessions")
        module = ModuleType(found)
        sys.modules[found] = module
        exec(compile(source, found, "exec"), vars(module))
    return found
