"""An admin for the model ``Session``, which a site registers if it wants one.

admin.site.register(Session, SessionAdmin)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import pgettext_lazy

from dj_sessions import _keys
from dj_sessions._translations import gettext_lazy as _

__all__ = ["SessionAdmin"]

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:  # it takes no arguments while it runs
    _ModelAdmin = admin.ModelAdmin


class SessionAdmin(_ModelAdmin):
    """Shows which sessions are stored: neither whole keys nor data, and nothing to change.

    The address of a session's page has the beginning of its key, as shown, and its public id.
    """

    list_display = ["shown_key", "shown_public_id", "expire_date"]
    ordering = ["-expire_date"]
    fields = ["shown_key", "shown_public_id", "expire_date"]
    readonly_fields = ["shown_key", "shown_public_id", "expire_date"]
    show_full_result_count = False
    actions = None
    change_form_template = "dj_sessions/admin/session_change_form.html"

    @admin.display(description=_("session key"))
    def shown_key(self, session: Any) -> str:
        """Return the beginning of the key."""
        return _keys.shorten(session.pk)

    @admin.display(description=pgettext_lazy("admin of sessions", "public id"))
    def shown_public_id(self, session: Any) -> str:
        """Return the public id, by which logs and the sessions of users name the session."""
        return _keys.public_id(session.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    # Addresses without the key

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return a list whose links have no keys in them."""
        return _SessionList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any | None:
        """Return the session that an address names. A key names none."""
        start, _, public_id = object_id.rpartition("-")
        if len(start) != _keys.SHOWN or not start.isprintable():  # PostgreSQL takes no NUL
            return None
        # The index of the keys leads to the few that begin so.
        found = self.get_queryset(request).filter(pk__startswith=start)
        return next((each for each in found if _keys.public_id(each.pk) == public_id), None)


class _SessionList(ChangeList):
    def url_for_result(self, result: Any) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        place = f"{result.pk[: _keys.SHOWN]}-{_keys.public_id(result.pk)}"
        return reverse(name, args=(quote(place),), current_app=self.model_admin.admin_site.name)
