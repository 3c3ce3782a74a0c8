"""What is aimed at, as ratios ours / Django's. For reading: nothing is asserted."""

from __future__ import annotations

_SERVER = {"load": 0.40, "create": 0.60, "save": 0.60, "cycle_key": 0.60, "flush": 0.60}
_SQLITE = {"load": 0.30, "create": 0.35, "save": 0.35, "cycle_key": 0.35, "flush": 0.35}
_REDIS = {"load": 1.0, "create": 0.60, "save": 0.60}

RATIOS: dict[tuple[str, str], dict[str, float]] = {
    ("db", "sqlite"): _SQLITE,
    ("db", "postgres"): _SERVER,
    ("db", "mariadb"): _SERVER,
    ("cache", "redis"): _REDIS,
    ("cache", "django_redis"): _REDIS,
    ("redis", "redis"): {"load": 0.60, "save": 0.60},
    ("codec", "small"): {"encode": 0.75, "decode": 0.60},
    ("codec", "large"): {"encode": 0.75, "decode": 0.60},
}
FAST_JSON = 0.40
ADDED_TO_A_REQUEST = 0.50
MEMORY = 1.0


def of(group: str, store: str, operation: str) -> str:
    """The target, in words."""
    if group == "requests":
        return _of_request(operation)
    if group == "memory":
        return at_most(MEMORY)
    if group == "codec" and "(FastJSONSerializer)" in operation:
        return "" if "length" in operation else at_most(FAST_JSON)
    ratio = RATIOS.get((group, store), {}).get(operation)
    return "" if ratio is None else at_most(ratio)


def _of_request(operation: str) -> str:
    if operation in ("ASGI×32 untouched", "ASGI-middleware untouched"):
        return "a few µs"
    return "" if "untouched" in operation else at_most(ADDED_TO_A_REQUEST)


def at_most(ratio: float) -> str:
    return f"≤ {ratio:.2f}"
