"""What to do about the error of a store."""

from __future__ import annotations

import errno
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, connections, router

from dj_sessions._health.report import Problem
from dj_sessions._health.trial import Unexpected

#: What a disk that is full answers.
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

#: What the clients of Redis and Valkey raise where nobody answers, or Sentinels and a cluster have
#: no master, and what of it is about the user alone.
_UNREACHABLE: Final = {
    *("ConnectionError", "TimeoutError"),
    *("ClusterError", "RedisClusterException", "ValkeyClusterException"),
}
_OF_THE_USER: Final = {"AuthenticationError", "AuthorizationError"}


def problem_of(error: BaseException, store: Any) -> Problem:
    """Return what is wrong where ``store`` has raised ``error``, and the remedy."""
    if isinstance(error, Unexpected):
        return error.problem
    if isinstance(error, ImproperlyConfigured | ImportError):
        return Problem("not-configured", str(error), "Run 'manage.py check'.")
    if isinstance(error, Error):
        return _of_database(error, store)
    if _root(error) in ("redis", "valkey"):
        return _of_redis(error)
    if isinstance(error, OSError):
        return _of_system(error)
    if error.__cause__ is not None:  # a cache wraps what its client raises
        return problem_of(error.__cause__, store)
    return Problem(
        "broken",
        _told(error),
        "The store answers, and refuses a session. Try 'manage.py check', and look at its log.",
    )


def _of_database(error: Error, store: Any) -> Problem:
    model = store.get_model_class() if hasattr(store, "get_model_class") else None
    alias = None if model is None else router.db_for_write(model)
    if model is None or alias is None:
        return Problem("database", _told(error), "Repair the database that the message names.")
    table = model._meta.db_table
    try:
        tables = connections[alias].introspection.table_names()
    except DatabaseError:
        return Problem(
            "unreachable",
            f"The database {alias!r} does not answer: {_told(error)}",
            f"Start it, or correct its address, user and password in DATABASES[{alias!r}].",
        )
    if table not in tables:
        return Problem(
            "missing-table",
            f"The table {table!r} is missing in the database {alias!r}.",
            f"Run 'manage.py migrate --database={alias}', and have the routers allow it there.",
        )
    return Problem(
        "database",
        f"The database {alias!r} refuses a session: {_told(error)}",
        f"Run 'manage.py migrate --database={alias}', and GRANT its user SELECT, INSERT, UPDATE "
        f"and DELETE on {table!r}.",
    )


def _of_redis(error: BaseException) -> Problem:
    # By the names, as which of the clients is installed, and in which release, is up to the site.
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _UNREACHABLE and not names & _OF_THE_USER:
        return Problem("unreachable", _told(error), "Start Redis, or correct its address.")
    if "OutOfMemoryError" in names:
        return Problem("full", _told(error), "Give Redis more memory, or sessions a shorter life.")
    return Problem(
        "refused",
        _told(error),
        "Correct the user and the password, or what the user may do there: the page on Redis has "
        "the commands.",
    )


def _of_system(error: OSError) -> Problem:
    if isinstance(error, PermissionError):
        return Problem(
            "no-permission",
            _told(error),
            "Give the directory of SESSION_FILE_PATH to the user of the server, with mode 0700.",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Problem("no-directory", _told(error), "Create the directory of SESSION_FILE_PATH.")
    if error.errno in _FULL:
        return Problem("full", _told(error), "Make room, and run 'manage.py clearsessions'.")
    return Problem(
        "unreachable", _told(error), "Start the server, or correct its address in the settings."
    )


def _root(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return sentence if text.endswith("?") else f"{sentence}."
