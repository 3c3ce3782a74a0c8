"""A system in FIPS mode, whose Python has no BLAKE2, or one that raises."""

import pytest

from tests.fresh import run

ABSENT = "del hashlib.blake2b, hashlib.blake2s"
RAISING = """
def refuse(*args, **options):
    raise ValueError("_blake2 is not available in FIPS mode")

hashlib.blake2b = hashlib.blake2s = refuse
"""

USE = """
from importlib import import_module

from django.conf import settings
from django.core.management import call_command

call_command("migrate", verbosity=0)
Store = import_module(settings.SESSION_ENGINE).SessionStore
session = Store()
session["colour"] = "green"
session.save()
print([Store(session.session_key).get("colour") for _ in range(2)])
"""


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file", "signed_cookies"])
@pytest.mark.parametrize("lack", [ABSENT, RAISING], ids=["absent", "raising"])
def test_each_engine_works_without_blake2(engine, lack, tmp_path):
    printed = run(
        f"import hashlib\n{lack}\nimport django\ndjango.setup()\n{USE}",
        setup=False,
        INSTALLED_APPS=["dj_sessions"],
        SESSION_ENGINE=f"dj_sessions.backends.{engine}",
        SESSION_FILE_PATH=str(tmp_path),
    )
    assert printed == "['green', 'green']\n"
