"""Where dj_sessions deliberately behaves differently from Django.

The differential tests allow these differences, each in its circumstances alone, and prove that
each is real: the program `witness` shows it. The documentation shows the same list.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.differential import circumstances
from tests.differential.circumstances import Seen


@dataclass(frozen=True)
class Witness:
    """A program in which the difference shows."""

    engine: str
    program: list[dict[str, Any]]
    overrides: dict[str, Any] = field(default_factory=dict)
    rig: str = "stores"
    mode: str = "sync"
    until: tuple[int, int] | None = None
    """The version of Django that ended the difference by doing the same."""


@dataclass(frozen=True)
class Difference:
    id: str
    sentence: str
    django: str
    ours: str
    explains: Callable[[Seen], bool]
    """Whether something that was seen is this difference, and nothing else."""
    witness: Witness


def do(name: str, *args: Any, slot: str = "A", **kwargs: Any) -> dict[str, Any]:
    """An operation of a program."""
    return {"slot": slot, "do": name, "args": list(args), "kwargs": kwargs}


def visit(*operations: dict[str, Any], cookie: Any = "own", **response: Any) -> dict[str, Any]:
    """A request of a program."""
    usual = {"status": 200, "crash": False, "streaming": False, "vary": None}
    return {"cookie": cookie, "operations": list(operations), "response": usual | response}


SAVED = [do("__setitem__", "a", 1), do("save")]
CORRUPT = "{}:1abcde:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

DELIBERATE_DIFFERENCES = (
    Difference(
        "key-is-access",
        "What a response says after looking at the session's key depends on the session.",
        django="`session.session_key`, `bool(session)` and `session.load()` leave `accessed` as "
        "it was, so a shared cache may hand one visitor's page to another.",
        ours="All three set `accessed`, so the response carries `Vary: Cookie`. `is_empty()` "
        "leaves `accessed` as it was.",
        explains=circumstances.looks_at_key,
        witness=Witness("db", [do("read_key")]),
    ),
    Difference(
        "bool",
        "`bool(session)` means the same on every Django.",
        django="Before 6.1, every session is true, even an empty one.",
        ours="`bool(session)` is `not session.is_empty()` on every version, as in Django 6.1.",
        explains=circumstances.is_tested_for_truth,
        witness=Witness("db", [do("bool")], until=(6, 1)),
    ),
    Difference(
        "len-and-iter",
        "`iter()` and `len()` of a session are those of its data.",
        django="`iter(session)` raises KeyError, and `len(session)` raises TypeError.",
        ours="`iter(session)` yields the keys of the data, and `len(session)` counts them.",
        explains=circumstances.is_iterated,
        witness=Witness("db", [do("set_test_cookie"), do("iter")]),
    ),
    Difference(
        "impossible-key",
        "A key that no session can have costs no I/O.",
        django="The store is asked for any text of 8 characters or more; the file engine raises "
        "InvalidSessionKey for some of them.",
        ours="A key is 8 to 40 characters of `0-9a-z`. Anything else counts as no key: the store "
        "is not asked, and the middleware deletes the cookie at once.",
        explains=circumstances.has_impossible_key,
        witness=Witness("db", [do("open", "UPPERCASE")]),
    ),
    Difference(
        "file-expiry",
        "`set_expiry(<seconds>)` ends a session on the file engine.",
        django="The file engine never checks the number of seconds: such a session never ends.",
        ours="The session ends that many seconds after it was last saved, as on the other engines.",
        explains=circumstances.outlives_file_expiry,
        witness=Witness(
            "file",
            [do("set_expiry", 60), do("save"), do("advance", 61), do("reopen"), do("items")],
        ),
    ),
    Difference(
        "signed-cookies-expiry",
        "`set_expiry()` ends a session on the signed_cookies engine.",
        django="Only the age of the signature counts. It is compared with SESSION_COOKIE_AGE.",
        ours="The session's own expiry counts, as on the other engines.",
        explains=circumstances.outlives_cookie_expiry,
        witness=Witness(
            "signed_cookies",
            [do("set_expiry", 60), do("save"), do("advance", 61), do("reopen"), do("items")],
        ),
    ),
    Difference(
        "looking-changes-nothing",
        "Looking up a session that is unknown, corrupt or expired changes nothing.",
        django="The file engine replaces it with a new empty record. signed_cookies marks the "
        "session as modified and keeps the dead cookie as its key. `exists(None)` of the file "
        "engine gives the session a key.",
        ours="The session has no key and no data, nothing is stored, and `modified` stays as it "
        "was. What has expired stays in the store until `clear_expired()` removes it.",
        explains=circumstances.looks_in_vain,
        witness=Witness("signed_cookies", [do("open", CORRUPT), do("get", "a")]),
    ),
    Difference(
        "nothing-put-in",
        "A request that stores nothing in the session creates none.",
        django="With SESSION_SAVE_EVERY_REQUEST, a request whose cookie names a session that no "
        "longer exists gets a new, empty session.",
        ours="The cookie is deleted.",
        explains=circumstances.puts_nothing_in,
        witness=Witness(
            "db",
            [visit(cookie="never0made0but0could0have0been00")],
            {"SESSION_SAVE_EVERY_REQUEST": True},
            rig="requests",
        ),
    ),
    Difference(
        "renewal-interrupts-nobody",
        "A request that changed nothing does not fail because another one ended the session.",
        django="With SESSION_SAVE_EVERY_REQUEST, the request gets an error: status 400.",
        ours="The request gets its normal response, and the cookie is deleted.",
        explains=circumstances.renews_what_another_request_ended,
        witness=Witness(
            "db",
            [visit(do("set_test_cookie")), visit(do("keys"), do("end_elsewhere"))],
            {"SESSION_SAVE_EVERY_REQUEST": True},
            rig="requests",
        ),
    ),
    Difference(
        "failed-save-leaves-nothing",
        "A save that fails leaves neither a key nor a record behind.",
        django="After a failed save, `session_key` names a record that does not exist; on the "
        "file engine there is also an empty file. This happens when the session is gone, or when "
        "a new one holds a value that cannot be stored.",
        ours="`session_key` is None, or what it was before, and nothing is stored.",
        explains=circumstances.fails_to_save,
        witness=Witness("db", [do("open", "never0made0but0could0have0been00"), do("save")]),
    ),
    Difference(
        "unstorable-value",
        "The error for a value that cannot be stored says where the value is.",
        django="The TypeError says that a set is not JSON serializable, but not which one.",
        ours="SessionEncodeError, a TypeError, gives the path inside the session, the type and "
        "the remedy. It is raised before anything reaches the store.",
        explains=circumstances.meets_unstorable_value,
        witness=Witness("db", [*SAVED, do("__setitem__", "a", {1, 2}), do("save")]),
    ),
    Difference(
        "expiry-refused-at-once",
        "`set_expiry()` refuses what cannot be compared with the site's times.",
        django="`set_expiry()` accepts a naive datetime where USE_TZ is True, and an aware one "
        "where it is False. A later request fails on it or misreads it.",
        ours="`set_expiry()` raises ValueError, and the session stays as it was.",
        explains=circumstances.sets_incomparable_expiry,
        witness=Witness("db", [do("set_expiry", circumstances.NAIVE)]),
    ),
    Difference(
        "merge",
        "Requests that change different keys of a session at once keep both changes.",
        django="The last save replaces everything in the session.",
        ours="A save writes only the top-level keys that its own request changed; `clear()` and "
        "`flush()` still replace everything. If the session as the other request saved it has "
        "expired by then, the save raises UpdateError. `cycle_key()`, as at login, takes the "
        "other request's changes along to the new key.",
        explains=circumstances.saves_over_another_save,
        witness=Witness(
            "db",
            [
                *SAVED,
                do("share"),
                do("__setitem__", "b", 2, slot="B"),
                do("save", slot="B"),
                do("__setitem__", "c", 3),
                do("save"),
            ],
        ),
    ),
    Difference(
        "cached-copy",
        "The cached_db engine caches the data as the database returns it.",
        django="The cached copy keeps integer keys and tuples, which JSON cannot hold. When the "
        "cache drops the copy, the same session reads differently.",
        ours="A cache hit and a cache miss return the same data.",
        explains=circumstances.caches_what_json_changes,
        witness=Witness("cached_db", [do("__setitem__", "a", {1: (2,)}), do("save")]),
    ),
    Difference(
        "cached-in-doubt",
        "The cached_db engine keeps no copy that might be old.",
        django="The last save writes the cached copy, even over a newer one and even after a "
        "logout.",
        ours="A save writes the copy only if the cache is still as the request saw it. Otherwise "
        "the next load writes it.",
        explains=circumstances.leaves_copy_to_the_next_load,
        witness=Witness("cached_db", [*SAVED, do("corrupt", "garbage"), do("save")]),
    ),
    Difference(
        "test-cookie",
        "`adelete_test_cookie()` is saved.",
        django="`adelete_test_cookie()` does not set `modified`, so the test cookie is still "
        "there in the next request.",
        ours="`adelete_test_cookie()` sets `modified`, as `delete_test_cookie()` does.",
        explains=circumstances.deletes_test_cookie,
        witness=Witness(
            "db",
            [do("set_test_cookie"), do("save"), do("reopen"), do("delete_test_cookie")],
            mode="async",
        ),
    ),
    Difference(
        "storage-errors",
        "An error of the database is not a logout.",
        django="Any DatabaseError during a save becomes UpdateError, which the middleware reports "
        "as a deleted session.",
        ours="The DatabaseError is raised as it is. UpdateError means that the session is gone.",
        explains=circumstances.meets_database_error,
        witness=Witness("db", [*SAVED, do("during_outage", "save")]),
    ),
    Difference(
        "broken-serializer",
        "A serializer with a bug is an error, not an empty session.",
        django="Any error that a serializer raises while reading gives an empty session.",
        ours="Only the errors that unreadable data can cause give an empty session. Others, such "
        "as a TypeError, are raised.",
        explains=circumstances.meets_broken_serializer,
        witness=Witness("db", [*SAVED, do("with_broken_serializer", "load")]),
    ),
    Difference(
        "fewer-statements",
        "A new session is one INSERT.",
        django="Creating a session takes four statements: it checks that the random key is free "
        "and opens a transaction.",
        ours="Creating a session takes one statement. The unique constraint reports a key that is "
        "taken.",
        explains=circumstances.counts_statements,
        witness=Witness("db", [do("count_statements", "create")]),
    ),
    Difference(
        "shortened-key",
        "`str()` of a stored session shows only the start of its key.",
        django="`str()` is the whole session key, which the admin and logs then show.",
        ours="`str()` is the first six characters of the key and `…`.",
        explains=circumstances.shows_record,
        witness=Witness("db", [do("show_record")]),
    ),
    Difference(
        "secure-deletion",
        "The cookie is deleted with the attributes with which it was set.",
        django="The response that deletes the cookie leaves SESSION_COOKIE_SECURE out, except "
        "with SameSite=None.",
        ours="The response that deletes the cookie keeps it.",
        explains=circumstances.deletes_cookie_securely,
        witness=Witness(
            "db",
            [visit(do("set_test_cookie")), visit(do("flush"))],
            {"SESSION_COOKIE_SECURE": True},
            rig="requests",
        ),
    ),
)
