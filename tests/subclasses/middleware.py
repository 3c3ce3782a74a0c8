"""Middleware as third-party packages write it: the store learns more than the key."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as StockSessionMiddleware
from django.http import HttpRequest

from dj_sessions.middleware import SessionMiddleware


class DeviceMiddleware(SessionMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        request.session = self.SessionStore(
            session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME),
            user_agent=request.headers.get("User-Agent", ""),
            ip=request.META.get("REMOTE_ADDR"),
        )


class StockDeviceMiddleware(StockSessionMiddleware):
    process_request = DeviceMiddleware.process_request
