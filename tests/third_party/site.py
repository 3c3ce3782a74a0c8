"""A package's tests under its own settings, with the names of sessions swapped or not."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.third_party.packages import Package

DJANGO = "django.contrib.sessions"
OURS = "dj_sessions"

#: Written beside a package's tests. What its settings say of sessions is swapped, nothing else.
SETTINGS = """\
from {settings} import *

def _swapped(names):
    return [name.replace("django.contrib.sessions", "{root}") for name in names]

INSTALLED_APPS = _swapped(INSTALLED_APPS)
MIDDLEWARE = _swapped(MIDDLEWARE)
SESSION_ENGINE = globals().get("SESSION_ENGINE", "django.contrib.sessions.backends.db").replace(
    "django.contrib.sessions", "{root}"
)
if "{root}" == "dj_sessions":
    INSTALLED_APPS += ["dj_sessions.user_sessions"]
"""


def run(package: Package, python: Path, tests: Path, root: str) -> dict[str, str]:
    """Run them; the outcome of each test."""
    name = f"settings_on_{root.replace('.', '_')}"
    (tests / f"{name}.py").write_text(SETTINGS.format(settings=package.settings, root=root))
    report = tests / f"{name}.xml"
    # Their options ask for coverage, and warnings are theirs to look at.
    options = ["-q", "-Wignore", "-o", "addopts=", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [python, "-m", "pytest", "tests", *options, f"--ds={name}", f"--junit-xml={report}"],
        cwd=tests,
        env=_environment(python),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = outcomes(ElementTree.parse(report).getroot()) if report.exists() else {}
    if "passed" not in found.values():
        print(done.stdout, done.stderr)
    return found


def _environment(python: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    own.pop("PYTEST_ADDOPTS", None)
    return own | {"PYTHONPATH": str(python.parents[1] / "ours")}


def outcomes(suite: ElementTree.Element) -> dict[str, str]:
    """The outcomes in a report of pytest's."""
    found = {}
    for case in suite.iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        test = f"{case.get('classname')}::{case.get('name')}"
        found[test] = min(kinds, default="passed")
    return found
