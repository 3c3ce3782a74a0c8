#!/usr/bin/env python
"""Django's command line for the demo site: `manage.py demo` installs nothing and serves it."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed here. Install the demo with: pip install -e '.[demo]'"
        ) from error
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reading it is what reads the environment
    except ImproperlyConfigured as error:  # its sentence says all, a traceback would hide it
        raise SystemExit(f"CommandError: {error}") from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
