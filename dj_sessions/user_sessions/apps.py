"""The app that lists the sessions of a user."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UserSessionsConfig(AppConfig):
    """Lists the sessions of each user, where INSTALLED_APPS names it."""

    name = "dj_sessions.user_sessions"
    label = "dj_user_sessions"
    verbose_name = _("Sessions of users")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core.checks import register as register_check

        from dj_sessions.checks import ON_DEMAND_TAGS, TAG
        from dj_sessions.registry import register
        from dj_sessions.user_sessions import automatic, checks, limit, relogin
        from dj_sessions.user_sessions.registry import registry

        register(registry)
        register_check(checks.check_user_sessions, TAG)
        register_check(checks.check_table, *ON_DEMAND_TAGS, deploy=True)
        automatic.connect()
        user_logged_in.connect(limit.refuse_in_login)
        user_logged_in.connect(relogin.note_login)
