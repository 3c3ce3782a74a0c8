"""Which sessions the options of the command mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import CommandError, CommandParser
from django.db.models import Max
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from dj_sessions.user_sessions import table
from dj_sessions.user_sessions.models import UserSession, UserSessionQuerySet

#: The options of which one has to be there to mean sessions; ``all`` means every one.
MEANING: Final = ("users", "ids", "logged_in_before", "seen_before", "all")
#: Those that only leave some out: enough to list the rest, and not to end it.
NARROWING: Final = ("except_users", "except_staff", "ended")


def add_arguments(parser: CommandParser) -> None:
    """Declare the options that choose sessions."""
    group = parser.add_argument_group("which sessions")
    add = group.add_argument
    add("--user", action="append", dest="users", metavar="NAME", help="of this user, or these")
    add("--id", action="append", dest="ids", metavar="PUBLIC_ID", help="with this public id")
    add("--logged-in-before", metavar="DATE", help="as 2026-11-01, or 2026-11-01T12:30")
    add("--seen-before", metavar="DATE", help="not used since that date")
    add("--all", action="store_true", help="every one")
    add(
        "--except-user",
        action="append",
        dest="except_users",
        metavar="NAME",
        help="not of this user",
    )
    add("--except-staff", action="store_true", help="not of users with is_staff")


def is_given(options: dict[str, Any]) -> bool:
    """Return whether the options choose sessions."""
    return any(options[name] for name in MEANING)


def is_narrowed(options: dict[str, Any]) -> bool:
    """Return whether the options choose sessions, or leave some out."""
    return any(options[name] for name in (*MEANING, *NARROWING))


def selected(options: dict[str, Any]) -> UserSessionQuerySet:
    """Return the rows, of sessions in each state; raises CommandError for what cannot be."""
    rows: UserSessionQuerySet = table.rows().prefetch_related("user")
    if options["users"]:
        rows = rows.filter(user__in=[user_id_of(name) for name in options["users"]])
    if options["ids"]:
        rows = rows.filter(public_id__in=options["ids"])
    if options["logged_in_before"]:
        rows = rows.filter(created__lt=_moment("--logged-in-before", options["logged_in_before"]))
    if options["seen_before"]:
        rows = rows.filter(last_seen__lt=_moment("--seen-before", options["seen_before"]))
    if options["except_users"]:
        rows = rows.exclude(user__in=[user_id_of(name) for name in options["except_users"]])
    return _without_staff(rows) if options["except_staff"] else rows


def user_id_of(name: str) -> Any:
    """Return the primary key of a user; raises CommandError if there is none of that name."""
    users = get_user_model()
    found = users._base_manager.filter(**{users.USERNAME_FIELD: name}).first()
    if found is None:
        raise CommandError(f"There is no user whose {users.USERNAME_FIELD} is {name!r}.")
    return found.pk


def is_of_whole_users(options: dict[str, Any]) -> bool:
    """Return whether all sessions of each user are meant who has one of them."""
    return not any(options[name] for name in ("ids", "logged_in_before", "seen_before"))


def in_batches(rows: UserSessionQuerySet, size: int) -> Iterator[list[UserSession]]:
    """Yield the rows there are now, ``size`` at a time."""
    newest = rows.order_by().aggregate(Max("pk"))["pk__max"] or 0
    return table.in_batches(rows.filter(pk__lte=newest), size)


def _without_staff(rows: UserSessionQuerySet) -> UserSessionQuerySet:
    users = get_user_model()
    try:
        users._meta.get_field("is_staff")
    except FieldDoesNotExist as error:
        raise CommandError(
            f"--except-staff: {users._meta.label} has no field is_staff. Use --except-user."
        ) from error
    # No subquery: users may be in another database.
    staff = users._base_manager.filter(is_staff=True).values_list("pk", flat=True)
    return rows.exclude(user__in=list(staff))


def _moment(option: str, text: str) -> datetime:
    try:
        found: date | None = parse_datetime(text) or parse_date(text)
    except ValueError:  # such as the 31st of a month that has none
        found = None
    if found is None:
        raise CommandError(f"{option} must be like 2026-11-01 or 2026-11-01T12:30, not {text!r}.")
    moment = found if isinstance(found, datetime) else datetime.combine(found, time())
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
