"""The test runner that Django's runtests.py is told to use: it writes down each test's outcome.

A copy of this file stands beside runtests.py while it runs.
"""

import json
import os
import unittest
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.test.runner import DiscoverRunner


class Recording(unittest.TextTestResult):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, tuple[str, str]] = {}

    def note(self, test: unittest.TestCase, outcome: str, report: str = "") -> None:
        self.outcomes[test.id()] = (outcome, report)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.note(test, "passed")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.note(test, "failure", self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.note(test, "error", self.errors[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            kept = self.failures if failed else self.errors
            self.note(test, "failure" if failed else "error", kept[-1][1])

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test, "unexpected success")


class Runner(DiscoverRunner):
    def get_resultclass(self) -> type[Recording]:
        return Recording

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        # Read before the tests, some of which change the apps.
        sessions = apps.get_app_config("sessions").name
        result = super().run_suite(suite, **kwargs)
        record = {
            "django": django.__file__,
            "sessions": sessions,
            "count": result.testsRun,
            "outcomes": result.outcomes,
        }
        Path(os.environ["UPSTREAM_RECORD"]).write_text(json.dumps(record))
        return result
