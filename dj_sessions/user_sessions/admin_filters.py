"""What the list of sessions in the admin can be narrowed to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from dj_sessions.user_sessions.models import UserSession, UserSessionQuerySet


class StateFilter(admin.SimpleListFilter):
    """Those that live, or those that were ended and are kept as history."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two states."""
        return [("live", _("live")), ("ended", _("ended"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[UserSession]
    ) -> QuerySet[UserSession]:
        """Return the rows in the chosen state."""
        assert isinstance(queryset, UserSessionQuerySet)  # noqa: S101 # the model's own manager
        match self.value():
            case "live":
                return queryset.live()
            case "ended":
                return queryset.ended()
        return queryset


class UserFilter(admin.SimpleListFilter):
    """One user, chosen in a row or on the page of a user: a menu of all would be too long."""

    title = _("user")
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the user that is chosen, if any."""
        chosen = self.value()
        if chosen is None:
            return []
        try:
            found = get_user_model()._base_manager.filter(pk=chosen).first()
        except (ValueError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from error
        # Without a choice to show, a filter does not count at all.
        return [(chosen, chosen if found is None else str(found))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[UserSession]
    ) -> QuerySet[UserSession]:
        """Return the rows of that user."""
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(user__pk=chosen)
