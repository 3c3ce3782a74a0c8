"""When somebody has logged in, and the way to the login page and back."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme

from dj_sessions._moments import moment
from dj_sessions.signals import relogin_asked
from dj_sessions.user_sessions.conf import conf

#: Under this name a session has the time of its login, in seconds since 1970.
AUTHENTICATED_AT: Final = "_authenticated_at"
#: Under this name a session has what marks the address to which its login leads back, and an
#: address has it under the same name.
MARK: Final = "_relogin"


def authenticated_at(session: Any) -> datetime | None:
    """Return when the user of ``session`` has last logged in; None if that is not known.

    It is not known in a session without a user, and of a login before the app was installed.
    """
    seconds = session.get(AUTHENTICATED_AT)
    if not isinstance(seconds, int):
        return None
    return moment(seconds)


def note_login(request: Any = None, **kwargs: Any) -> None:
    """Write down in the session that its user has logged in: a receiver of ``user_logged_in``."""
    session = getattr(request, "session", None)
    if session is not None:
        session[AUTHENTICATED_AT] = int(timezone.now().timestamp())
        session.pop(MARK, None)


def is_recent(session: Any, age: float | None = None) -> bool:
    """Return whether a login is younger than ``age`` seconds, or than ``SESSION_REAUTH_AGE``.

    Without either, each is.
    """
    age = conf.SESSION_REAUTH_AGE if age is None else age
    if age is None:
        return True
    then = authenticated_at(session)
    return then is not None and (timezone.now() - then).total_seconds() < age


def to_login(
    request: HttpRequest, back: str, login_url: str | None = None, *, has_mark: bool = True
) -> HttpResponseRedirect:
    """Redirect to the login page, and from there to ``back``, an address on this site.

    A login page may send everybody who is logged in straight back, for ever. So an address that
    leads here again has a mark: who comes back with it, and without a login, is logged out first.
    """
    back = with_mark(back, None)
    if request.user.is_authenticated:
        _tell(request)
    if has_come_back(request):
        logout(request)
    elif has_mark and request.user.is_authenticated:
        request.session[MARK] = secrets.token_urlsafe(6)
        back = with_mark(back, request.session[MARK])
    login = resolve_url(login_url or settings.LOGIN_URL)
    if urlsplit(login).netloc not in ("", request.get_host()):
        back = request.build_absolute_uri(back)
    return redirect_to_login(back, login)


def _tell(request: HttpRequest) -> None:
    """Tell that a user has to log in again."""
    if relogin_asked.receivers:
        session: Any = request.session
        public_id, user_id = getattr(session, "public_id", None), request.user.pk
        facts = {"public_id": public_id, "user_id": user_id, "request": request}
        relogin_asked.send_robust(sender=type(session), **facts)


def has_come_back(request: HttpRequest) -> bool:
    """Return whether the login page has sent a visitor back who has not logged in there."""
    mark = request.GET.get(MARK)
    return mark is not None and mark == request.session.get(MARK)


def with_mark(address: str, mark: str | None) -> str:
    """Return an address on this site with this mark, or without one."""
    parts = urlsplit(address)
    query = QueryDict(parts.query, mutable=True)
    if mark is None and MARK not in query:
        return address
    query.pop(MARK, None)
    if mark is not None:
        query[MARK] = mark
    return urlunsplit(parts._replace(query=query.urlencode()))


def page_of(request: HttpRequest) -> str:
    """Return the address to which a visitor can come back by a GET, on this site.

    For a POST that is the page that has sent it, if it is one of this site, else that of
    ``LOGIN_REDIRECT_URL``.
    """
    if request.method in ("GET", "HEAD"):
        return escape_leading_slashes(request.get_full_path())
    sender = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(sender, {request.get_host()}, request.is_secure()):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    _, _, path, query, _ = urlsplit(sender)
    return escape_leading_slashes(path or "/") + (f"?{query}" if query else "")
