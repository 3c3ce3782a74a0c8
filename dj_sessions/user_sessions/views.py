"""The page on which users see where they are logged in, and end what they do not want."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import npgettext, pgettext
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_protect
from django.views.generic import TemplateView

from dj_sessions.user_sessions import end_sessions, sessions_of
from dj_sessions.user_sessions.conf import conf
from dj_sessions.user_sessions.in_words import devices_of
from dj_sessions.user_sessions.models import UserSession
from dj_sessions.user_sessions.relogin import MARK, has_come_back, is_recent, to_login


class _ForMembers(View):
    @method_decorator([never_cache, xframe_options_deny, csrf_protect, login_required])
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer users who are logged in, and send others to the login page."""
        return super().dispatch(request, *args, **kwargs)


class DevicesView(_ForMembers, TemplateView):
    """Lists the sessions of the user: that of the request, and then the newest logins.

    The view is synchronous, as the list is in a database: under ASGI one thread hop serves the
    whole request. The context has ``devices`` (all of them), ``present`` (that of the request, or
    None where the list does not have it), ``others``, ``base_template``, and the ``namespace`` of
    the URLs.
    """

    template_name = "dj_user_sessions/devices.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the list; a visitor whom the login page has turned away goes there once more."""
        if MARK not in request.GET:
            return super().get(request, *args, **kwargs)
        if has_come_back(request):
            return to_login(request, _list_of(request))
        return redirect(_list_of(request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the devices to the context."""
        request: Any = self.request
        devices = devices_of(sessions_of(request.user), request.session)
        return {
            **super().get_context_data(**kwargs),
            "devices": devices,
            "present": next((device for device in devices if device.is_present), None),
            "others": [device for device in devices if not device.is_present],
            "base_template": conf.SESSION_DEVICES_BASE_TEMPLATE,
            "namespace": request.resolver_match.namespace,
        }


class _Ending(_ForMembers):
    """What ends sessions by a POST. A GET, as after a login on the way, leads to the list."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Redirect to the list."""
        return redirect(_list_of(request))


class EndView(_Ending):
    """Ends one session of the user, by its public id; 404 for what is not the user's."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """End it; that of the request is logged out."""
        row = get_object_or_404(sessions_of(request.user), public_id=public_id)
        if row.is_of(request.session):
            logout(request)
            return redirect(settings.LOGOUT_REDIRECT_URL or settings.LOGIN_URL)
        return self.end(request, row)

    def end(self, request: HttpRequest, row: UserSession) -> HttpResponse:
        """End another session than that of the request, for a user who has logged in recently."""
        if not is_recent(request.session):
            return to_login(request, _list_of(request))
        row.end()
        text = pgettext("sessions of a user", "The session is ended.")
        messages.success(request, text, fail_silently=True)
        return redirect(_list_of(request))


class EndOthersView(_Ending):
    """Ends all sessions of the user but that of the request."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """End them, for a user who has logged in recently."""
        if not is_recent(request.session):
            return to_login(request, _list_of(request))
        n = end_sessions(request.user, keep=request.session)
        text = npgettext(
            "sessions of a user", "{n} other session is ended.", "{n} other sessions are ended.", n
        )
        messages.success(request, text.format(n=n), fail_silently=True)
        return redirect(_list_of(request))


def _list_of(request: HttpRequest) -> str:
    """Return the address of the list, in whichever namespace the URLs are included."""
    match: Any = request.resolver_match
    return reverse(f"{match.namespace}:devices")
