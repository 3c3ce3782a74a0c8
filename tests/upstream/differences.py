"""Django's tests that cannot hold after the switch, each with the reason.

They are run with all others, and must fail in the way told here: an entry that no longer fails
so is an error, and so is one for which there is no test.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    outcome: str
    shows: str  # a part of the test's report, so that no other failure passes for this one
    reason: str


KEY_IS_SHORTENED = Difference(
    "failure",
    "\u2026",
    "str(Session) shows a shortened key: the whole key is a credential, and str() ends in logs",
)

EXPECTED_DIFFERENCES = {
    "sessions_tests.tests.DatabaseSessionTests.test_session_str": KEY_IS_SHORTENED,
    "sessions_tests.tests.DatabaseSessionWithTimeZoneTests.test_session_str": KEY_IS_SHORTENED,
    "sessions_tests.tests.CustomDatabaseSessionTests.test_session_str": KEY_IS_SHORTENED,
    "sessions_tests.tests.CookieSessionTests.test_actual_expiry": Difference(
        "unexpected success",
        "",
        "Django marks it as a known failure of its signed cookies; ours honour set_expiry()",
    ),
}
