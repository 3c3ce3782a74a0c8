"""The command that serves the demo site: what it prints, and how it starts, fails and stops."""

from __future__ import annotations

import argparse
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from testproject import environment as site_environment
from testproject.management.commands.demo import address
from tests.browser.demo import Demo, environment, manage
from tests.patience import PATIENCE

INTERFACES = ("wsgi", "asgi")


def refused(var_dir: Path, *arguments: str, **choices: str) -> str:
    """What manage.py says as it fails."""
    result = subprocess.run(
        manage(*arguments),
        env=environment(var_dir, **choices),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode != 0, result.stdout
    return result.stderr


@pytest.mark.parametrize("interface", INTERFACES)
def test_it_serves_its_style_sheet_and_ends_on_sigterm_as_on_ctrl_c(tmp_path, interface):
    demo = Demo(tmp_path, interface)
    demo.start()
    with urllib.request.urlopen(
        demo.url + "/static/testproject/site.css", timeout=PATIENCE
    ) as answer:
        assert answer.headers["Content-Type"].startswith("text/css")
    demo.stop(signal.SIGTERM)


def test_what_it_writes_is_in_its_folder_and_kept_over_a_restart(tmp_path):
    var_dir = tmp_path / "new" / "var"

    def secrets():
        return [(var_dir / name).read_text() for name in ("secret_key", "demo_password")]

    with Demo(var_dir) as demo:
        first = secrets()
        demo.restart()
        assert secrets() == first
        assert demo.password == first[1]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert var_dir.stat().st_mode & 0o777 == 0o700
    written = {path.name for path in var_dir.iterdir()}
    assert written == {"secret_key", "demo_password", "db.sqlite3", "sessions"}


@pytest.mark.parametrize("option", [[], ["--asgi"]], ids=INTERFACES)
def test_a_port_in_use_is_one_line_that_says_so(tmp_path, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path, "demo", f"127.0.0.1:{port}", *option)
    assert said.startswith(f"CommandError: Cannot listen on 127.0.0.1:{port}: the port is in use;")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("8001", ("127.0.0.1", 8001)),
        (":8001", ("127.0.0.1", 8001)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("site.example:8001", ("site.example", 8001)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_an_address_is_a_port_or_host_and_port(text, meaning):
    assert address(text) == meaning


@pytest.mark.parametrize("text", ["", "nowhere", "127.0.0.1:", "127.0.0.1:65536", "\u0661"])
def test_what_is_no_address_is_named(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a port or host:port") as refusal:
        address(text)
    assert repr(text) in str(refusal.value)


def test_the_command_line_refuses_what_is_no_address(tmp_path):
    assert "'nowhere' is not a port or host:port" in refused(tmp_path, "demo", "nowhere")


def test_a_database_that_does_not_answer_is_one_line(tmp_path):
    url = f"sqlite:///{tmp_path}/no/such/folder/db.sqlite3"
    said = refused(tmp_path, "demo", "127.0.0.1:0", DATABASE_URL=url)
    assert said == "CommandError: The database cannot be used: unable to open database file\n"


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("SESSION_ENGINE", "databse", "db, cache, cached_db, file, signed_cookies"),
        ("DATABASE_URL", "db.sqlite3", "sqlite:///"),
        ("CACHE_URL", "redis", "redis://host:port/number"),
        ("DEBUG", "perhaps", "1, true, yes, 0, false, no"),
    ],
)
def test_a_bad_choice_is_named_with_what_is_accepted(tmp_path, name, value, accepted):
    said = refused(tmp_path, "demo", **{name: value})
    assert said.startswith(f"CommandError: {name}={value!r} is not understood. Accepted: ")
    assert accepted in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "package", "said"),
    [
        ("DATABASE_URL", "postgresql:///site", "psycopg[binary]", "PostgreSQL"),
        ("DATABASE_URL", "mariadb://root@127.0.0.1/site", "pymysql", "MariaDB or MySQL"),
        ("CACHE_URL", "redis://127.0.0.1/1", "redis", "redis"),
        ("CACHE_URL", "django-redis://127.0.0.1/1", "django-redis", "django-redis"),
        ("CACHE_URL", "memcached://127.0.0.1", "pymemcache", "memcached"),
    ],
)
def test_a_driver_that_is_missing_is_named(monkeypatch, name, value, package, said):
    read = {"DATABASE_URL": site_environment.database, "CACHE_URL": site_environment.cache}[name]
    monkeypatch.setattr(site_environment, "find_spec", lambda name: None)
    expected = f"{name} names {said}, whose driver is not installed: pip install {package}"
    with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(expected)}$"):
        read(value)


@pytest.mark.parametrize("name", ["demo_password", "secret_key"])
@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_file_of_a_secret_is_named_with_the_remedy(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    said = refused(tmp_path, "demo", "127.0.0.1:0")
    assert said == (
        f"CommandError: {tmp_path / name} is empty. Delete it: the next start makes a new one.\n"
    )
    if name == "demo_password":  # it came to the database, and has made no user in it
        assert not (tmp_path / "db.sqlite3").exists()


@pytest.mark.parametrize(("debug", "is_warned_of"), [("1", True), ("0", False)])
def test_serving_all_addresses_is_warned_of(tmp_path, debug, is_warned_of):
    with Demo(tmp_path, host="0.0.0.0", DEBUG=debug) as demo:
        assert demo.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(demo.url + "/login/", timeout=PATIENCE) as answer:
            assert answer.status == 200
    assert "WARNING: 0.0.0.0 can be reached from other machines." in demo.output
    assert "the password above is a superuser" in demo.output
    assert ("DEBUG is on" in demo.output) is is_warned_of


def test_serving_this_machine_alone_is_not_warned_of(tmp_path):
    with Demo(tmp_path) as demo:
        pass
    assert "WARNING" not in demo.output


@pytest.mark.parametrize("scheme", ["redis", "django-redis"])
def test_neither_the_error_page_nor_the_console_shows_a_password(tmp_path, scheme):
    url = f"{scheme}://visitor:open%2Fsesame@127.0.0.1:1/1"
    demo = Demo(tmp_path, SESSION_ENGINE="cache", CACHE_URL=url)
    demo.start()
    try:
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(demo.url, timeout=PATIENCE)
        page = failed.value.read().decode()
    finally:
        demo.kill()
    assert "ConnectionError" in page
    assert "CONNECTION_POOL_KWARGS" in page or "OPTIONS" in page
    assert not re.search("open(/|%2F|%252F)sesame", page + demo.output)


def test_a_database_that_refuses_a_login_does_not_show_its_password(tmp_path):
    url = "postgresql://visitor:open%2Fsesame@127.0.0.1:1/site"
    said = refused(tmp_path, "demo", "127.0.0.1:0", DATABASE_URL=url)
    assert said.startswith("CommandError: The database cannot be used: ")
    assert "sesame" not in said
