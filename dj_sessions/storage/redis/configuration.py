"""What SESSION_REDIS may hold: found wrong without connecting, by checks and at the first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from django.utils.module_loading import import_string

#: Of these there is one: it says where Redis is.
PLACES: Final = ("URL", "CLUSTER", "SENTINEL", "CLIENT")
NAMES: Final = (*PLACES, "ASYNC_CLIENT", "OPTIONS", "PREFIX")
PREFIX: Final = "dj_sessions:"
SCHEMES: Final = ("redis", "rediss", "unix")

#: Options of redis-py that this package sets itself, or that an address says, and why not there.
RESERVED: Final = {
    **dict.fromkeys(("host", "port", "path", "unix_socket_path"), "The address says it"),
    **dict.fromkeys(("connection_pool", "single_connection_client"), "Threads share the client"),
    **dict.fromkeys(("decode_responses", "encoding", "encoding_errors"), "Sessions are bytes"),
    **dict.fromkeys(("retry", "retry_on_error", "retry_on_timeout"), "Write 'retries': 2"),
    **dict.fromkeys(("startup_nodes", "url"), "The address says it"),
}
#: Those of a cluster that may at most have a value that counts as false; "db" not even that.
RESERVED_OF_CLUSTER: Final = {
    "db": "A cluster has no databases but 0",
    **dict.fromkeys(("read_from_replicas", "load_balancing_strategy"), "Replicas may be behind"),
}
#: Options that are seconds, or None for no limit.
SECONDS: Final = ("socket_timeout", "socket_connect_timeout", "health_check_interval")
#: Of these zero leaves no time for anything.
TIMEOUTS: Final = ("socket_timeout", "socket_connect_timeout")
#: Options that are whole numbers, and the least of each.
NUMBERS: Final = {"retries": 0, "max_connections": 1}


class Problem(NamedTuple):
    """What is wrong, what to do about it, and the number of the check.

    No text has a value in it that may be a password, or have one in it.
    """

    what: str
    hint: str
    id: str


def prefix_of(config: Any) -> str:
    """Return what the names of the entries begin with."""
    return str(config.get("PREFIX", PREFIX))


def place_of(config: Any) -> dict[str, Any]:
    """Return where the server is, and how to talk to it; nothing if the settings are none."""
    if not isinstance(config, Mapping):
        return {}
    return {name: value for name, value in config.items() if name != "PREFIX"}


def copy_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that stays as it is when the settings are changed in place."""
    return {
        name: dict(value)
        if isinstance(value, Mapping)
        else list(value)
        if isinstance(value, list)
        else value
        for name, value in config.items()
    }


def nodes(places: Any) -> list[tuple[str, int]]:
    """Return hosts and ports of ``"host:port"`` or ``(host, port)``; raises ValueError."""
    return [_node(place) for place in places]


def _node(place: Any) -> tuple[str, int]:
    host, port = place.rsplit(":", 1) if isinstance(place, str) else place
    if not host or {"/", "@"} & set(str(host)) or not 0 < int(port) < 65536:
        raise ValueError(f"{place!r} is not a host and port")
    return str(host).strip("[]"), int(port)


def problems(config: Any) -> Iterator[Problem]:
    """Yield what is wrong with a SESSION_REDIS, the first thing first."""
    if not isinstance(config, Mapping):
        kind = "None" if config is None else f"of type {type(config).__name__}"
        yield _wrong_form(f"SESSION_REDIS is {kind}, not a dictionary that says where Redis is")
        return
    given = [name for name in PLACES if name in config]
    if len(given) != 1:
        which = " and ".join(given) or "none"
        yield _wrong_form(f"SESSION_REDIS must have one of {', '.join(PLACES)}; it has {which}")
    for name in config:
        if name not in NAMES:
            yield _wrong_form(f"SESSION_REDIS has {name!r}, which is none of {', '.join(NAMES)}")
    for name in given:
        yield from CHECKS[name](config)
    if "CLIENT" not in given and "ASYNC_CLIENT" in config:
        yield _wrong_form("SESSION_REDIS has an ASYNC_CLIENT without a CLIENT")
    if "CLIENT" in given and "OPTIONS" in config:
        yield _wrong_option("SESSION_REDIS has OPTIONS beside CLIENT", " Your functions set them.")
    options = config.get("OPTIONS", {})
    yield from _in_options(options)
    if "CLUSTER" in given and isinstance(options, Mapping):
        yield from _in_options_of_cluster(options)
    prefix = config.get("PREFIX", PREFIX)
    if not isinstance(prefix, str) or not prefix:
        yield Problem(
            f"SESSION_REDIS['PREFIX'] = {prefix!r} is not a text that sets session keys apart",
            f"Leave PREFIX out, which makes it {PREFIX!r}, or write such a text.",
            "dj_sessions.E074",
        )


def _wrong_form(what: str) -> Problem:
    hint = "Write SESSION_REDIS = {'URL': 'redis://127.0.0.1:6379/0'} for a server on this machine."
    return Problem(what, hint, "dj_sessions.E070")


def _in_url(config: Mapping[str, Any]) -> Iterator[Problem]:
    url = config["URL"]
    why = _why_no_url(url)
    if why:
        yield Problem(
            f"SESSION_REDIS['URL'] is not an address of a Redis: {why}",
            "Write redis://host:6379/0, rediss://… for TLS, or unix:///path/to/redis.sock?db=0. In "
            "a password write %2F for a slash, and so on: urllib.parse.quote(password, safe='').",
            "dj_sessions.E071",
        )


def _why_no_url(url: Any) -> str:
    """Return what is wrong with a URL, empty if nothing is.

    Where it ends too early, what seems to be a port or a path is the password.
    """
    if not isinstance(url, str):
        return "it is not a string"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "its host or its port cannot be read"
    if parts.scheme not in SCHEMES:
        return f"its scheme is {parts.scheme!r}, not one of {', '.join(SCHEMES)}"
    if parts.scheme == "unix":
        return "" if parts.path else "it has no path"
    number = parts.path.strip("/")
    if not parts.hostname:
        return "it has no host"
    return "" if not number or number.isdecimal() else "its path is not a number of a database"


def _in_cluster(config: Mapping[str, Any]) -> Iterator[Problem]:
    if not _are_nodes(config["CLUSTER"]):
        yield Problem(
            "SESSION_REDIS['CLUSTER'] is not a list of hosts and ports",
            "Name some nodes, such as ['10.0.0.1:6379', '10.0.0.2:6379']; a password is one of "
            "the OPTIONS.",
            "dj_sessions.E072",
        )


def _in_sentinel(config: Mapping[str, Any]) -> Iterator[Problem]:
    wanted = config["SENTINEL"]
    known = {"SENTINELS", "SERVICE", "OPTIONS"}
    fits = (
        isinstance(wanted, Mapping)
        and {"SENTINELS", "SERVICE"} <= set(wanted) <= known
        and _are_nodes(wanted["SENTINELS"])
        and isinstance(wanted["SERVICE"], str)
        and isinstance(wanted.get("OPTIONS", {}), Mapping)
    )
    if not fits:
        yield Problem(
            "SESSION_REDIS['SENTINEL'] does not say which service of which Sentinels",
            "Write {'SENTINELS': ['10.0.0.1:26379', …], 'SERVICE': 'mymaster'}.",
            "dj_sessions.E072",
        )
        return
    yield from _in_options(wanted.get("OPTIONS", {}), "['SENTINEL']['OPTIONS']")


def _are_nodes(places: Any) -> bool:
    try:
        return isinstance(places, list | tuple) and bool(nodes(places))
    except (TypeError, ValueError, AttributeError):
        return False


def _in_client(config: Mapping[str, Any]) -> Iterator[Problem]:
    for name in ("CLIENT", "ASYNC_CLIENT"):
        path = config.get(name)
        try:
            fits = isinstance(path, str) and callable(import_string(path))
            why = "not a dotted path of a function"
        except ImportError as error:
            fits, why = False, f"no function: {error}"
        if not fits:
            yield Problem(
                f"SESSION_REDIS[{name!r}] = {path!r} is {why}",
                "Name two functions, CLIENT and ASYNC_CLIENT, that return a redis.Redis and a "
                "redis.asyncio.Redis.",
                "dj_sessions.E073",
            )


def _in_options(options: Any, where: str = "['OPTIONS']") -> Iterator[Problem]:
    if not isinstance(options, Mapping):
        yield _wrong_option(f"SESSION_REDIS{where} is not a dictionary", "")
        return
    for name, value in options.items():
        place = f"SESSION_REDIS{where}[{name!r}]"
        if name in RESERVED:
            yield _wrong_option(f"{place} cannot be set", f" {RESERVED[name]}.")
        elif name in SECONDS and not (value is None or _is_number(value)):
            yield _wrong_option(f"{place} = {value!r} is not a number of seconds", "")
        elif name in TIMEOUTS and value == 0:
            yield _wrong_option(f"{place} = {value!r} leaves no time", " None is no limit.")
        elif name in NUMBERS and not _is_whole(value, NUMBERS[name]):
            what = f"{place} = {value!r} is not a whole number from {NUMBERS[name]} on"
            yield _wrong_option(what, "")


def _in_options_of_cluster(options: Mapping[str, Any]) -> Iterator[Problem]:
    for name, why in RESERVED_OF_CLUSTER.items():
        if options.get(name) or (name == "db" and name in options):
            what = f"SESSION_REDIS['OPTIONS'][{name!r}] cannot be set for a CLUSTER"
            yield _wrong_option(what, f" {why}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and _is_number(value) and value >= least


def _wrong_option(what: str, more: str) -> Problem:
    hint = f"OPTIONS are those of redis-py's client, such as {{'socket_timeout': 1}}.{more}"
    return Problem(what, hint, "dj_sessions.E075")


CHECKS: Final = {
    "URL": _in_url,
    "CLUSTER": _in_cluster,
    "SENTINEL": _in_sentinel,
    "CLIENT": _in_client,
}
