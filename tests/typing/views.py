"""What views see: the session of a request is Django's SessionBase to them, as it was before."""

from datetime import datetime, timedelta
from typing import Any, assert_type

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse

from dj_sessions.backends.base import SessionBase as OurSessionBase
from dj_sessions.backends.db import SessionStore
from dj_sessions.user_sessions.decorators import authenticated_at, recent_login_required


def view(request: HttpRequest) -> HttpResponse:
    assert_type(request.session, SessionBase)
    assert_type(request.session["colour"], Any)
    assert_type(request.session.session_key, str | None)
    request.session["colour"] = "green"
    request.session.setdefault("visits", 0)
    request.session.set_expiry(timedelta(days=1))
    assert_type(request.session.get_expiry_date(), datetime)
    request.session.modified = True
    if request.session.is_empty():
        request.session.flush()
    return HttpResponse()


async def async_view(request: HttpRequest) -> HttpResponse:
    assert_type(await request.session.aget("colour", "green"), Any)
    await request.session.aset("colour", "green")
    await request.session.acycle_key()
    return HttpResponse()


@recent_login_required
def delete_account(request: HttpRequest, pk: int) -> HttpResponse:
    assert_type(authenticated_at(request.session), datetime | None)
    return HttpResponse()


@recent_login_required(300, login_url="/login/")
async def backup_codes(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def call_decorated_views(request: HttpRequest) -> None:
    assert_type(delete_account(request, 1), HttpResponse)
    delete_account(request, "one")  # type: ignore[arg-type] # a view keeps its arguments


def give_a_session(request: HttpRequest) -> None:
    request.session = SessionStore()
    request.session = OurSessionBase("abcdefghijkl")


def takes_django_s(session: SessionBase) -> None: ...


def takes_ours(session: OurSessionBase) -> None: ...


def pass_sessions_around(request: HttpRequest) -> None:
    takes_django_s(SessionStore())
    takes_ours(SessionStore())
    takes_ours(request.session)  # type: ignore[arg-type] # Django does not know our class
    if isinstance(request.session, OurSessionBase):
        takes_ours(request.session)
