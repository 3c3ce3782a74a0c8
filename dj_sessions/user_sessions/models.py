"""``UserSession``: one row for each session that a user has, or had."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import ending

__all__ = ["UserSession", "UserSessionQuerySet"]


#: How a session ended, in words.
REASONS: Final[dict[str, Any]] = {
    EndReason.FLUSHED: _("logged out"),
    EndReason.DELETED: _("deleted"),
    EndReason.ENDED: _("ended from the list"),
    EndReason.LIMIT: _("too many sessions"),
    EndReason.PASSWORD_CHANGED: _("password changed"),
    EndReason.DEACTIVATED: _("account deactivated"),
    EndReason.USER_DELETED: _("account deleted"),
    EndReason.PERMISSIONS_CHANGED: _("permissions changed"),
    EndReason.GONE: _("expired"),
}


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    """Rows of the list. What they say of a session's end is as of when each was last seen."""

    def live(self) -> Self:
        """Return the rows of sessions that nobody has ended."""
        return self.filter(ended=None)

    def ended(self) -> Self:
        """Return the rows of sessions that were ended, and are kept as history."""
        return self.exclude(ended=None)


class UserSession(models.Model):
    """A session of a user, as the list has it. The session itself is in its own store.

    The row is written before the session is stored: the list may name one that is gone, and never
    misses one that lives. ``stored_key`` is the name under which the store has it, which is a hash
    where ``SESSION_KEY_STORAGE`` says so.
    """

    # The database does not check it: users may be in another one, and a session of a user who is
    # gone can be saved, as with Django. For the same reason rows go by a signal: see automatic.py.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        verbose_name=_("user"),
    )
    user_id: Any
    stored_key = models.CharField(_("stored key"), max_length=255, db_index=True, editable=False)
    public_id = models.CharField(_("public id"), max_length=16)
    engine = models.CharField(_("engine"), max_length=255)
    created = models.DateTimeField(_("logged in"))
    last_seen = models.DateTimeField(_("last seen"))
    expires = models.DateTimeField(_("expires"), db_index=True)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=255, blank=True)
    ended = models.DateTimeField(_("ended"), null=True, blank=True, db_index=True)
    reason = models.CharField(_("reason"), max_length=32, blank=True)

    objects = UserSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session of a user")
        verbose_name_plural = _("sessions of users")
        ordering: ClassVar[Any] = ["-created", "-pk"]
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(
                fields=["public_id", "user"], name="dj_user_sessions_one_row_per_user"
            )
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def why(self) -> str:
        """How the session ended, in words; empty while it lives."""
        return str(REASONS.get(self.reason, self.reason))

    def is_of(self, session: Any) -> bool:
        """Return whether this is the row of ``session``, such as ``request.session``."""
        return bool(self.public_id == getattr(session, "public_id", None))

    def end(self, reason: EndReason = EndReason.ENDED) -> bool:
        """End the session for good; return whether it was there to be ended.

        Raises what its store raises in an outage.
        """
        return ending.end_row(self, reason)

    async def aend(self, reason: EndReason = EndReason.ENDED) -> bool:
        """``end()``."""
        return await ending.aend_row(self, reason)
