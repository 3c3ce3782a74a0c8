"""The URLs of the page of devices: ``include("dj_sessions.user_sessions.urls")``."""

from django.urls import path

from dj_sessions.user_sessions.views import DevicesView, EndOthersView, EndView

app_name = "dj_user_sessions"

urlpatterns = [
    path("", DevicesView.as_view(), name="devices"),
    path("end-others/", EndOthersView.as_view(), name="end_others"),
    path("<slug:public_id>/end/", EndView.as_view(), name="end"),
]
