"""What error reports show of a request: all that Django's do, and no session key.

Django hides the cookie that SESSION_COOKIE_NAME names. A middleware may answer another name, or
take the key from elsewhere; and the variables of the traceback have the key as well, those of other
sessions, as where the list of a user's is read, and a new one whose store did not answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Protocol

from django.http import HttpRequest
from django.template.defaultfilters import pprint
from django.views import debug

from dj_sessions import _keys
from dj_sessions._http import candidates
from dj_sessions.conf import conf

#: What is shaped like a key, also behind a prefix; a hash or a number in hexadecimal digits is not.
_KEY: Final = re.compile(rf"(?<![0-9a-z])(?=[0-9a-z]{{{_keys.LENGTH}}})[0-9a-f]*+[g-z]")


class KnowsKeys(Protocol):
    """The middleware, as far as it is asked here."""

    def cookie_name(self, request: HttpRequest) -> str: ...

    def get_session_key(self, request: HttpRequest) -> str | None: ...


class ReportFilter:
    """The filter of DEFAULT_EXCEPTION_REPORTER_FILTER, without the keys that a middleware knows.

    Which these are is asked when there is something to report, so no request pays for it.
    """

    def __init__(self, middleware: KnowsKeys) -> None:
        self._middleware = middleware

    def __getattr__(self, name: str) -> Any:
        return getattr(_sites_filter(), name)

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        """Return the cookies, without the session's."""
        return self._hidden(request, _sites_filter().get_safe_cookies(request).items())

    def get_safe_request_meta(self, request: HttpRequest) -> dict[str, Any]:
        """Return ``request.META``, without a header that brings the key."""
        return self._hidden(request, _sites_filter().get_safe_request_meta(request).items())

    def get_traceback_frame_variables(self, request: HttpRequest, tb_frame: Any) -> Any:
        """Return the variables of a frame, without those that hold a key."""
        shown = _sites_filter().get_traceback_frame_variables(request, tb_frame)
        return self._hidden(request, shown).items()

    def _hidden(self, request: HttpRequest, shown: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        site = _sites_filter()
        if not site.is_active(request):
            return dict(shown)
        secrets = self._secrets(request)
        return {
            name: site.cleansed_substitute if _holds(value, secrets) else value
            for name, value in shown
        }

    def _secrets(self, request: HttpRequest) -> set[str]:
        """Return the keys that the request brought and has; all cookies if nobody can tell."""
        try:
            name = self._middleware.cookie_name(request)
            brought = {
                self._middleware.get_session_key(request),
                request.COOKIES.get(name),
                *candidates.values_of(request, name),
            }
        except Exception:  # noqa: BLE001 # the site's; it may be what is reported
            brought = {*request.COOKIES.values()}
        # Of another path of the site, where cookie_name() answers another name.
        also = {text for name, text in request.COOKIES.items() if conf.SESSION_COOKIE_NAME in name}
        texts = {*brought, *also, getattr(getattr(request, "session", None), "_session_key", None)}
        return {text for text in texts if isinstance(text, str) and len(text) >= _keys.MIN_LENGTH}


def _holds(value: Any, secrets: set[str]) -> bool:
    """Return whether a value, as the report would show it, holds a secret, or what may be a key."""
    shown = value if isinstance(value, str) else pprint(value)
    return any(secret in shown for secret in secrets) or _KEY.search(shown) is not None


def _sites_filter() -> Any:
    return debug.get_default_exception_reporter_filter()
