"""What the error pages of this site do not show, also with DEBUG on: the logins of its stores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import pprint
from django.views.debug import SafeExceptionReporterFilter


class WithoutPasswords(SafeExceptionReporterFilter):
    # The WSGI server puts the environment into `request.META`.
    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern + "|DATABASE_URL|CACHE_URL", re.I
    )

    def get_traceback_frame_variables(self, request: HttpRequest, tb_frame: Any) -> Any:
        """Drivers and clients hold the passwords in variables of theirs."""
        for name, value in super().get_traceback_frame_variables(request, tb_frame):
            shown = pprint(value)
            is_secret = any(password in shown for password in passwords())
            yield name, self.cleansed_substitute if is_secret else value


def passwords() -> Iterator[str]:
    entries = [*settings.DATABASES.values(), *settings.CACHES.values()]
    while entries:
        for name, value in entries.pop().items():
            if isinstance(value, dict):
                entries.append(value)
            elif name.lower() == "password" and value:
                yield value
