"""What each SESSION_KEY_STORAGE costs, in microseconds, in local memory.

    python -m tests.benchmarks.key_forms

Each figure is the best of many short runs, so that other processes disturb it little.
"""

from __future__ import annotations

import argparse
from functools import partial

import django
from django.conf import settings

from tests.benchmarks.counters import best

FORMS = (["plain"], ["hashed"], ["hashed", "plain"])


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings.configure(
        SECRET_KEY="x" * 50,
        INSTALLED_APPS=["dj_sessions"],
        SESSION_ENGINE="dj_sessions.backends.cache",
    )
    django.setup()

    from django.test import override_settings

    from dj_sessions._keys import hashed
    from dj_sessions.backends.cache import SessionStore

    def load(key: str) -> None:
        SessionStore(key).load()

    print(f"{'the hash alone':33} {best(partial(hashed, 'a' * 32)):6.2f}")
    for forms in FORMS:
        with override_settings(SESSION_KEY_STORAGE=forms):
            session = SessionStore()
            session["colour"] = "green"
            session.save()
            assert session.session_key
            print(f"a load with {forms!s:21} {best(partial(load, session.session_key)):6.2f}")


if __name__ == "__main__":
    main()
