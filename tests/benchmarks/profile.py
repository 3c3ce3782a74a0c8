"""Where the time of one operation goes: `python -m tests.benchmarks.profile STORE SUBJECT …`

    python -m tests.benchmarks.profile db-sqlite "stores load" "stores save"
    python -m tests.benchmarks.profile cache-redis "stores load" --side django

The profiler makes each Python call slower, and C code not: the shares of short functions are too
high. What they were without it is told beside the sum.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.benchmarks.pairs import Pair, pair_on
from tests.stores import CASES

SECONDS = 0.2
LINES = 18


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile")
    parser.add_argument("store", choices=[case.name for case in CASES])
    parser.add_argument("subjects", nargs="+", metavar="SUBJECT", help='such as "stores load"')
    parser.add_argument("--side", choices=("ours", "django"), default="ours")
    chosen = parser.parse_args(arguments)
    (case,) = [case for case in CASES if case.name == chosen.store]
    if case.missing:
        parser.error(case.missing)
    with pair_on(case) as pair:
        for subject in chosen.subjects:
            _tell(pair, chosen.side, subject)
    return 0


def _tell(pair: Pair, side: str, subject: str) -> None:
    group, name = subject.split(" ", 1)
    told = getattr(pair, side).ask("profile", group=group, name=name, seconds=SECONDS)
    print(f"\n{subject}, {side}: {told['plain']:.1f} µs, under the profiler {told['total']:.1f} µs")
    for heading, lines in told["lists"].items():
        print(f"\n  {heading:>16}  share  calls  function")
        for microseconds, calls, function in lines[:LINES]:
            share = microseconds / told["total"]
            print(f"  {microseconds:13.1f} µs  {share:5.0%}  {calls:5.1f}  {function}")


if __name__ == "__main__":
    sys.exit(main())
