"""Run the tests of packages that use sessions: on Django's sessions, and on ours with the list on.

    python -m tests.third_party                  all of them
    python -m tests.third_party django-axes      some of them

The exit code is 0 when every test comes out on ours as it does on Django's, and each package has
tests that pass. SQLite only. Packages and their tests are downloaded once, into .cache/third_party.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import django

import dj_sessions
from tests.third_party import places, site
from tests.third_party.packages import PACKAGES, Package


def main() -> int:
    names = {package.name: package for package in PACKAGES}
    parser = argparse.ArgumentParser(prog="python -m tests.third_party", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="NAME", help=", ".join(names))
    chosen = parser.parse_args().packages or list(names)
    if unknown := set(chosen) - names.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))} among {', '.join(names)}")
    print(f"Django {django.get_version()}, on {Path(dj_sessions.__file__).parent}")
    complaints = [complaint for name in chosen for complaint in compare(names[name])]
    for complaint in complaints:
        print(f"\nNOT AS ON DJANGO: {complaint}")
    print(f"FAILED: {len(complaints)} not as on Django" if complaints else "OK")
    return 1 if complaints else 0


def compare(package: Package) -> list[str]:
    """What comes out otherwise on our sessions."""
    python = places.interpreter(package)
    with tempfile.TemporaryDirectory(prefix="dj_sessions_third_party_") as directory:
        tests = places.unpack(package, Path(directory))
        theirs = site.run(package, python, tests, site.DJANGO)
        ours = site.run(package, python, tests, site.OURS)
    print(f"  {package.requirement}: on Django's {_counts(theirs)}; on ours {_counts(ours)}")
    return judge(package.name, theirs, ours)


def judge(name: str, theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Compare the outcomes of the same tests."""
    pairs = {test: (theirs.get(test), ours.get(test)) for test in sorted(theirs | ours)}
    complaints = [
        f"{name}: {test}: {on_theirs or 'not run'} on Django's, {on_ours or 'not run'} on ours"
        for test, (on_theirs, on_ours) in pairs.items()
        if on_theirs != on_ours
    ]
    if "passed" not in ours.values():
        complaints.append(f"{name}: no test has passed")
    return complaints


def _counts(outcomes: dict[str, str]) -> str:
    counts = Counter(outcomes.values())
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
