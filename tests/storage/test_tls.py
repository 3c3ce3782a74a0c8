"""The engine for Redis over TLS, with a server that wants to know its clients."""

from __future__ import annotations

import pytest
import redis
import trustme
from django.test import override_settings

from dj_sessions.backends.redis import SessionStore
from tests import redis_servers
from tests.redis_servers import PATIENT


@pytest.fixture
def options():
    """OPTIONS with which the server lets clients in."""
    _, home = redis_servers.needed(redis_servers.encrypted)
    return PATIENT | {
        "ssl_ca_certs": str(home / "ca.pem"),
        "ssl_certfile": str(home / "cert.pem"),
        "ssl_keyfile": str(home / "key.pem"),
    }


def over_tls(options):
    port, _ = redis_servers.encrypted()
    return override_settings(
        SESSION_REDIS={"URL": f"rediss://127.0.0.1:{port}/0", "OPTIONS": options}
    )


def test_sessions_are_kept(mode, options):
    with over_tls(options):
        first = mode.wrap(SessionStore())
        first.set("colour", "green")
        first.create()
        one, other = (mode.wrap(SessionStore(first.session_key)) for _ in range(2))
        one.set("one", 1)
        other.set("other", 2)
        one.save()
        other.save()
        found = mode.wrap(SessionStore(first.session_key))
        assert dict(found.items()) == {"colour": "green", "one": 1, "other": 2}
        found.flush()
        assert not mode.wrap(SessionStore()).exists(first.session_key)


def test_a_server_with_a_certificate_of_somebody_else_is_not_trusted(mode, options, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with (
        over_tls(options | {"ssl_ca_certs": str(tmp_path / "other.pem")}),
        pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        mode.wrap(SessionStore("k" * 32)).load()


@pytest.mark.parametrize("left_out", [("ssl_certfile", "ssl_keyfile"), ("ssl_ca_certs",)])
def test_who_brings_no_certificate_reaches_nothing(mode, options, left_out):
    """That is an error of the server, and no missing session."""
    kept = {name: value for name, value in options.items() if name not in left_out}
    with over_tls(kept), pytest.raises(redis.ConnectionError):
        mode.wrap(SessionStore("k" * 32)).load()
