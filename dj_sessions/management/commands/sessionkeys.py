"""``manage.py sessionkeys``: count the sessions by the form in which their keys are stored."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dj_sessions._key_forms import key_forms
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf, store_class
from dj_sessions.management._failures import failures_in_words


class Command(BaseCommand):
    """Say how many sessions are stored under plain keys, and how many under hashed ones."""

    help = (
        "Count the sessions whose keys are stored as they are, and those whose keys are hashed. "
        "It says how many are left to be renamed since SESSION_KEY_STORAGE has changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the option."""
        parser.add_argument("--json", action="store_true", help="print the numbers as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count; raises CommandError where the store cannot count its sessions, or is down."""
        store, forms = store_class(), key_forms()
        if not issubclass(store, StoredSession):
            raise CommandError(
                f"SESSION_KEY_STORAGE has no effect on the session engine '{conf.SESSION_ENGINE}'. "
                "Set SESSION_ENGINE to 'dj_sessions.backends.db', 'cached_db', 'cache', 'redis' or "
                "'file'."
            )
        try:
            with failures_in_words(store):
                storage = store().get_storage()
                counts = storage.count_forms(timezone.now())
        except NotImplementedError as error:
            raise CommandError(
                f"The sessions of '{conf.SESSION_ENGINE}' cannot be counted by their keys. Those "
                "under the other form have ended once SESSION_KEY_STORAGE has stayed as it is for "
                "as long as a session lasts."
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for form, count in counts.items():
            self.stdout.write(f"{form:<7}{count:>12,}")
        left = sum(counts.values()) - counts[forms[0]]
        self.stdout.write(_outcome(left, forms, is_renamed=storage.atomic_rename))


def _outcome(left: int, forms: tuple[str, ...], *, is_renamed: bool) -> str:
    first = forms[0]
    if not left:
        return f"SESSION_KEY_STORAGE = ['{first}'] finds all of them."
    subject = "1 session is" if left == 1 else f"{left:,} sessions are"
    if len(forms) > 1 and is_renamed:
        return f"{subject} left, to be stored under {first} keys when next saved."
    if len(forms) > 1:
        them, they = ("it", "it stays") if left == 1 else ("them", "each stays")
        return (
            f"{subject} left. This store does not rename {them}: {they} until its key changes, as "
            "at a login, or until it ends."
        )
    other = "plain" if first == "hashed" else "hashed"
    return (
        f"{subject} not found, as SESSION_KEY_STORAGE = ['{first}'] names one form alone. "
        f"SESSION_KEY_STORAGE = ['{first}', '{other}'] finds all of them."
    )
