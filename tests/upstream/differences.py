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

DJANGO_S_CHECKS_FALL_SILENT = Difference(
    "failure",
    "Lists differ: [] != [",
    "security.W010-W015 look for Django's literal names; the checks of dj_sessions speak instead",
)

OUR_CHECKS_SPEAK_UP = Difference(
    "failure",
    "has no model to keep sessions in",
    "the test takes every session app out of INSTALLED_APPS, and dj_sessions.E007 says so",
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
    "admin_checks.tests.SystemChecksTestCase.test_checks_are_performed": OUR_CHECKS_SPEAK_UP,
    "admin_checks.tests.SystemChecksTestCase.test_custom_adminsite": OUR_CHECKS_SPEAK_UP,
    **{
        f"check_framework.test_security.CheckSessionCookie{test}": DJANGO_S_CHECKS_FALL_SILENT
        for test in (
            "SecureTest.test_session_cookie_secure_with_installed_app",
            "SecureTest.test_session_cookie_secure_with_installed_app_truthy",
            "SecureTest.test_session_cookie_secure_with_middleware",
            "SecureTest.test_session_cookie_secure_both",
            "HttpOnlyTest.test_session_cookie_httponly_with_installed_app",
            "HttpOnlyTest.test_session_cookie_httponly_with_installed_app_truthy",
            "HttpOnlyTest.test_session_cookie_httponly_with_middleware",
            "HttpOnlyTest.test_session_cookie_httponly_both",
        )
    },
}
