"""The app: Django's label, the alias of its models, the checks."""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dj_sessions import _alias
from dj_sessions._defaults import fill_in_defaults
from dj_sessions._translations import gettext_lazy as _
from dj_sessions.conf import conf, store_class


class SessionsConfig(AppConfig):
    """Replaces ``django.contrib.sessions``, with the same app label and the same table."""

    name = "dj_sessions"
    label = "sessions"
    verbose_name = _("Sessions")

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        _refuse_both()
        # Now, and not in ready(): models of apps that stand earlier may import the alias.
        _alias.install(_is_installed)

    def ready(self) -> None:
        from dj_sessions import checks, security_log
        from dj_sessions._metrics import switch

        fill_in_defaults()
        checks.register_all()
        _watch_rows()
        if conf.SESSION_SECURITY_LOG:
            security_log.turn_on()
        if conf.SESSION_METRICS:
            switch.turn_on()


def _watch_rows() -> None:
    """Let an engine that caches rows hear of deleted ones before it has opened a session."""
    with suppress(Exception):  # the checks name it, and the first session raises it
        getattr(store_class(), "_watch_rows", lambda: None)()


def _is_installed() -> bool:
    return isinstance(apps.app_configs.get("sessions"), SessionsConfig)


def _refuse_both() -> None:
    """Raise ImproperlyConfigured if Django's app is installed too: both have the same label."""
    for entry in settings.INSTALLED_APPS:
        if entry == "django.contrib.sessions" or entry.startswith("django.contrib.sessions."):
            raise ImproperlyConfigured(
                f"INSTALLED_APPS has both {entry!r} and 'dj_sessions', which takes its place. "
                f"Remove {entry!r}; the sessions in the database stay."
            )
