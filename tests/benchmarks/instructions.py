"""How many instructions of the interpreter an operation takes, in one checkout beside others.

    python -m tests.benchmarks.instructions . ../before

They are counted one by one, so neither the machine nor what else runs on it makes a difference.
Each checkout needs the packages of this interpreter. The operation is to open, change and save a
session, on SQLite in memory or in the memory of the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ENGINES = ("db", "cache", "cached_db")
CODE = """
import sys
from importlib import import_module
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x" * 50,
    INSTALLED_APPS=["dj_sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_ENGINE=f"dj_sessions.backends.{sys.argv[1]}",
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore
session = SessionStore()
session["colour"] = "green"
session.save()
count = 0
def watch(frame, event, argument):
    global count
    frame.f_trace_opcodes, frame.f_trace_lines = True, False
    count += event == "opcode"
    return watch
def visit(number):
    again = SessionStore(session.session_key)
    again["visits"] = number
    again.save()
for number in range(1000, 1010):  # of which the first make what the others find
    count = 0
    sys.settrace(watch)
    visit(number)
    sys.settrace(None)
print(count)
"""


def count(checkout: Path, engine: str) -> int:
    """The instructions of one operation."""
    told = subprocess.check_output(
        [sys.executable, "-c", CODE, engine],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout.resolve()), "PYTHONHASHSEED": "0"},
        text=True,
    )
    return int(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="+", type=Path)
    checkouts = parser.parse_args().checkouts
    for engine in ENGINES:
        for checkout in checkouts:
            print(f"{engine:10} {count(checkout, engine):7,} {checkout}", flush=True)


if __name__ == "__main__":
    main()
