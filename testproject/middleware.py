"""The site's own note of when the session was last written.

No engine tells a page when it last wrote a session, so the site writes that down in the session
itself. This middleware stands right inside `SessionMiddleware`: it sees every change that the
request made, and its note goes out with the same write.
"""

from __future__ import annotations

from inspect import iscoroutinefunction

from django.http import HttpRequest
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

LAST_WRITTEN = "_last_written"


@sync_and_async_middleware
def note_last_write(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            response = await get_response(request)
            if _will_be_written(request):
                await request.session.aset(LAST_WRITTEN, timezone.now().isoformat())
            return response

    else:

        def middleware(request):
            response = get_response(request)
            if _will_be_written(request):
                request.session[LAST_WRITTEN] = timezone.now().isoformat()
            return response

    return middleware


def _will_be_written(request: HttpRequest) -> bool:
    # A session that was just ended is modified too; a note would start a new one.
    return request.session.modified and not request.session.is_empty()
