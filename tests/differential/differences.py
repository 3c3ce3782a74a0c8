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
        ours="All three set `accessed`, so the response carries `Vary: Cookie`. "
        "`is_empty()` stays neutral.",
        explains=circumstances.looks_at_key,
        witness=Witness("db", [do("read_key")]),
    ),
    Difference(
        "bool",
        "`bool(session)` means the same on every Django.",
        django="Before 6.1 every session is true, also an empty one.",
        ours="It is `not session.is_empty()` everywhere, as in Django 6.1.",
        explains=circumstances.is_tested_for_truth,
        witness=Witness("db", [do("bool")], until=(6, 1)),
    ),
    Difference(
        "len-and-iter",
        "A session is iterated and measured like the dictionary that it stands for.",
        django="`iter(session)` raises KeyError, `len(session)` TypeError.",
        ours="They are those of the data.",
        explains=circumstances.is_iterated,
        witness=Witness("db", [do("set_test_cookie"), do("iter")]),
    ),
    Difference(
        "impossible-key",
        "A key that no session can have costs no I/O.",
        django="Any text of 8 characters or more is looked up in the store; the file engine "
        "raises InvalidSessionKey for some.",
        ours="Anything but 8 to 40 of `0-9a-z` is as good as no key: nothing is looked up, "
        "and the middleware deletes the cookie at once.",
        explains=circumstances.has_impossible_key,
        witness=Witness("db", [do("open", "UPPERCASE")]),
    ),
    Difference(
        "file-expiry",
        "`set_expiry(<seconds>)` ends a session on the file engine.",
        django="The number is compared with nothing: such a session never ends.",
        ours="It ends that long after it was last saved, as on the other engines.",
        explains=circumstances.outlives_file_expiry,
        witness=Witness(
            "file",
            [do("set_expiry", 60), do("save"), do("advance", 61), do("reopen"), do("items")],
        ),
    ),
    Difference(
        "signed-cookies-expiry",
        "`set_expiry()` ends a session on the signed_cookies engine.",
        django="Only the age of the signature is compared, with SESSION_COOKIE_AGE.",
        ours="The session's own expiry counts, as on the other engines.",
        explains=circumstances.outlives_cookie_expiry,
        witness=Witness(
            "signed_cookies",
            [do("set_expiry", 60), do("save"), do("advance", 61), do("reopen"), do("items")],
        ),
    ),
    Difference(
        "looking-changes-nothing",
        "Looking for a session that is unknown, corrupt or over changes nothing.",
        django="The file engine replaces it with a new empty record, signed_cookies marks the "
        "session as modified and keeps the dead cookie as its key, and `exists(None)` of the "
        "file engine gives the session a key.",
        ours="There is no key, no data, no new record and no mark; what is over stays where it "
        "is until `clear_expired()`.",
        explains=circumstances.looks_in_vain,
        witness=Witness("signed_cookies", [do("open", CORRUPT), do("get", "a")]),
    ),
    Difference(
        "nothing-put-in",
        "A request that puts nothing into the session makes none.",
        django="With SESSION_SAVE_EVERY_REQUEST, a request with the cookie of a session that is "
        "gone gets a new, empty session.",
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
        django="With SESSION_SAVE_EVERY_REQUEST it is answered with status 400.",
        ours="It is answered, and the cookie is deleted.",
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
        django="Saving a session that is gone, or a new one with a value that cannot be stored, "
        "leaves `session_key` naming a record that does not exist, and in the file engine an "
        "empty file.",
        ours="`session_key` is None, or what it was, and nothing is stored.",
        explains=circumstances.fails_to_save,
        witness=Witness("db", [do("open", "never0made0but0could0have0been00"), do("save")]),
    ),
    Difference(
        "unstorable-value",
        "A value that cannot be stored is named.",
        django="A TypeError says that a set is not JSON serializable, but not which one.",
        ours="SessionEncodeError, a TypeError, gives the path inside the session, the type and "
        "the remedy, before anything reaches the store.",
        explains=circumstances.meets_unstorable_value,
        witness=Witness("db", [*SAVED, do("__setitem__", "a", {1, 2}), do("save")]),
    ),
    Difference(
        "expiry-refused-at-once",
        "`set_expiry()` refuses what cannot be compared with the site's times.",
        django="A datetime that is naive where USE_TZ is True, or aware where it is False, is "
        "accepted, and a later request fails on it or misreads it.",
        ours="ValueError at the call, and the session is as before.",
        explains=circumstances.sets_incomparable_expiry,
        witness=Witness("db", [do("set_expiry", circumstances.NAIVE)]),
    ),
    Difference(
        "merge",
        "Requests that change different keys of a session at once keep both changes.",
        django="The last save replaces everything that the session held.",
        ours="It changes the top-level keys that its own request changed; `clear()` and "
        "`flush()` still replace everything. If what the other request saved is over by then, "
        "the save ends in UpdateError. `cycle_key()`, as at login, takes what another request "
        "saved along to the new key.",
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
        "The cached_db engine caches the data as the database gives it back.",
        django="The copy keeps what JSON does not, such as integer keys and tuples, until the "
        "cache forgets it and the same session reads differently.",
        ours="A hit and a miss return the same.",
        explains=circumstances.caches_what_json_changes,
        witness=Witness("cached_db", [do("__setitem__", "a", {1: (2,)}), do("save")]),
    ),
    Difference(
        "cached-in-doubt",
        "The cached_db engine keeps no copy that might be old.",
        django="Whoever saves last writes the copy, also over one that is newer, and also after "
        "a logout.",
        ours="A save finds the cache as the request saw it, or leaves the copy to the next load.",
        explains=circumstances.leaves_copy_to_the_next_load,
        witness=Witness("cached_db", [*SAVED, do("corrupt", "garbage"), do("save")]),
    ),
    Difference(
        "test-cookie",
        "`adelete_test_cookie()` is saved.",
        django="It does not set `modified`, so the test cookie is still there in the next request.",
        ours="It sets `modified`, as `delete_test_cookie()` does.",
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
        django="Any DatabaseError while saving becomes UpdateError, which the middleware "
        "reports as a session that was deleted.",
        ours="It is raised as it is; UpdateError means that the session is gone.",
        explains=circumstances.meets_database_error,
        witness=Witness("db", [*SAVED, do("during_outage", "save")]),
    ),
    Difference(
        "broken-serializer",
        "A serializer with a bug is an error, not an empty session.",
        django="Whatever a serializer raises while reading yields an empty session.",
        ours="Only what unreadable data can cause does; a TypeError, say, is raised.",
        explains=circumstances.meets_broken_serializer,
        witness=Witness("db", [*SAVED, do("with_broken_serializer", "load")]),
    ),
    Difference(
        "fewer-statements",
        "A new session is one INSERT.",
        django="It asks whether the random key is taken and opens a transaction: four statements.",
        ours="The unique constraint tells; one statement.",
        explains=circumstances.counts_statements,
        witness=Witness("db", [do("count_statements", "create")]),
    ),
    Difference(
        "shortened-key",
        "`str()` of a stored session does not give the session away.",
        django="It is the whole session key, shown in the admin and in logs.",
        ours="It is the first six characters and `…`.",
        explains=circumstances.shows_record,
        witness=Witness("db", [do("show_record")]),
    ),
    Difference(
        "secure-deletion",
        "The cookie is deleted with the attributes with which it was set.",
        django="SESSION_COOKIE_SECURE is left out, except with SameSite=None.",
        ours="It is kept.",
        explains=circumstances.deletes_cookie_securely,
        witness=Witness(
            "db",
            [visit(do("set_test_cookie")), visit(do("flush"))],
            {"SESSION_COOKIE_SECURE": True},
            rig="requests",
        ),
    ),
)
