"""What is downloaded: an environment for each package, and its tests."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from urllib.request import urlopen

import django

import dj_sessions
from tests.third_party.packages import Package

CACHE = Path(__file__).parents[2] / ".cache" / "third_party"
RUNNER = ("pytest", "pytest-django")
CONFIGURATION = ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")


def interpreter(package: Package) -> Path:
    """The Python of an environment with this package, the Django of this run, and our package."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = CACHE / f"{package.name}-{package.version}-py{version}-django{django.get_version()}"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        venv.create(home, clear=True, with_pip=True)
        wanted = [package.requirement, f"django=={django.get_version()}", *RUNNER, *package.needs]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        (home / "complete").touch()
    # Alone in a directory: beside it, our `tests` would take the place of theirs.
    ours = home / "ours"
    ours.mkdir(exist_ok=True)
    (ours / "dj_sessions").unlink(missing_ok=True)
    (ours / "dj_sessions").symlink_to(Path(dj_sessions.__file__).parent)
    return python


def unpack(package: Package, directory: Path) -> Path:
    """The tests and their configuration alone, outside of any project: the package is installed."""
    with tarfile.open(_archive(package)) as tar:
        root = tar.getnames()[0].split("/")[0]
        wanted = (f"{root}/tests/", *(f"{root}/{name}" for name in CONFIGURATION))
        tar.extractall(directory, [m for m in tar if m.name.startswith(wanted)], filter="data")
    return directory / root


def _archive(package: Package) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = CACHE / f"{package.name}-{package.version}.tar.gz"
    if not kept.exists() and package.archive:
        with urlopen(package.archive, timeout=60) as response:
            kept.write_bytes(response.read())
    elif not kept.exists():
        _download(package, kept)
    return kept


def _download(package: Package, kept: Path) -> None:
    only = ["--no-deps", "--no-binary", package.name, f"{package.name}=={package.version}"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(CACHE / "sdist")]
    subprocess.run([*pip, *only], check=True)
    name = f"{package.name.replace('-', '_')}-{package.version}.tar.gz"
    (CACHE / "sdist" / name).rename(kept)
