"""Headers that a site may ask for beside those of the cookie: off by default."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils.cache import patch_cache_control

from dj_sessions.conf import conf


def forbid_storing(response: HttpResponseBase) -> None:
    """Tell browsers and caches not to keep a response that has the session cookie."""
    if conf.SESSION_COOKIE_NO_STORE:
        patch_cache_control(response, no_store=True)


def clear_site_data(response: HttpResponseBase) -> None:
    """Tell the browser what to delete after a logout, beside what the view has told it."""
    wanted = conf.SESSION_CLEAR_SITE_DATA
    if not wanted:
        return
    types = [f'"{each}"' for each in ([wanted] if isinstance(wanted, str) else wanted)]
    said = response.headers.get("Clear-Site-Data", "")
    told = [each.strip() for each in said.split(",") if each.strip()]
    response.headers["Clear-Site-Data"] = ", ".join(dict.fromkeys([*told, *types]))
