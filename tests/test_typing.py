"""What a user's type checker sees: mypy, strict and with django-stubs, over tests/typing/.

Where an error is expected there, a `type: ignore` names it, and mypy reports one that is not
needed.
"""

import os
import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec

import pytest

from tests.fresh import REPOSITORY

SNIPPETS = REPOSITORY / "tests" / "typing"


@pytest.mark.skipif(
    not (find_spec("mypy") and find_spec("mypy_django_plugin")),
    reason="mypy and django-stubs are not installed here; the types step of CI has them",
)
def test_a_user_s_code_type_checks(tmp_path):
    """And so does code written for Django's classes, under either import root."""
    stock = (SNIPPETS / "drop_in.py").read_text().replace("dj_sessions", "django.contrib.sessions")
    (tmp_path / "stock.py").write_text(stock)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", str(SNIPPETS), str(tmp_path / "stock.py")],
        cwd=REPOSITORY,
        env={**os.environ, "VAR_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_package_tells_type_checkers_that_it_is_typed():
    assert files("dj_sessions").joinpath("py.typed").is_file()


def test_every_snippet_says_what_it_is_about():
    for path in SNIPPETS.glob("*.py"):
        assert path.name == "__init__.py" or path.read_text().startswith('"""')
