"""A site that shows its sessions on the admin's index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.conf import settings
from django.test import override_settings

from dj_sessions._statistics.panel import panel
from dj_sessions.registry import registries
from tests.patience import PATIENCE

ADMIN = "django.contrib.admin"


def apps_above_the_admin() -> list[str]:
    """INSTALLED_APPS with this package before the admin, whose template it extends."""
    others = [name for name in settings.INSTALLED_APPS if name != "dj_sessions"]
    place = others.index(ADMIN)
    return [*others[:place], "dj_sessions", *others[place:]]


@contextmanager
def above_the_admin() -> Iterator[None]:
    """Have the apps in that order inside the block."""
    told = list(registries)
    with override_settings(INSTALLED_APPS=apps_above_the_admin()):
        registries[:] = told  # the list of users' sessions has come anew
        yield


@contextmanager
def shown(**more: Any) -> Iterator[None]:
    """Inside the block the panel is on, and nothing was counted before."""
    patient = mock.patch("dj_sessions._statistics.panel.PATIENCE", PATIENCE)  # on a busy machine
    with above_the_admin(), override_settings(SESSION_ADMIN_PANEL=True, **more), patient:
        panel.forget()
        yield
    panel.forget()
