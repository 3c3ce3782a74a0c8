from __future__ import annotations

import argparse
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import DatabaseError, connections
from django.utils.crypto import get_random_string

from testproject.environment import kept

USER = "demo"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another one

# Where all addresses are served, this machine's own is one.
OWN_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named, to be warned of

Address = tuple[str, int]
Listening = tuple[int, Callable[[], None]]  # the port, and what serves it until interrupted


def address(text: str) -> Address:
    """`8000`, `127.0.0.1:8000` or `[::1]:8000`; port 0 is any free one."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port or host:port")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_this_machine_s_own(host: str) -> bool:
    """Whether nobody else reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Command(BaseCommand):
    help = "Migrates, creates the demo user, and serves the demo site until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "addrport",
            nargs="?",
            type=address,
            default="127.0.0.1:8000",
            help="port or host:port; port 0 takes a free one (default: %(default)s)",
        )
        parser.add_argument(
            "--asgi",
            action="store_true",
            help="serve under uvicorn instead of Django's WSGI development server",
        )

    def handle(self, *args: Any, addrport: Address, asgi: bool, **options: Any) -> None:
        # A container sends SIGTERM, and a shell starts background jobs with SIGINT ignored:
        # both shall stop the site as Ctrl-C does.
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, signal.default_int_handler)
        try:
            port, serve = self.listen(addrport, listen_asgi if asgi else listen_wsgi)
            password = self.prepare()
            self.announce(addrport[0], port, password, "uvicorn (ASGI)" if asgi else "WSGI")
            if not is_this_machine_s_own(addrport[0]):
                self.warn_of_strangers(addrport[0])
            serve()
        except KeyboardInterrupt:
            self.stdout.write("\nStopped.")

    def listen(self, addrport: Address, listen_on: Callable[[Address], Listening]) -> Listening:
        try:
            return listen_on(addrport)
        except OSError as error:
            reason = error.strerror
            if error.errno == errno.EADDRINUSE:
                reason = (
                    "the port is in use; name another one, or any that is free: manage.py demo 0"
                )
            raise CommandError(f"Cannot listen on {shown(*addrport)}: {reason}.") from error

    def prepare(self) -> str:
        """Bring the database up to date, and return the password of the demo user in it."""
        path = settings.VAR_DIR / "demo_password"
        try:
            password = kept(path, lambda: get_random_string(10, LETTERS))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        try:
            call_command("migrate", verbosity=0, interactive=False)
            user, created = get_user_model()._default_manager.get_or_create(
                username=USER, defaults={"is_staff": True, "is_superuser": True}
            )
            # Setting a password ends the user's sessions, so only where it is another one.
            if created or not user.check_password(password):
                user.set_password(password)
                user.save()
        except DatabaseError as error:
            reason = " ".join(str(error).split())
            raise CommandError(f"The database cannot be used: {reason}") from error
        connections.close_all()
        return password

    def announce(self, host: str, port: int, password: str, server: str) -> None:
        at = shown(OWN_ADDRESSES.get(host, host), port)
        self.stdout.write(
            f"Sessions: {settings.SESSION_ENGINE}\n"
            f"Log in:   {USER} / {password}\n"
            f"Open:     {self.style.SUCCESS(f'http://{at}/')}\n"
            f"Served by {server}; Ctrl-C stops it."
        )
        self.stdout.flush()

    def warn_of_strangers(self, host: str) -> None:
        debug = "DEBUG is on, and error pages show code and settings: DEBUG=0 turns it off.\n"
        self.stderr.write(
            f"WARNING: {host} can be reached from other machines.\n"
            f"Whoever has the password above is a superuser here: tell it to nobody.\n"
            f"{debug if settings.DEBUG else ''}"
            f"Only the names in ALLOWED_HOSTS are answered: {', '.join(settings.ALLOWED_HOSTS)}.",
            self.style.WARNING,
        )


def listen_wsgi(addrport: Address) -> Listening:
    from testproject.wsgi import application

    server = ThreadedWSGIServer(addrport, WSGIRequestHandler, ipv6=":" in addrport[0])
    server.set_app(StaticFilesHandler(application))
    return server.server_port, server.serve_forever


def listen_asgi(addrport: Address) -> Listening:
    try:
        import uvicorn
    except ImportError as error:
        raise CommandError(
            "--asgi needs uvicorn, which is not installed: pip install -e '.[demo]'"
        ) from error
    from testproject.asgi import application

    family = socket.AF_INET6 if ":" in addrport[0] else socket.AF_INET
    listener = socket.create_server(addrport, family=family)
    config = uvicorn.Config(
        ASGIStaticFilesHandler(application), lifespan="off", timeout_graceful_shutdown=3
    )
    return listener.getsockname()[1], lambda: uvicorn.Server(config).run(sockets=[listener])
