"""Limits of a session's life that cannot be, or have no effect."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.core.checks import Error, Warning  # noqa: A004

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages
from dj_sessions.conf import conf

#: The settings, each with what to write.
AGES: Final = {
    "SESSION_IDLE_AGE": "900 for fifteen minutes",
    "SESSION_ABSOLUTE_AGE": "43200 for twelve hours",
    "SESSION_ANONYMOUS_AGE": "3600 for an hour",
}
#: The limits, each with one that may always come before it.
OUTDONE: Final = (
    ("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE"),
    ("SESSION_ANONYMOUS_AGE", "SESSION_IDLE_AGE"),
    ("SESSION_ANONYMOUS_AGE", "SESSION_ABSOLUTE_AGE"),
)


def is_age(value: Any) -> bool:
    """Return whether ``value`` is a number of seconds that leads to a date."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        datetime.now().astimezone() + timedelta(seconds=value)
    except (OverflowError, ValueError):  # beyond the last year, or no number at all
        return False
    return True


def check_limits(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report limits that are no ages, that renewals come too late for, or that nobody keeps."""
    ages = {name: getattr(conf, name) for name in AGES}
    wrong = [name for name, age in ages.items() if age is not None and not is_age(age)]
    for name in wrong:
        yield _no_age(name, ages[name], AGES[name], "None is no limit.")
    for name in (name for name in AGES if name not in wrong):
        if ages[name] is not None and ages[name] < 1:
            yield Warning(
                f"{name} = {ages[name]!r} ends each session as soon as it is saved.",
                hint=f"Set {name} = {AGES[name]}, or None for no limit.",
                id="dj_sessions.W046",
            )
    if "SESSION_IDLE_AGE" not in wrong:
        yield from _check_renewal(ages["SESSION_IDLE_AGE"])
    if not wrong:
        yield from _check_effect(ages)
    if any(age is not None for age in ages.values()):
        yield from _check_engine()


def _no_age(name: str, value: object, example: str, none: str) -> Error:
    if isinstance(value, str) and value.isdecimal():
        example = value
    elif isinstance(value, timedelta):
        example = str(value // timedelta(seconds=1))
    return Error(
        f"{name} = {value!r} is not a usable number of seconds: no session can be saved.",
        hint=f"Set {name} = {example}: a number of seconds, without quotes. {none}",
        id="dj_sessions.E045",
    )


def _check_effect(ages: dict[str, Any]) -> Messages:
    """Report a limit that another one always comes before."""
    for name, other in OUTDONE:
        age, earlier = ages[name], ages[other]
        if age is not None and earlier is not None and age > earlier >= 1:
            yield Warning(
                f"{name} = {age!r} has no effect: {other} = {earlier!r} ends each session before.",
                hint=f"Set {name} to less than {other}, or leave it out.",
                id="dj_sessions.W051",
            )


def _check_renewal(idle: float | None) -> Messages:
    after = conf.SESSION_RENEW_AFTER
    if after is not None and (not is_age(after) or after < 0):
        none = "None is a tenth of the idle age."
        yield _no_age("SESSION_RENEW_AFTER", after, "60 for a minute", none)
    elif after is not None and idle is not None and after >= idle >= 1:
        yield Warning(
            f"SESSION_RENEW_AFTER = {after!r} is not less than SESSION_IDLE_AGE = {idle!r}: a "
            "session ends while it is in use.",
            hint="Leave SESSION_RENEW_AFTER out: then it is a tenth of the idle age, and a minute "
            "at most.",
            id="dj_sessions.W047",
        )


def _check_engine() -> Messages:
    store = _shared.store_or_none()
    if store is not None and not hasattr(store, "get_remaining"):
        yield Warning(
            f"There are limits for sessions, but the engine {conf.SESSION_ENGINE!r} keeps none.",
            hint="Set SESSION_ENGINE to an engine of 'dj_sessions.backends', or derive your "
            "SessionStore from one.",
            id="dj_sessions.W050",
        )


def check_passive_paths(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report SESSION_PASSIVE_PATHS that are no list of paths, or match no path, or each."""
    paths: Any = conf.SESSION_PASSIVE_PATHS
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str) for path in paths):
        example = paths if isinstance(paths, str) and paths.strip("/") else "/api/news/"
        yield Error(
            f"SESSION_PASSIVE_PATHS = {paths!r} is not a list of strings: pages fail, or no "
            "session is renewed.",
            hint=f"Set SESSION_PASSIVE_PATHS = [{example!r}]: a list, even for one path.",
            id="dj_sessions.E048",
        )
        return
    for path in paths:
        if path in ("", "/") or not path.startswith("/"):
            what = "every path: no session is renewed" if path in ("", "/") else "no path"
            yield Warning(
                f"{path!r} in SESSION_PASSIVE_PATHS matches {what}.",
                hint="Write the beginning of a path, from the '/' after the host on, such as "
                "'/api/news/'.",
                id="dj_sessions.W049",
            )
