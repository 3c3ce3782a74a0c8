"""Which values each setting takes: what another one breaks, or does unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.core.checks import Error, Warning  # noqa: A004

from dj_sessions._http.cookie_values import (
    is_domain,
    is_name,
    is_path,
    is_samesite,
    is_site_data,
)
from dj_sessions.checks._shared import AppConfigs, Messages
from dj_sessions.checks.limits import is_age
from dj_sessions.conf import conf

#: Seconds.
DAY: Final = 86400


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a setting accepts, what else would happen, and what to write instead."""

    setting: str
    accepts: Callable[[Any], bool]
    problem: str
    hint: str
    id: str


def _is_duration(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= DAY


def _is_flag(value: Any) -> bool:
    return value in (True, False, None)  # 1 and 0 equal them


RULES: Final = (
    Rule(
        setting="SESSION_COOKIE_AGE",
        accepts=is_age,
        problem="is not a usable number of seconds: no session can be saved",
        hint="Set SESSION_COOKIE_AGE = 1209600 for two weeks: a number, without quotes.",
        id="dj_sessions.E025",
    ),
    Rule(
        setting="SESSION_COOKIE_AGE",
        accepts=lambda value: bool(value >= 1),
        problem="ends each session as soon as it is saved",
        hint="Set SESSION_COOKIE_AGE = 1209600 for two weeks. For a cookie that lasts until the "
        "browser closes, set SESSION_EXPIRE_AT_BROWSER_CLOSE.",
        id="dj_sessions.W026",
    ),
    Rule(
        setting="SESSION_COOKIE_NAME",
        accepts=is_name,
        problem="is not a valid cookie name: the session cookie cannot be set",
        hint="Set SESSION_COOKIE_NAME = 'sessionid', or another name of letters, digits, '-' "
        "and '_'.",
        id="dj_sessions.E027",
    ),
    Rule(
        setting="SESSION_COOKIE_SAMESITE",
        accepts=is_samesite,
        problem="is not a value of SameSite: the session cookie cannot be set",
        hint="Set SESSION_COOKIE_SAMESITE = 'Lax', 'Strict', 'None', or False for none.",
        id="dj_sessions.E029",
    ),
    Rule(
        setting="SESSION_COOKIE_DOMAIN",
        accepts=is_domain,
        problem="is not a domain name: browsers refuse the session cookie",
        hint="Set SESSION_COOKIE_DOMAIN = None for the host that sets the cookie, or a bare name "
        "such as 'example.com', without 'https://' and port.",
        id="dj_sessions.W030",
    ),
    Rule(
        setting="SESSION_COOKIE_PATH",
        accepts=is_path,
        problem="is not a path that begins with '/': browsers send the cookie only below the "
        "page that set it",
        hint="Set SESSION_COOKIE_PATH = '/', or a path such as '/shop/'.",
        id="dj_sessions.W031",
    ),
    Rule(
        setting="SESSION_CONFLICT_TIMEOUT",
        accepts=_is_duration,
        problem=f"is not a number of seconds from 0 to {DAY}: a save that meets a conflict fails "
        "or never ends",
        hint="Set SESSION_CONFLICT_TIMEOUT = 10 for ten seconds: a number, without quotes.",
        id="dj_sessions.W036",
    ),
    Rule(
        setting="SESSION_COPY_FORMAT",
        accepts=lambda value: value in ("django", "compact"),
        problem="is neither 'django' nor 'compact', and counts as 'django'",
        hint="Set SESSION_COPY_FORMAT = 'compact' where no server runs Django's own engine any "
        "more, or leave it out.",
        id="dj_sessions.W043",
    ),
    Rule(
        setting="SESSION_COOKIE_TOO_LARGE",
        accepts=lambda value: value in ("error", "warning"),
        problem="is neither 'error' nor 'warning', and counts as 'error'",
        hint="Set SESSION_COOKIE_TOO_LARGE = 'warning', or leave it out.",
        id="dj_sessions.W067",
    ),
    Rule(
        setting="SESSION_CLEAR_SITE_DATA",
        accepts=is_site_data,
        problem="is not what a browser can be told to clear: a logout clears nothing, or fails",
        hint="Set SESSION_CLEAR_SITE_DATA = 'cookies', 'storage', 'cache', '*' or a list of these, "
        "without quotes inside the quotes.",
        id="dj_sessions.E068",
    ),
    *(
        Rule(
            setting=setting,
            accepts=_is_flag,
            problem="is neither True nor False, and counts as {truth}",
            hint=f"Set {setting} = True or {setting} = False, without quotes.",
            id="dj_sessions.W032",
        )
        for setting in (
            "SESSION_ADMIN_PANEL",
            "SESSION_COOKIE_HTTPONLY",
            "SESSION_COOKIE_NO_STORE",
            "SESSION_COOKIE_PARTITIONED",
            "SESSION_COOKIE_SECURE",
            "SESSION_ENCRYPTION_ACCEPT_PLAIN",
            "SESSION_EXPIRE_AT_BROWSER_CLOSE",
            "SESSION_FILE_FSYNC",
            "SESSION_HEALTH_FULL",
            "SESSION_SAVE_EVERY_REQUEST",
        )
    ),
)


def check_values(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report values that a setting does not take; of each setting, what stands first above."""
    reported = set()
    for rule in RULES:
        value = getattr(conf, rule.setting)
        if rule.setting in reported or rule.accepts(value):
            continue
        reported.add(rule.setting)
        kind = Error if ".E" in rule.id else Warning
        problem = rule.problem.format(truth=bool(value))
        yield kind(f"{rule.setting} = {value!r} {problem}.", hint=rule.hint, id=rule.id)
