"""System checks: what a site should change about its sessions, each with what to write."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.apps import apps
from django.core.checks import Tags, register

from dj_sessions.checks._shared import APP, AppConfigs, Messages
from dj_sessions.checks.cookie import check_cookie
from dj_sessions.checks.orm import check_orm
from dj_sessions.checks.security import check_session_cookie_httponly, check_session_cookie_secure
from dj_sessions.checks.serializer import check_serializer
from dj_sessions.checks.stores import (
    check_cache,
    check_cascade,
    check_engine,
    check_file_path,
    check_file_privacy,
    check_storage,
)
from dj_sessions.checks.switch import check_middleware, check_names
from dj_sessions.checks.values import check_values

TAG: Final = "dj_sessions"


def _while_installed(check: Callable[..., Messages]) -> Callable[..., Messages]:
    """Silence ``check`` where a test takes the app away: what is registered stays for good."""

    @wraps(check)
    def check_if_installed(app_configs: AppConfigs, **kwargs: Any) -> Messages:
        return check(app_configs, **kwargs) if apps.is_installed(APP) else ()

    return check_if_installed


CHECKS: Final = tuple(
    _while_installed(check)
    for check in (
        check_names,
        check_middleware,
        check_engine,
        check_storage,
        check_cascade,
        check_cache,
        check_file_path,
        check_orm,
        check_serializer,
        check_cookie,
        check_values,
    )
)
#: The first two in Django's place, and so as Django's: they go by the names in the settings alone.
DEPLOYMENT_CHECKS: Final = (
    check_session_cookie_secure,
    check_session_cookie_httponly,
    _while_installed(check_file_privacy),
)


def register_all() -> None:
    """Register every check; the last ones for ``check --deploy``."""
    for check in CHECKS:
        register(check, TAG)
    for check in DEPLOYMENT_CHECKS:
        register(check, TAG, Tags.security, deploy=True)
