"""A process of its own with settings of its own, which obeys commands given as JSON lines.

    python -m tests.interop.worker MODULE

The first line holds the Django settings; every further line holds one command, answered by the
function `do_<command>` of MODULE. MODULE is imported before Django is set up, so that it can
take hold of the clock first.
"""

import json
import sys
import traceback
from importlib import import_module
from typing import Any

from tests.interop.wire import pack, unpack


def configure(settings: dict[str, Any]) -> None:
    if any("mysql" in database["ENGINE"] for database in settings["DATABASES"].values()):
        import pymysql

        pymysql.version_info = (2, 2, 7, "final", 0)
        pymysql.install_as_MySQLdb()

    import django
    from django.conf import settings as django_settings

    django_settings.configure(**settings)
    django.setup()


def obey(commands: Any, request: dict[str, Any]) -> dict[str, Any]:
    command = getattr(commands, "do_" + request.pop("do"))
    try:
        return {"value": command(**request)}
    except Exception as error:  # noqa: BLE001 - whatever a command raises is its answer
        return {
            "error": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__],
            "message": str(error),
            "traceback": traceback.format_exc(),
        }


def main(module: str) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    commands = import_module(module)
    configure(unpack(json.loads(sys.stdin.readline())))
    for line in sys.stdin:
        answer = obey(commands, unpack(json.loads(line)))
        answers.write(json.dumps(pack(answer)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
