"""The versions of Django on which all tests of this package run."""

from __future__ import annotations

from typing import Any, Final

import django
from django.core.checks import Info

from dj_sessions.checks._shared import AppConfigs, Messages

#: The oldest and the newest; the classifiers and the docs are compared with these.
TESTED: Final = ("5.2", "6.1")


def check_django(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a Django that is newer than the tested ones."""
    oldest, newest = TESTED
    if django.VERSION[:2] > tuple(map(int, newest.split("."))):
        version = ".".join(map(str, django.VERSION[:2]))
        yield Info(
            f"Django {version} is newer than what this version of dj_sessions was tested with "
            f"({oldest} to {newest}).",
            hint=f"Upgrade dj_sessions to a version that was tested with Django {version}. "
            "If there is none yet, run the tests of your site.",
            id="dj_sessions.I044",
        )
