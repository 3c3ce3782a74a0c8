"""Rows of sessions that are gone, and old history: ``clearsessions`` removes both."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from dj_sessions.user_sessions import listing, table, writing
from dj_sessions.user_sessions.conf import conf


def purge() -> str:
    """Remove what is not to be kept; return what was done, in words."""
    batches = table.in_batches(table.rows().live(), listing.BATCH)
    gone = sum(listing.leave_out(listing.alive_and_gone(batch)[1]) for batch in batches)
    kept_since = timezone.now() - timedelta(days=conf.SESSION_HISTORY_DAYS)
    old = writing.remove(table.rows().filter(ended__lte=kept_since))
    return f"Users' sessions: {gone:,} found gone, {old:,} removed from the history."
