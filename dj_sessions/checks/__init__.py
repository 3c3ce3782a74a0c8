"""System checks: what a site should change about its sessions, each with what to write."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.apps import apps
from django.core.checks import Tags, register

from dj_sessions.checks._shared import APP, AppConfigs, Messages
from dj_sessions.checks.admin_panel import check_admin_panel
from dj_sessions.checks.cookie import check_also_expired, check_cookie
from dj_sessions.checks.encryption import check_encryption
from dj_sessions.checks.keys import check_key_storage
from dj_sessions.checks.limits import check_limits, check_passive_paths
from dj_sessions.checks.metrics import check_metrics
from dj_sessions.checks.move import check_move
from dj_sessions.checks.orm import check_orm
from dj_sessions.checks.redis import check_redis, check_redis_server
from dj_sessions.checks.security import check_session_cookie_httponly, check_session_cookie_secure
from dj_sessions.checks.security_log import check_client_address, check_security_log
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
from dj_sessions.checks.versions import check_django

TAG: Final = "dj_sessions"
#: Of what has to answer for a session to be stored: ``sessioncheck`` runs it as well.
STORE_TAG: Final = "dj_sessions_store"


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
        check_redis,
        check_move,
        check_orm,
        check_serializer,
        check_encryption,
        check_cookie,
        check_also_expired,
        check_values,
        check_limits,
        check_passive_paths,
        check_key_storage,
        check_security_log,
        check_metrics,
        check_client_address,
        check_admin_panel,
        check_django,
    )
)
#: The first two in Django's place, and so as Django's: they go by the names in the settings alone.
DEPLOYMENT_CHECKS: Final = (
    check_session_cookie_secure,
    check_session_cookie_httponly,
    _while_installed(check_file_privacy),
)
#: Those that ask a server. Django makes them where ``check`` is given a database, and from 6.1 on
#: also where it is given a tag that they have: so they have none that a site would name.
ON_DEMAND: Final = (_while_installed(check_redis_server),)
ON_DEMAND_TAGS: Final = (Tags.database, STORE_TAG)


#: What is about the store alone, and what it needs to answer for one.
STORE_CHECKS: Final = tuple(
    _while_installed(check)
    for check in (
        check_engine,
        check_move,
        check_storage,
        check_cache,
        check_file_path,
        check_file_privacy,
        check_redis,
        check_serializer,
        check_encryption,
        check_key_storage,
    )
)


def register_all() -> None:
    """Register every check; the last ones for ``check --deploy``."""
    for check in CHECKS:
        register(check, TAG)
    for check in DEPLOYMENT_CHECKS:
        register(check, TAG, Tags.security, deploy=True)
    for check in ON_DEMAND:
        register(check, *ON_DEMAND_TAGS, deploy=True)
