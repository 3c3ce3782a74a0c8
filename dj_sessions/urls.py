"""The URLs of a warning before a session ends, and of a probe: ``include("dj_sessions.urls")``."""

from django.urls import path

from dj_sessions.views import health, remaining

app_name = "dj_sessions"

urlpatterns = [
    path("remaining/", remaining, name="remaining"),
    path("health/", health, name="health"),
]
