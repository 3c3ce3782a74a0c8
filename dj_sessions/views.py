"""How long the visitor's session lasts, and whether the store of sessions works."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from dj_sessions._health import probe
from dj_sessions.conf import conf
from dj_sessions.decorators import passive
from dj_sessions.exceptions import UpdateError

_NOBODY: Final[dict[str, bool | int | None]] = {
    "authenticated": False,
    "idle": None,
    "absolute": None,
}


class RemainingView(View):
    """Answers with the seconds until the session ends, as JSON that nothing caches.

    ``{"authenticated": bool, "idle": seconds or null, "absolute": seconds or null}``: ``idle`` is
    until it ends if nobody uses it, ``absolute`` until it ends in any case. A GET does not renew
    the session. A POST, which needs a CSRF token, renews it; for a visitor who has none it answers
    as a GET does, and starts none.

    The view is synchronous: who is logged in is asked of the database, so under ASGI one thread
    hop serves the whole request.
    """

    def get(self, request: HttpRequest, **kwargs: Any) -> JsonResponse:
        """Answer without renewing the session."""
        return JsonResponse(_answer(request))

    @method_decorator(csrf_protect)
    def post(self, request: HttpRequest, **kwargs: Any) -> JsonResponse:
        """Renew the session, and answer."""
        session: Any = getattr(request, "session", None)
        answer = _answer(request)  # first, as to ask for the user may flush the session
        if session is None or session.is_empty():
            return JsonResponse(answer)
        try:
            session.save()  # here, it counts as use, and the answer is of what was saved
        except UpdateError:  # it was ended meanwhile
            return JsonResponse(_NOBODY)
        session.modified = True  # the cookie is renewed, too
        return JsonResponse(_answer(request))


class HealthView(View):
    """Answers whether the store of sessions works, with status 200 or 503, as JSON for a probe.

    ``{"works": bool, "milliseconds": number, "problems": [codes]}``. It looks for a session that
    nobody has, and writes nothing. With ``?full=1`` it does what ``manage.py sessioncheck`` does
    where ``SESSION_HEALTH_FULL`` says so, and is refused with status 403 elsewhere. An answer
    serves all who ask within a second. It uses no session of the visitor.
    """

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, **kwargs: Any) -> JsonResponse:
        """Find out, or answer as a moment ago."""
        is_full = request.GET.get("full") == "1"
        if is_full and conf.SESSION_HEALTH_FULL != 1:  # True, and no text
            return JsonResponse({"refused": "SESSION_HEALTH_FULL is not True"}, status=403)
        answer = (probe.examine if is_full else probe.look_up).answer()
        return JsonResponse(
            {"works": answer.works, **answer.data}, status=200 if answer.works else 503
        )


# Outside of any transaction: a database that is gone is an answer, too.
health = non_atomic_requests(login_not_required(never_cache(passive(HealthView.as_view()))))

# Nobody is sent to the login page instead: that the login is over is an answer.
remaining = login_not_required(never_cache(passive(RemainingView.as_view())))


def _answer(request: HttpRequest) -> dict[str, bool | int | None]:
    ask: Any = getattr(getattr(request, "session", None), "get_remaining", None)
    if ask is None:
        return _NOBODY | {"authenticated": _is_authenticated(request)}
    return {"authenticated": _is_authenticated(request), **ask()._asdict()}


def _is_authenticated(request: HttpRequest) -> bool:
    return bool(getattr(getattr(request, "user", None), "is_authenticated", False))
