"""The upstream proof itself: what it swaps, and what it takes as proven."""

import django
import pytest

from tests.upstream import source
from tests.upstream.__main__ import _judge, _report
from tests.upstream.differences import EXPECTED_DIFFERENCES

LISTED = {test: d for test, d in EXPECTED_DIFFERENCES.items() if test.startswith("sessions_tests.")}


def record(**changes):
    as_told = {test: (d.outcome, d.shows) for test, d in LISTED.items()}
    outcomes = {"sessions_tests.tests.T.test_other": ("passed", ""), **as_told}
    outcomes |= changes.pop("outcomes", {})
    ours = {"django": django.__file__, "sessions": "dj_sessions", "count": len(outcomes)}
    return {**ours, "outcomes": outcomes, **changes}


def judge(**changes):
    return _judge("sessions_tests", record(**changes))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from django.contrib.sessions.models import Session", "from dj_sessions.models import "),
        ('SESSION_ENGINE="django.contrib.sessions.backends.file"', '"dj_sessions.backends.file"'),
        ('    "django.contrib.sessions",', '    "dj_sessions",'),
        ('self.assertLogs("django.contrib.sessions", "ERROR")', '("django.contrib.sessions", '),
        ("\"'django.contrib.sessions.middleware.SessionMiddleware' before", "'django.contrib."),
        (
            "from django.core.checks.security import base, csrf, sessions",
            "from django.core.checks.security import base, csrf\n"
            "from dj_sessions.checks import security as sessions",
        ),
    ],
)
def test_names_are_swapped_and_words_are_not(tmp_path, before, after):
    (tmp_path / "runtests.py").write_text(before)
    source.swap(tmp_path, [])
    assert after in (tmp_path / "runtests.py").read_text()


def test_only_the_packages_that_run_are_swapped(tmp_path):
    for path in ("runtests.py", "one/tests.py", "other/tests.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("import django.contrib.sessions")
    assert source.swap(tmp_path, ["one"]) == 2
    assert "django" in (tmp_path / "other/tests.py").read_text()


def test_outcomes_as_told_are_a_proof(capsys):
    assert _report("1.0", [judge()]) == 0
    out = capsys.readouterr().out
    assert f"{len(LISTED) + 1} tests run" in out
    for test, difference in LISTED.items():
        assert test in out
        assert difference.reason in out


@pytest.mark.parametrize("outcome", ["failure", "error", "unexpected success"])
def test_a_test_that_is_not_listed_must_pass(outcome, capsys):
    result = judge(outcomes={"sessions_tests.tests.T.test_other": (outcome, "what was seen")})
    assert _report("1.0", [result]) == 1
    out = capsys.readouterr().out
    assert "sessions_tests.tests.T.test_other" in out
    assert "what was seen" in out


@pytest.mark.parametrize("test", LISTED)
@pytest.mark.parametrize("outcome", ["passed", "skipped", "error"])
def test_a_listed_test_must_differ_as_told(test, outcome):
    assert judge(outcomes={test: (outcome, LISTED[test].shows)}).complaints


def test_a_listed_test_must_show_what_is_told():
    test = next(test for test, difference in LISTED.items() if difference.shows)
    assert judge(outcomes={test: (LISTED[test].outcome, "another failure")}).complaints


@pytest.mark.parametrize(
    "change",
    [{"count": 0}, {"sessions": "django.contrib.sessions"}, {"django": "/elsewhere/__init__.py"}],
)
def test_a_run_of_nothing_or_of_another_package_proves_nothing(change):
    assert judge(**change).complaints


def test_a_listed_test_that_django_no_longer_has_is_reported():
    test = next(iter(LISTED))
    changed = record()
    del changed["outcomes"][test]
    assert any(test in complaint for complaint in _judge("sessions_tests", changed).complaints)
