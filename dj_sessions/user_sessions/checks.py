"""System checks of the settings of this app, and of what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.db import DatabaseError, connections
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.utils.module_loading import import_string

from dj_sessions.conf import conf as sessions
from dj_sessions.user_sessions import table
from dj_sessions.user_sessions.automatic import WORDS
from dj_sessions.user_sessions.conf import DEFAULTS, conf
from dj_sessions.user_sessions.listing import store_of


def check_user_sessions(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Report an engine that cannot be listed, and settings that are not what they have to be."""
    if not _is_installed():
        return
    yield from _check_engine()
    yield from _check_numbers()
    yield from _check_words()
    yield from _check_limit()
    yield from _check_ends()
    yield from _check_page()


def check_table(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> Iterable[CheckMessage]:
    """Report that the list has no table. It asks a database, so it needs ``--database``."""
    if not databases or not _is_installed() or table.database() not in databases:
        return
    alias, name = table.database(), table.model()._meta.db_table
    try:
        tables = connections[alias].introspection.table_names()
    except DatabaseError:  # the site says more of that
        return
    if name not in tables:
        yield Error(
            f"The table {name!r} is missing in the database {alias!r}: nobody can log in.",
            hint=f"Run 'manage.py migrate dj_user_sessions --database={alias}'.",
            id="dj_sessions.E120",
        )


def _is_installed() -> bool:
    """Return False where a test takes the apps away: what is registered stays for good."""
    return apps.is_installed("dj_sessions") and apps.is_installed("dj_sessions.user_sessions")


def _check_engine() -> Iterable[CheckMessage]:
    if not _can_list(sessions.SESSION_ENGINE):
        yield Warning(
            "'dj_sessions.user_sessions' is installed, but the engine "
            f"{sessions.SESSION_ENGINE!r} keeps no sessions that could be listed or ended.",
            hint="Set SESSION_ENGINE to an engine of 'dj_sessions.backends' that keeps records, "
            "such as 'dj_sessions.backends.db', or take 'dj_sessions.user_sessions' out of "
            "INSTALLED_APPS.",
            id="dj_sessions.W085",
        )


def _can_list(engine: str) -> bool:
    try:
        return store_of(engine) is not None
    except (ImportError, AttributeError):
        return False


def _check_numbers() -> Iterable[CheckMessage]:
    for name, unit, good in (
        ("SESSION_SEEN_AFTER", "seconds", "300"),
        ("SESSION_HISTORY_DAYS", "days", "30 for a month"),
    ):
        value: Any = getattr(conf, name)
        if not _is_number(value) or not 0 <= value < 10**9:
            yield Error(
                f"{name} = {value!r} is not a number of {unit} from 0 on.",
                hint=f"Set {name} = {good}, without quotes, or leave it out.",
                id="dj_sessions.E086",
            )


def _check_words() -> Iterable[CheckMessage]:
    action, words = conf.SESSION_LIMIT_ACTION, ("end-oldest", "refuse")
    if action not in words:
        yield Error(
            f"SESSION_LIMIT_ACTION = {action!r} is not one of {_listed(words)}.",
            hint=f"Set SESSION_LIMIT_ACTION = {words[0]!r}, or leave it out.",
            id="dj_sessions.E087",
        )


def _check_limit() -> Iterable[CheckMessage]:
    limit: Any = conf.SESSION_LIMIT_PER_USER
    if isinstance(limit, str):
        is_usable = _function(limit) is not None
    else:
        is_usable = limit is None or (type(limit) is int and limit > 0)
    if not is_usable:
        yield Error(
            f"SESSION_LIMIT_PER_USER = {limit!r} is neither a whole number from 1 on nor the "
            "dotted path of a function.",
            hint="Set SESSION_LIMIT_PER_USER = 3, without quotes, or the path of a function that "
            "takes a user and returns a number or None. None is no limit.",
            id="dj_sessions.E089",
        )


def _check_ends() -> Iterable[CheckMessage]:
    found: Any = conf.SESSION_END_ON
    if not isinstance(found, list | tuple) or not all(word in WORDS for word in found):
        yield Error(
            f"SESSION_END_ON = {found!r} is not a list of {_listed(WORDS)}.",
            hint=f"Set SESSION_END_ON = {list(DEFAULTS['SESSION_END_ON'])!r}, or leave it out.",
            id="dj_sessions.E090",
        )


def _check_page() -> Iterable[CheckMessage]:
    template, place = conf.SESSION_DEVICES_BASE_TEMPLATE, conf.SESSION_PLACE_OF_ADDRESS
    if not _is_template(template):
        yield Error(
            f"SESSION_DEVICES_BASE_TEMPLATE = {template!r} is not the name of a template.",
            hint="Name the template that your pages extend, such as 'base.html'; or leave it out.",
            id="dj_sessions.E095",
        )
    if place is not None and _function(place) is None:
        yield Error(
            f"SESSION_PLACE_OF_ADDRESS = {place!r} is not the dotted path of a function.",
            hint="Name a function of yours that takes an address and returns its place, such as "
            "'mysite.places.place_of'; or leave it out.",
            id="dj_sessions.E096",
        )
    age: Any = conf.SESSION_REAUTH_AGE
    if age is not None and not (_is_number(age) and age > 0):
        yield Error(
            f"SESSION_REAUTH_AGE = {age!r} is not a number of seconds above 0.",
            hint="Set SESSION_REAUTH_AGE = 600 for ten minutes, without quotes, or leave it out.",
            id="dj_sessions.E097",
        )


def _is_template(name: Any) -> bool:
    try:
        return isinstance(name, str) and bool(get_template(name))
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return False


def _function(path: Any) -> Callable[..., Any] | None:
    try:
        found = import_string(path)
    except (ImportError, AttributeError, TypeError):
        return None
    return found if callable(found) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, words))
