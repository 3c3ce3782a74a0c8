"""The addresses of the pages of stored sessions, on every database."""

import pytest
from django.contrib.admin import AdminSite
from django.contrib.sessions.models import Session
from django.test import RequestFactory

from dj_sessions.admin import SessionAdmin

pytestmark = pytest.mark.stores("db")


def test_an_address_that_no_session_has_names_none(store):
    class Admin(SessionAdmin):
        def get_queryset(self, request):
            return super().get_queryset(request).using(store.database)

    store.SessionStore().create()
    row = Session.objects.using(store.database).get()

    def named(start):
        address = f"{start}-{row.public_id}"
        return Admin(Session, AdminSite()).get_object(RequestFactory().get("/"), address)

    assert named(row.pk[:6]) == row
    odd = ("\0", "%", "_", "\\", "/", "'")
    assert [named(row.pk[:5] + character) for character in odd] == [None] * len(odd)
