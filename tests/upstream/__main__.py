"""Run Django's own tests, of the Django version installed here, on dj_sessions.

    python -m tests.upstream            sessions_tests
    python -m tests.upstream --slow     and the other packages that use sessions
    python -m tests.upstream --narrow   and these but for the two that take longest
    python -m tests.upstream auth_tests csrf_tests

The exit code is 0 when every test comes out as it does on Django's package, or as it is told in
differences.py. SQLite only, as Django's own default: the contract tests run on the other servers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import django

import dj_sessions
from tests.upstream import runner, source
from tests.upstream.differences import EXPECTED_DIFFERENCES

QUICK = ["sessions_tests"]
# The longest first, as they are run side by side.
LONGEST = ["auth_tests", "admin_views"]
NARROW = [
    *("migrations", "view_tests", "servers", "messages_tests", "test_client"),
    *("test_client_regress", "csrf_tests", "flatpages_tests", "middleware", "check_framework"),
    *("admin_checks", "admin_default_site", "deprecation", "apps"),
]
SLOW = LONGEST + NARROW
SETTINGS = """\
from test_sqlite import *
SESSION_ENGINE = "dj_sessions.backends.db"
TEST_RUNNER = "upstream_runner.Runner"
"""
FINE = ("passed", "skipped", "expected failure")


@dataclass(frozen=True)
class Result:
    package: str
    outcomes: dict[str, tuple[str, str]]
    complaints: list[str]


def main() -> int:
    options = _arguments()
    packages = options.packages or [*options.others, *QUICK]
    version = django.get_version()
    with tempfile.TemporaryDirectory(prefix="dj_sessions_upstream_") as directory:
        tests = source.unpack(source.fetch(version), Path(directory))
        names = source.swap(tests, packages)
        (tests / "upstream_settings.py").write_text(SETTINGS)
        shutil.copy(runner.__file__ or "", tests / "upstream_runner.py")
        print(f"Django {version}, its own tests on {Path(dj_sessions.__file__).parent}")
        print(f"{names} names changed from django.contrib.sessions to dj_sessions")
        with ThreadPoolExecutor(options.parallel) as pool:
            results = list(pool.map(lambda package: _run(tests, package), packages))
    return _report(version, results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description=__doc__)
    parser.add_argument("packages", nargs="*", help="Django's test packages to run")
    others = parser.add_mutually_exclusive_group()
    for option, those in {"--slow": SLOW, "--narrow": NARROW}.items():
        words = f"also {', '.join(those)}"
        others.add_argument(option, dest="others", action="store_const", const=those, help=words)
    parser.set_defaults(others=[])
    parser.add_argument("--parallel", type=int, default=2, help="packages side by side")
    return parser.parse_args()


def _run(tests: Path, package: str) -> Result:
    record = tests / f"{package}.json"
    # One process and one in-memory database a package; runtests.py's own processes could not
    # hand a failure back without a library for pickled tracebacks.
    command = [sys.executable, "runtests.py", "--settings=upstream_settings", "--parallel=1"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")},
        "PYTHONPATH": str(Path(dj_sessions.__file__).parents[1]),
        "UPSTREAM_RECORD": str(record),
    }
    done = subprocess.run(
        [*command, "--noinput", package],
        cwd=tests,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if not record.exists():
        return Result(package, {}, [f"{package} did not run:\n{done.stdout}{done.stderr}"])
    return _judge(package, json.loads(record.read_text()))


def _judge(package: str, record: dict) -> Result:
    """What came out otherwise than on Django's package, and was not told in differences.py."""
    outcomes = record["outcomes"]
    told = {i: d for i, d in EXPECTED_DIFFERENCES.items() if i.split(".")[0] == package}
    complaints = [
        f"{test}: {outcome}\n{report}"
        for test, (outcome, report) in outcomes.items()
        if outcome not in FINE and test not in told
    ]
    for test, difference in told.items():
        outcome, report = outcomes.get(test, ("no such test", ""))
        if outcome != difference.outcome or difference.shows not in report:
            asked = f"{difference.outcome!r} showing {difference.shows!r}"
            complaints.append(f"{test}: told to be a {asked}, but it is: {outcome}\n{report}")
    if not record["count"]:
        complaints.append(f"{package}: no test was run")
    if record["sessions"] != "dj_sessions":
        complaints.append(f"{package}: the sessions app was {record['sessions']}")
    if record["django"] != django.__file__:
        complaints.append(f"{package}: ran on the Django in {record['django']}")
    print(f"  {package}: {_counts(outcomes)}", flush=True)
    return Result(package, outcomes, complaints)


def _counts(outcomes: dict[str, tuple[str, str]]) -> str:
    counts = Counter(outcome for outcome, _ in outcomes.values())
    each = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    return f"{len(outcomes)} tests run: {each}"


def _report(version: str, results: list[Result]) -> int:
    outcomes = {test: outcome for result in results for test, outcome in result.outcomes.items()}
    complaints = [complaint for result in results for complaint in result.complaints]
    for complaint in complaints:
        print(f"\nNOT AS TOLD: {complaint}")
    differing = [test for test in EXPECTED_DIFFERENCES if test in outcomes]
    print(f"\nDjango {version}: {_counts(outcomes)}")
    print(f"{len(differing)} differ from Django's package, as told in differences.py:")
    for difference, tests in groupby(differing, EXPECTED_DIFFERENCES.__getitem__):
        print(f"- {difference.reason} ({difference.outcome}):")
        for test in tests:
            print(f"    {test}")
    print(f"FAILED: {len(complaints)} not as told" if complaints else "OK")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
