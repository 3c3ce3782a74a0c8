"""``manage.py clearsessions``: remove expired sessions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dj_sessions.conf import conf


class Command(BaseCommand):
    """Remove the expired sessions of the engine in the settings; safe to run at any time."""

    help = (
        "Remove expired sessions from the store of SESSION_ENGINE. Run it daily where the store "
        "does not forget them itself."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        engine = import_module(conf.SESSION_ENGINE)
        try:
            engine.SessionStore.clear_expired()
        except NotImplementedError as error:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' doesn't support clearing expired sessions."
            ) from error
