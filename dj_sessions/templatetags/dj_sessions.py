"""``{% load dj_sessions %}``: a warning before the session ends, and the figures of the admin."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from django.middleware.csrf import get_token
from django.shortcuts import resolve_url
from django.template import Context, Library
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from dj_sessions._statistics.panel import may_be_seen_by, panel
from dj_sessions._statistics.summary import Summary
from dj_sessions.conf import conf

register = Library()

TEMPLATE: Final = "dj_sessions/session_expiry_warning.html"
STATISTICS: Final = "dj_sessions/admin/session_statistics.html"
#: Keys of sessions that are named there.
KEYS: Final = 3


@register.simple_tag(takes_context=True)
def session_expiry_warning(
    context: Context, lead: float | str = 120, ended_url: Any = "", logout_url: Any = None
) -> str:
    """Warn a visitor who is logged in ``lead`` seconds before the session ends.

    When it has ended, the browser goes to ``ended_url``; without one it loads the page again.
    ``logout_url`` is where "Sign out" posts to, by default that of the URL named ``logout``; where
    there is none, there is no such button. Both are an address or the name of a URL. Renders
    nothing for a visitor who is not logged in, for a session that has no end, and where the context
    has no request with a session. Raises ValueError for a ``lead`` that is not a number above 0 and
    for an address that is none, and NoReverseMatch where ``dj_sessions.urls`` is not included:
    both also for a visitor who is not logged in, so that one sees it at once.
    """
    request: Any = context.get("request")
    if request is None:
        return ""
    options = {
        "lead": _seconds(lead),
        "ended_url": _address("ended_url", ended_url),
        "logout_url": _logout_url() if logout_url is None else _address("logout_url", logout_url),
        "status_url": _status_url(),
    }
    remaining = _remaining(request)
    if remaining is None or remaining.idle is remaining.absolute is None:
        return ""
    shown = options | {
        "remaining": remaining,
        "csrf_token": get_token(request),
        "csp_nonce": context.get("csp_nonce"),
    }
    return _rendered(TEMPLATE, context, shown)


@register.simple_tag(takes_context=True)
def session_statistics(context: Context) -> str:
    """Show what sessions there are to who may view them: counts, ages, sizes, nobody's name.

    Renders nothing unless ``SESSION_ADMIN_PANEL`` is on.
    """
    if not conf.SESSION_ADMIN_PANEL:
        return ""
    request = getattr(context, "request", None) or context.get("request")
    if not may_be_seen_by(getattr(request, "user", None)):
        return ""
    outcome = panel.latest()
    summary = outcome.summary if outcome else None
    shown = {"outcome": outcome, "saved": _saved(summary), "keys": summary and summary.keys[:KEYS]}
    return _rendered(STATISTICS, context, shown)


def _saved(summary: Summary | None) -> dict[str, int] | None:
    """Return how many sessions were saved when; None if no session tells."""
    if summary is None or summary.live == summary.without_age:
        return None
    hour, day, week = (summary.saved_within(hours * 3600) for hours in (1, 24, 7 * 24))
    longer = sum(each.sessions for each in summary.ages) - week
    return {"hour": hour, "day": day, "week": week, "longer": longer}


def _rendered(name: str, context: Context, shown: dict[str, Any]) -> str:
    engine: Any = context.template.engine  # type: ignore[union-attr]
    with context.push(**shown):
        return engine.get_template(name).render(context)  # type: ignore[no-any-return]


def _remaining(request: Any) -> Any:
    """Return how long the session of a visitor who is logged in lasts; None for anybody else."""
    ask = getattr(getattr(request, "session", None), "get_remaining", None)
    user = getattr(request, "user", None) if ask else None
    return ask() if ask and getattr(user, "is_authenticated", False) else None


def _seconds(lead: float | str) -> int:
    """Return the whole seconds of a ``lead``, which leaves a visitor time to answer."""
    try:
        seconds = int(lead)
    except (TypeError, ValueError, OverflowError):
        seconds = 0
    if seconds < 1:
        raise ValueError(
            f"session_expiry_warning: lead={lead!r} is not a number of seconds above 0. "
            "Say how long before the end the warning appears, as in lead=120."
        )
    return seconds


def _address(option: str, to: Any) -> str:
    """Return where a name of a URL or an address leads; "" leads nowhere."""
    if not to:
        return ""
    try:
        address = str(resolve_url(to))
    except NoReverseMatch:
        address = ""
    if not _is_of_the_web(address):
        raise ValueError(
            f"session_expiry_warning: {option}={to!r} is neither the name of a URL nor an address. "
            f'Give one, as in {option}="/goodbye/".'
        )
    return address


def _is_of_the_web(address: str) -> bool:
    """Tell whether it leads to a page, on whatever host: ``javascript:`` would run a script."""
    return url_has_allowed_host_and_scheme(address, {urlsplit(address).netloc})


def _status_url() -> str:
    try:
        return reverse("dj_sessions:remaining")
    except NoReverseMatch as error:
        raise NoReverseMatch(
            "{% session_expiry_warning %} asks a URL that this site does not have. Add it to the "
            'urlpatterns of your urls.py: path("session/", include("dj_sessions.urls")),'
        ) from error


def _logout_url() -> str:
    try:
        return reverse("logout")
    except NoReverseMatch:
        return ""
