"""Run the tests against the installed package: `python -m tests.installed [pytest's arguments]`.

They run in a copy of the tree without the package's own directory, so that what is imported can
only come from site-packages; tests/conftest.py refuses to start if it does not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"dj_sessions", ".git", ".tox", ".venv", ".cache", "build", "dist"}


def _left_out(directory: str, names: list[str]) -> set[str]:
    unwanted = {name for name in names if name.endswith("_cache") or name == "__pycache__"}
    return unwanted | (LEFT_OUT & set(names) if Path(directory) == ROOT else set())


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dj_sessions_installed_") as directory:
        shutil.copytree(ROOT, directory, ignore=_left_out, dirs_exist_ok=True)
        command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
        environment = {**os.environ, "REQUIRE_INSTALLED": "1"}
        return subprocess.run(command, cwd=directory, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
