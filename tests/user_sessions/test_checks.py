"""The checks of the list's settings."""

import io
from unittest import mock

import pytest
from django.core.checks import registry
from django.core.management import CommandError, call_command
from django.test import override_settings

from dj_sessions.user_sessions import table
from dj_sessions.user_sessions.checks import check_table, check_user_sessions
from dj_sessions.user_sessions.models import UserSession

WRONG = [
    ("W085", "SESSION_ENGINE", ["dj_sessions.backends.signed_cookies", "nowhere"]),
    ("W085", "SESSION_ENGINE", ["django.contrib.sessions.backends.db"]),
    ("E086", "SESSION_SEEN_AFTER", ["60", -1, None, True, float("nan"), float("inf")]),
    ("E086", "SESSION_HISTORY_DAYS", ["30", -1, None, 10**12]),
    ("E087", "SESSION_LIMIT_ACTION", ["end", None]),
    ("E089", "SESSION_LIMIT_PER_USER", ["3", "os.name", 0, -1, 1.5, True, []]),
    ("E090", "SESSION_END_ON", ["deletion", None, ["login"], [5], {"deletion"}]),
]
RIGHT = {
    "SESSION_SEEN_AFTER": [0, 1.5],
    "SESSION_HISTORY_DAYS": [0, 400],
    "SESSION_LIMIT_PER_USER": [None, 1, "os.path.join"],
    "SESSION_END_ON": [[], ("permissions",)],
}


def ids():
    return [message.id.removeprefix("dj_sessions.") for message in check_user_sessions(None)]


@pytest.mark.parametrize(("check", "name", "values"), WRONG)
def test_a_wrong_value_is_named_with_what_to_write(check, name, values):
    for value in values:
        with override_settings(**{name: value}):
            [message] = check_user_sessions(None)
            assert message.id == f"dj_sessions.{check}"
            assert repr(value) in message.msg
            assert name in message.hint


def test_the_hint_about_the_history_keeps_one():
    with override_settings(SESSION_HISTORY_DAYS="30"):
        [message] = check_user_sessions(None)
    assert message.hint.startswith("Set SESSION_HISTORY_DAYS = 30 for a month, without quotes")


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_value_is_accepted(name):
    assert ids() == []
    for value in RIGHT[name]:
        with override_settings(**{name: value}):
            assert ids() == []


@pytest.mark.stores(name=("db-sqlite", "db-postgres"))
def test_a_table_that_nobody_has_made_is_said_where_the_database_is_asked(store):
    alias = table.database()
    assert list(check_table(None, databases=[alias])) == []
    with mock.patch.object(UserSession._meta, "db_table", "not_made"):
        assert list(check_table(None)) == list(check_table(None, databases=["other"])) == []
        [message] = check_table(None, databases=[alias])
    assert message.id == "dj_sessions.E120"
    assert "'not_made' is missing" in message.msg
    assert f"migrate dj_user_sessions --database={alias}" in message.hint


def test_the_table_is_looked_for_on_demand_alone():
    """`migrate`, which makes the table, runs the checks of its database before."""
    assert check_table in registry.registry.get_checks(include_deployment_checks=True)
    assert check_table not in registry.registry.get_checks()


@pytest.mark.stores(name=("db-postgres", "redis"))
def test_sessioncheck_finds_it_as_nobody_can_log_in(store):
    out = io.StringIO()
    with (
        mock.patch.object(UserSession._meta, "db_table", "not_made"),
        pytest.raises(CommandError, match="does not work"),
    ):
        call_command("sessioncheck", stdout=out, stderr=out)
    assert "ERROR dj_sessions.E120: The table 'not_made' is missing" in out.getvalue()
