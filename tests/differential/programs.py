"""Random programs: what views, middleware and tests do with a session, and what they should not."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.differential.clock import START
from tests.differential.differences import CORRUPT, do

NAMES = st.sampled_from(["a", "b", "c", "_auth_user_id", "schlüssel", "", 1])
VALUES = st.sampled_from(
    [
        None, True, False, 0, 1, -1.5, "", "text", "0", "worked",
        "\0", "\N{MATHEMATICAL SCRIPT SMALL A}\N{RIGHT-TO-LEFT OVERRIDE}", "x" * 3000,
        [], [1, "two"], {}, {"n": [1, {"x": None}]}, {"1": 1}, {1: "one"}, (1, 2),
    ]
)  # fmt: skip
UNSERIALIZABLE = st.sampled_from([{1, 2}, b"bytes", datetime(2030, 1, 1), timedelta(1), [b"deep"]])
DATA = st.dictionaries(NAMES, VALUES, max_size=3)

KNOWN_KEYS = st.integers(0, 5).map(lambda number: ("key", number))
KEYS = st.one_of(
    KNOWN_KEYS,
    KNOWN_KEYS,
    st.sampled_from(["never0made0but0could0have0been00", "aaaaaaaa", "aaaaaaa", "", None]),
)
IMPOSSIBLE_KEYS = st.sampled_from(["UPPERCASE", "../../../etc", "nul\0nul0nul", "a" * 41, CORRUPT])

MOMENTS = st.sampled_from([-86400, -1, 0, 1, 59, 3600, 86400 * 20]).map(
    lambda seconds: START + timedelta(seconds=seconds)
)
EXPIRIES = st.one_of(
    st.sampled_from([None, 0, 1, 60, 86400 * 30, -1]),
    st.sampled_from([-1, 0, 1, 60, 86400 * 30, 0.5]).map(lambda s: timedelta(seconds=s)),
    MOMENTS,
    MOMENTS.map(lambda moment: moment.replace(tzinfo=None)),
)
EXPIRY_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "modification": MOMENTS,
        "expiry": st.one_of(
            st.sampled_from([None, 0, 10, 86400]), MOMENTS, MOMENTS.map(datetime.isoformat)
        ),
    },
)
PAUSES = st.sampled_from([0.5, 1, 30, 60, 3600, 86400 * 13, 86400 * 14, 86400 * 14 + 1])

SLOTS = st.sampled_from("AAB")
NO_KEYWORDS: SearchStrategy[Any] = st.just({})


def operation(
    name: str,
    *arguments: SearchStrategy[Any],
    kwargs: SearchStrategy[Any] = NO_KEYWORDS,
) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "slot": SLOTS,
            "do": st.just(name),
            "args": st.tuples(*arguments).map(list),
            "kwargs": kwargs,
        }
    )


DICTIONARY = st.one_of(
    operation("__setitem__", NAMES, VALUES),
    operation("__setitem__", NAMES, VALUES),
    operation("__getitem__", NAMES),
    operation("__delitem__", NAMES),
    operation("__contains__", NAMES),
    operation("has_key", NAMES),
    operation("get", NAMES),
    operation("get", NAMES, VALUES),
    operation("pop", NAMES),
    operation("pop", NAMES, VALUES),
    operation("setdefault", NAMES, VALUES),
    operation("update", DATA),
    operation("keys"),
    operation("values"),
    operation("items"),
    operation("clear"),
    operation("set_test_cookie"),
    operation("test_cookie_worked"),
    operation("delete_test_cookie"),
    operation("append", NAMES, VALUES),
)
EXPIRY = st.one_of(
    operation("set_expiry", EXPIRIES),
    operation("get_expiry_age", kwargs=EXPIRY_ARGUMENTS),
    operation("get_expiry_date", kwargs=EXPIRY_ARGUMENTS),
    operation("get_expire_at_browser_close"),
    operation("get_session_cookie_age"),
)
LIFE = st.one_of(
    operation("save"),
    operation("save"),
    operation("save"),
    operation("save", kwargs=st.just({"must_create": True})),
    operation("create"),
    operation("load"),
    operation("reopen"),
    operation("reopen"),
    operation("share"),
    operation("open", KEYS),
    operation("exists", KEYS),
    operation("delete"),
    operation("delete", KEYS),
    operation("flush"),
    operation("cycle_key"),
    operation("clear_expired"),
    operation("assign_key", st.sampled_from(["", None, "short", 0])),
    operation("set_flag", st.sampled_from(["accessed", "modified"]), st.booleans()),
)
LOOKS = st.one_of(
    operation("is_empty"),
    operation("bool"),
    operation("read_key"),
    operation("cache_key"),
    operation("encode_decode", DATA),
)
TIME = operation("advance", PAUSES)

ODD = st.one_of(
    operation("__setitem__", NAMES, UNSERIALIZABLE),
    operation("open", IMPOSSIBLE_KEYS),
    operation("corrupt", st.sampled_from(["", "garbage", CORRUPT, CORRUPT[:20]])),
    operation("exists", IMPOSSIBLE_KEYS),
    operation("delete", IMPOSSIBLE_KEYS),
)

OPERATIONS = st.one_of(DICTIONARY, DICTIONARY, EXPIRY, LIFE, LIFE, LOOKS, TIME, ODD)
SHARED = [do("update", {"a": 1, "b": [1, "two"]}), do("save"), do("share")]
OVER = [do("set_expiry", timedelta(seconds=60)), do("save"), do("advance", 60)]  # at this moment
BEGINNINGS = st.sampled_from(
    [
        [],
        [do("__setitem__", "a", 1), do("save")],
        SHARED,
        [*SHARED, do("__setitem__", "b", 2, slot="B"), do("save", slot="B")],
        [do("set_expiry", 60), do("save"), do("reopen")],
        [*OVER, do("reopen"), do("keys")],
        [*OVER, do("clear_expired")],
    ]
)
# A failure shrinks into the first, the search is in the second.
BODIES = st.one_of(
    st.lists(OPERATIONS, min_size=1, max_size=12),
    st.lists(OPERATIONS, min_size=15, max_size=40),
)
PROGRAMS = st.tuples(BEGINNINGS, BODIES).map(lambda parts: parts[0] + parts[1])

STORE_OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "SESSION_COOKIE_AGE": st.sampled_from([60, 86400]),
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": st.just(True),
        "USE_TZ": st.just(False),
    },
)


REQUESTS = st.fixed_dictionaries(
    {
        "cookie": st.one_of(
            st.just("own"),
            st.just("own"),
            st.just("own"),
            KNOWN_KEYS,
            st.sampled_from(
                [None, "never0made0but0could0have0been00", "short", "short but long enough"]
            ),
        ),
        "operations": st.lists(
            st.one_of(
                DICTIONARY,
                EXPIRY,
                LOOKS,
                TIME,
                operation("save"),
                operation("flush"),
                operation("cycle_key"),
                operation("create"),
                operation("delete"),
                operation("end_elsewhere"),
                operation("change_elsewhere", VALUES),
                operation("set_flag", st.sampled_from(["accessed", "modified"]), st.booleans()),
            ).map(lambda operation: operation | {"slot": "A"}),
            max_size=4,
        ),
        "response": st.fixed_dictionaries(
            {
                "status": st.sampled_from([200, 200, 200, 302, 404, 500, 503]),
                "crash": st.sampled_from([False, False, False, True]),
                "streaming": st.booleans(),
                "vary": st.sampled_from([None, None, "Accept-Language", "cookie", "*"]),
            }
        ),
    }
)
BROWSING = st.lists(REQUESTS, min_size=1, max_size=8)
BROWSING_OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "SESSION_SAVE_EVERY_REQUEST": st.just(True),
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": st.just(True),
        "SESSION_COOKIE_AGE": st.sampled_from([60, 86400]),
        "SESSION_COOKIE_DOMAIN": st.just("testserver"),
        "SESSION_COOKIE_PATH": st.just("/path/"),
        "SESSION_COOKIE_SECURE": st.just(True),
        "SESSION_COOKIE_HTTPONLY": st.just(False),
        "SESSION_COOKIE_SAMESITE": st.sampled_from(["Strict", "None", False]),
        "USE_TZ": st.just(False),
    },
)


def steps(program: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the steps of the requests in the order in which they are observed."""
    for request in program:
        yield {"slot": "A", "do": "arrive", "args": [request["cookie"]], "kwargs": {}}
        yield from request["operations"]
        yield {"slot": "A", "do": "respond", "args": [], "kwargs": request["response"]}
