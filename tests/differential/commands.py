"""The commands of the worker processes of these tests."""

import warnings
from typing import Any

import django
from django.core.management import call_command

from tests.differential.clock import clock

clock.install()
# Programs do what Django warns about: odd cache keys, naive times.
warnings.simplefilter("ignore")


def do_prepare() -> str:
    """Make the tables; tell which Django this is."""
    call_command("migrate", verbosity=0)
    return django.get_version()


def do_run(rig: str, **arguments: Any) -> Any:
    """Run a program in one of the two rigs: `stores` or `requests`."""
    from tests.differential import requests, stores

    return {"stores": stores.run, "requests": requests.run}[rig](**arguments)
