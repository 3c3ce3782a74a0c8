from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from testproject import views

urlpatterns = [
    path("", views.visits, name="visits"),
    path("side-by-side/", views.side_by_side, name="side_by_side"),
    path("colour/", views.choose_colour, name="choose_colour"),
    path("colour/forget/", views.forget_colour, name="forget_colour"),
    path("comment/", views.comment, name="comment"),
    path("test-cookie/", views.test_cookie, name="test_cookie"),
    path("session/", views.inspector, name="inspector"),
    path("session/expiry/", views.choose_expiry, name="choose_expiry"),
    path("session/new-key/", views.new_key, name="new_key"),
    path("session/forget/", views.forget_session, name="forget_session"),
    path("session/", include("dj_sessions.urls")),
    path("session/ended/", views.session_ended, name="session_ended"),
    path("limits/", views.limits, name="limits"),
    path("limits/choose/", views.choose_limit, name="choose_limit"),
    path("login/", views.LogIn.as_view(), name="login"),
    path("logout/", views.LogOut.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
if apps.is_installed("dj_sessions.user_sessions"):
    urlpatterns.append(path("devices/", include("dj_sessions.user_sessions.urls")))
