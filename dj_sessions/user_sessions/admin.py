"""The admin of the list: to look at it, and to end sessions. Nothing in it can be edited."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import listing, user_agents
from dj_sessions.user_sessions.admin_filters import StateFilter, UserFilter
from dj_sessions.user_sessions.ending import of_each
from dj_sessions.user_sessions.models import REASONS, UserSession, UserSessionQuerySet
from dj_sessions.user_sessions.owners import name_of_owner, owner_of

__all__ = ["SessionsOfUserMixin", "UserSessionAdmin"]

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[UserSession]
else:  # it takes no arguments while it runs
    _ModelAdmin = admin.ModelAdmin

#: Sessions that the page shows which asks for confirmation.
SHOWN: Final = 100


@admin.register(UserSession)
class UserSessionAdmin(_ModelAdmin):
    """Shows the sessions of users, without their keys and their data.

    The permission to view is enough to look; the permission to delete is needed to end sessions.
    """

    list_display = ["public_id", "whose", "state", "created", "last_seen", "ip_address", "browser"]
    list_filter = [StateFilter, UserFilter, ("engine", admin.AllValuesFieldListFilter)]
    list_per_page = 50
    show_full_result_count = False
    search_help_text = _("User name, IP address or public id")
    fields = [
        *("public_id", "user", "state", "created", "last_seen", "expires", "ended"),
        *("ip_address", "user_agent", "engine"),
    ]
    readonly_fields = ["state"]
    actions = ["end_selected"]

    @admin.display(description=_("user"), ordering="user")
    def whose(self, row: UserSession) -> str:
        """Return a link that leaves the sessions of the same user in the list."""
        return format_html('<a href="?user={}">{}</a>', row.user_id, name_of_owner(row))

    @admin.display(description=_("state"), ordering="ended")
    def state(self, row: UserSession) -> Any:
        """Return how the session has ended, or that it lives: its store is asked."""
        if row.ended is not None:
            return row.why or _("ended")
        return _("live") if _is_alive(row) else REASONS[EndReason.GONE]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return a list that asks the stores for the sessions of a page all at once."""
        return _Page

    @admin.display(description=_("user agent"))
    def browser(self, row: UserSession) -> str:
        """Return the beginning of the user agent."""
        return user_agents.shorten(row.user_agent)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserSession]:
        """Return the rows, those of accounts that are gone too: a join would leave them out."""
        return super().get_queryset(request).prefetch_related("user")

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Return where words are looked for: user names too, unless another database has them."""
        users, found = get_user_model(), ["^ip_address", "^public_id"]
        if router.db_for_read(users) != router.db_for_read(UserSession):
            return found
        return [f"user__{users.USERNAME_FIELD}", *found]

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a login adds rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: UserSession | None = None) -> bool:
        """Return False: the sessions themselves say what is so."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: UserSession | None = None) -> bool:
        """Return whether this user may look at the sessions of others."""
        return self._has_permission(request, "view") or self.has_end_permission(request)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Return whether this user may end sessions of others."""
        return self._has_permission(request, "delete")

    def has_delete_permission(self, request: HttpRequest, obj: UserSession | None = None) -> bool:
        """Return whether rows may go with their user. By themselves they cannot be deleted."""
        return self.has_end_permission(request) or self._may_delete_users(request)

    def _has_permission(self, request: HttpRequest, action: str) -> bool:
        return request.user.has_perm(
            f"{self.opts.app_label}.{get_permission_codename(action, self.opts)}"
        )

    def _may_delete_users(self, request: HttpRequest) -> bool:
        users = get_user_model()._meta
        name = get_permission_codename("delete", users)
        return request.user.has_perm(f"{users.app_label}.{name}")

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions without that of deleting: the session would live on, unlisted."""
        # Django asks for a place from 6.1 on.
        place = {} if action_location is None else {"action_location": action_location}
        actions = super().get_actions(request, **place)
        actions.pop("delete_selected", None)
        return actions

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Raise PermissionDenied: the session would live on, unlisted."""
        raise PermissionDenied

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Return the page of one session, without a link to delete its row."""
        return super().render_change_form(
            request, context | {"show_delete": False}, *args, **kwargs
        )

    # Ending

    @admin.action(permissions=["end"], description=_("End selected sessions"))
    def end_selected(
        self, request: HttpRequest, queryset: UserSessionQuerySet
    ) -> TemplateResponse | None:
        """End the sessions that live of those selected, after a page that asks for confirmation."""
        live = list(queryset.live())
        rows = [row for row in live if not row.is_of(request.session)]
        if len(rows) < len(live):
            own = gettext("Your own session goes on. Log out to end it.")
            self.message_user(request, own, messages.INFO)
        if not rows:
            nothing = gettext("There was no other session to be ended.")
            self.message_user(request, nothing, messages.WARNING)
            return None
        if not request.POST.get("post"):
            return self._ask(request, rows)
        ended = sum(of_each(rows, partial(self._end, request)))
        said = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", ended)
        self.message_user(request, said % {"count": ended}, messages.SUCCESS)
        return None

    def _end(self, request: HttpRequest, row: UserSession) -> bool:
        """End one session, and write that into the history of its user, whom the row may leave."""
        if not row.end():
            return False
        said = gettext("Ended the session %(public_id)s.") % {"public_id": row.public_id}
        owner = owner_of(row)
        if owner is not None:
            self.log_change(request, owner, said)
        return True

    def _ask(self, request: HttpRequest, rows: list[UserSession]) -> TemplateResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": _("Are you sure?"),
            "opts": self.opts,
            "media": self.media,
            "rows": [(row, name_of_owner(row)) for row in rows[:SHOWN]],
            "more": len(rows) - len(rows[:SHOWN]),
            "count": len(rows),
            # All that match are selected anew: a form cannot have thousands of fields.
            "select_across": request.POST.get("select_across") == "1",
            "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        }
        template = "admin/dj_user_sessions/usersession/end_selected_confirmation.html"
        return TemplateResponse(request, template, context)


class _Page(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        alive = set(listing.alive_among([row for row in rows if row.ended is None]))
        for row in rows:
            row._is_alive = row in alive
        self.result_list = rows


def _is_alive(row: UserSession) -> bool:
    known: bool | None = getattr(row, "_is_alive", None)
    return bool(listing.alive_among([row])) if known is None else known


class SessionsOfUserMixin:
    """For the admin of a user model of your own: a line with a link to the sessions of that user.

    It adds a read-only field ``sessions`` below the others, for those who may view sessions.
    """

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the read-only fields, with the link among them."""
        fields = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        return [*fields, "sessions"] if obj is not None else fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fieldsets, and below them one of the link."""
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if obj is None or "sessions" in flatten_fieldsets(fieldsets):
            return fieldsets
        return [*fieldsets, (None, {"fields": ["sessions"]})]

    @admin.display(description=_("sessions"))
    def sessions(self, user: Any) -> str:
        """Return a link to the sessions of ``user``, with their number."""
        count = UserSession.objects.live().filter(user=user).count()
        try:
            page = reverse(f"{self.admin_site.name}:dj_user_sessions_usersession_changelist")  # type: ignore[attr-defined]
        except NoReverseMatch:  # this site of the admin does not show them
            return str(count)
        return format_html('<a href="{}?user={}&amp;state=live">{}</a>', page, user.pk, count)
