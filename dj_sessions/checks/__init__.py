"""System checks: what a site should change about its sessions, each with what to write."""

from __future__ import annotations

from typing import Final

from django.core.checks import Tags, register

from dj_sessions.checks.cookie import check_cookie, check_cookie_httponly, check_cookie_secure
from dj_sessions.checks.serializer import check_serializer
from dj_sessions.checks.stores import check_cache, check_engine, check_file_path
from dj_sessions.checks.switch import check_middleware, check_names
from dj_sessions.checks.values import check_values

TAG: Final = "dj_sessions"

CHECKS: Final = (
    check_names,
    check_middleware,
    check_engine,
    check_cache,
    check_file_path,
    check_serializer,
    check_cookie,
    check_values,
)
#: What Django's W010-W015 said.
DEPLOYMENT_CHECKS: Final = (check_cookie_secure, check_cookie_httponly)


def register_all() -> None:
    """Register every check; the last ones for ``check --deploy``."""
    for check in CHECKS:
        register(check, TAG)
    for check in DEPLOYMENT_CHECKS:
        register(check, TAG, Tags.security, deploy=True)
