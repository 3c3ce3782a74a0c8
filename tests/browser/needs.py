"""What a test cannot do without, and what becomes of the test where that is absent."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn
from urllib.parse import quote

import pytest

from tests import services

#: The first one draws no windows, and takes half the time.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def missing(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_SERVICES", "0") not in ("", "0"):
        pytest.fail(f"{reason}, and REQUIRE_SERVICES is set", pytrace=False)
    pytest.skip(reason)


def chromium() -> str:
    """Where the system's Chromium is."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return found or missing(f"no Chromium on PATH ({', '.join(CHROMIUM)})")


def server(name: str) -> services.Service:
    found = services.run().services[name]
    return found if found else missing(str(found))


def url(scheme: str, at: services.Service, path: str = "") -> str:
    login = f"{quote(at.user)}:{quote(at.password, safe='')}@" if at.user or at.password else ""
    return f"{scheme}://{login}{at.host}:{at.port}{path}"
