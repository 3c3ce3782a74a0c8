"""Django's own tests, from its source distribution, with the import root swapped."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"

# The package's name, where it is a name that a site changes when it switches. It stays
# - in quotes inside a longer string: the words of an error message of Django's;
# - as the name of a logger, which is Django's in both packages.
# Salts and cache prefixes, which are Django's in both packages too, do not occur in these tests.
NAME = re.compile(r"(?<!['\w.])(?<!assertLogs\(\")django\.contrib\.sessions(?!\w)")

# Django keeps its checks of the session cookie in its core. The package has its own, with the same
# functions and constants, and they are asked the same questions.
CHECKS = re.compile(r"^(from django\.core\.checks\.security import .*), sessions$", re.MULTILINE)
OUR_CHECKS = r"\1\nfrom dj_sessions.checks import security as sessions"


def fetch(version: str) -> Path:
    """The source distribution of this Django version, by pip and its configuration."""
    kept = CACHE / f"django-{version}.tar.gz"
    if not kept.exists():
        what = ["--no-binary", ":all:", "--no-deps", f"django=={version}"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(CACHE)]
        subprocess.run([*pip, *what], check=True)
    return kept


def unpack(archive: Path, directory: Path) -> Path:
    """Django's directory of tests, alone: the Django that runs them is the installed one."""
    with tarfile.open(archive) as tar:
        root = tar.getnames()[0].split("/")[0]
        tests = [member for member in tar if member.name.startswith(f"{root}/tests/")]
        tar.extractall(directory, members=tests, filter="data")
    return directory / root / "tests"


def swap(tests: Path, packages: list[str]) -> int:
    """Change the import root in these packages and in runtests.py; the number of names changed."""
    changed = 0
    modules = [path for package in packages for path in (tests / package).rglob("*.py")]
    for path in [tests / "runtests.py", *modules]:
        text, names = NAME.subn("dj_sessions", path.read_text())
        text, checks = CHECKS.subn(OUR_CHECKS, text)
        if names + checks:
            path.write_text(text)
        changed += names + checks
    return changed
