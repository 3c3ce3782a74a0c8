"""The circumstances of each deliberate difference: is what was seen this difference?

Each function looks at one place in which the two sides differ and says yes only where its
difference explains it. What none of them explains is a defect.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.differential.compare import ABSENT, NOT_LOADED, Observation, Seen
from tests.interop.wire import pack, unpack

NAIVE = datetime(2031, 5, 18, 10, 20, 30)  # as a careless view computes it: without a time zone

KEY = re.compile("[0-9a-z]{8,40}")
EXPIRY = "_session_expiry"


# What the step was about


def does(seen: Seen, *names: str) -> bool:
    """Tell whether the step is one of these operations."""
    return seen.step["do"] in names


def argument(seen: Seen) -> Any:
    return unpack(seen.step["args"][0]) if seen.step["args"] else None


def store_in(observation: Observation, seen: Seen) -> dict[str, Any]:
    """The store object with which the step worked, as it was seen then."""
    return observation["stores"].get(seen.step["slot"], {}) if observation else {}


def key_used(seen: Seen) -> Any:
    """The key under which the step looked for its session."""
    return store_in(seen.before, seen).get("key")


def record_used(seen: Seen) -> dict[str, Any]:
    return seen.before["records"].get(key_used(seen), {}) if seen.before else {}


def found_nothing(seen: Seen) -> bool:
    """Tell whether, for us, there was no session under the key that the step used."""
    looked = key_used(seen) is not None or does(seen, "load")
    return looked and store_in(seen.ours_after, seen).get("key") is None


def about_store(seen: Seen, *fields: str) -> bool:
    return seen.place[0] == "stores" and seen.place[-1] in fields


# The differences


def looks_at_key(seen: Seen) -> bool:
    if seen.place[-1] == "Vary":
        sides = seen.before, seen.ours_before
        accessed = [store_in(side, seen)["accessed"] for side in sides]
        return accessed == [False, True] and "Cookie" in seen.ours
    looks = does(seen, "read_key", "bool", "load") and about_store(seen, "accessed")
    return looks and (seen.django, seen.ours) == (False, True)


def is_tested_for_truth(seen: Seen) -> bool:
    return (
        seen.experiment.version < (6, 1)
        and does(seen, "bool")
        and seen.place[-1] == "returns"
        and (seen.django, seen.ours) == (True, False)
    )


def is_iterated(seen: Seen) -> bool:
    return does(seen, "iter", "len")


def has_impossible_key(seen: Seen) -> bool:
    if seen.experiment.engine == "signed_cookies":
        return False
    if does(seen, "arrive", "open"):
        return impossible(argument(seen)) and about_store(seen, "key", "empty")
    if does(seen, "exists", "delete") and seen.experiment.engine == "file":
        return impossible(argument(seen)) and seen.place[0] == "outcome"
    return False


def impossible(key: Any) -> bool:
    return isinstance(key, str) and key != "own" and not KEY.fullmatch(key)


def looks_in_vain(seen: Seen) -> bool:
    engine = seen.experiment.engine
    if engine == "file" and does(seen, "exists") and argument(seen) is None:
        return seen.place[0] == "outcome" or about_store(seen, "key", "empty")
    if engine == "file":
        return is_over(record_used(seen), seen) and replaced_by_django(seen)
    if engine != "signed_cookies" or not found_nothing(seen):
        return False
    if about_store(seen, "modified"):
        return (seen.django, seen.ours) == (True, False)
    if seen.place[0] == "records":  # the dead cookie
        return seen.ours == ABSENT
    return about_store(seen, "key", "empty") and seen.ours in (None, True)


def is_over(record: dict[str, Any], seen: Seen) -> bool:
    """Tell whether a session has ended as Django's file engine sees it."""
    if not record:
        return False
    expiry = record.get("data", {}).get(EXPIRY)
    if isinstance(expiry, str):  # a part of a second left is none
        return timestamp(expiry) - seen.after["now"] < 1
    if expiry:
        return bool(expiry < 0)
    default = seen.experiment.overrides.get("SESSION_COOKIE_AGE", 1209600)
    return bool(seen.after["now"] >= record["written"] + default)


def timestamp(expiry: str) -> float:
    moment = datetime.fromisoformat(expiry)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def replaced_by_django(seen: Seen) -> bool:
    """Tell whether Django's file engine made a new record in place of the one of the step."""
    records = seen.after["records"]
    return key_used(seen) not in records and len(records) >= len(seen.before["records"])


def puts_nothing_in(seen: Seen) -> bool:
    if not does(seen, "respond"):
        return False
    if seen.place[:2] == ("outcome", "cookies"):
        made = seen.django != ABSENT and is_new_and_empty(seen.django["value"], seen)
        return made and (seen.ours == ABSENT or is_deletion(seen.ours))
    made = seen.place[0] == "records" and is_new_and_empty(seen.place[1], seen)
    return (made and seen.ours == ABSENT) or is_left_for_clearing(seen)


def is_deletion(cookie: Any) -> bool:
    return bool(cookie != ABSENT and cookie["max-age"] == 0)


def renews_what_another_request_ended(seen: Seen) -> bool:
    renews = seen.experiment.overrides.get("SESSION_SAVE_EVERY_REQUEST", False)
    if not renews or not does(seen, "respond") or store_in(seen.before, seen)["modified"]:
        return False
    statuses = seen.after["outcome"]["status"], seen.ours_after["outcome"]["status"]
    cookies = seen.ours_after["outcome"]["cookies"].values()
    return statuses[0] == 400 and statuses[1] != 400 and all(map(is_deletion, cookies))


def is_new_and_empty(key: str, seen: Seen) -> bool:
    """Tell whether Django made an empty session under this key in this step."""
    if seen.experiment.engine == "signed_cookies":
        return key.startswith("e30:")  # {} as base64
    record = seen.after["records"].get(key, {})
    return key not in seen.before["records"] and record.get("data") == {}


def is_left_for_clearing(seen: Seen) -> bool:
    """Tell whether Django's file engine removed a session that is over, and ours did not."""
    if seen.experiment.engine != "file" or seen.place[0] != "records":
        return False
    record = seen.before["records"].get(seen.place[1], {})
    return seen.django == ABSENT and seen.ours == record and is_over(record, seen)


def fails_to_save(seen: Seen) -> bool:
    outcome = seen.ours_after["outcome"]
    saves = does(seen, "save", "create", "cycle_key", "respond")
    if not saves or ("raises" not in outcome and outcome.get("status") != 500):
        return False
    if seen.place[0] == "records":
        return seen.ours == ABSENT and "data" not in seen.after["records"][seen.place[1]]
    if about_store(seen, "key"):
        return seen.ours in (None, key_used(seen))
    return about_store(seen, "empty", "accessed", "data") and seen.ours in (True, {})


def meets_unstorable_value(seen: Seen) -> bool:
    expected = {"TypeError"}
    if seen.experiment.engine == "file" and does(seen, "save"):
        expected |= {"CreateError", "UpdateError"}  # Django looks at the file before the value
    named = seen.place[-1] == "raises" and seen.ours == "SessionEncodeError"
    return named and seen.django in expected


def sets_incomparable_expiry(seen: Seen) -> bool:
    if does(seen, "set_expiry"):
        expiry = argument(seen)
    elif does(seen, "get_expiry_age", "get_expiry_date"):
        expiry = unpack(seen.step["kwargs"].get("expiry"))
    else:
        return False
    if isinstance(expiry, str):
        expiry = datetime.fromisoformat(expiry)
    if not isinstance(expiry, datetime):
        return False
    has_zone = expiry.utcoffset() is not None
    return has_zone != seen.experiment.overrides.get("USE_TZ", True)


def outlives_file_expiry(seen: Seen) -> bool:
    if seen.experiment.engine != "file":
        return False
    gone = seen.place[0] == "records" and seen.ours == ABSENT
    record = seen.before["records"].get(seen.place[1], {}) if gone else record_used(seen)
    seconds = record.get("data", {}).get(EXPIRY)
    is_number = isinstance(seconds, int) and seconds > 0
    return is_number and seen.after["now"] >= record["written"] + seconds


def outlives_cookie_expiry(seen: Seen) -> bool:
    record = record_used(seen)
    expiry = record.get("data", {}).get(EXPIRY)
    if seen.experiment.engine != "signed_cookies" or expiry is None:
        return False
    age = seen.experiment.overrides.get("SESSION_COOKIE_AGE", 1209600)
    ends = timestamp(expiry) if isinstance(expiry, str) else record["written"] + (expiry or age)
    return (seen.after["now"] > ends) != (seen.after["now"] > record["written"] + age)


def saves_over_another_save(seen: Seen) -> bool:
    if not does(seen, "save", "cycle_key", "respond") or not record_used(seen):
        return False
    stored, data = record_used(seen).get("data"), store_in(seen.before, seen).get("data")
    if has_row_that_is_over(seen):
        # What is read from the cache is compared with the row, which nobody finds any more.
        changed = seen.baseline != stored or seen.experiment.engine == "cached_db"
        return changed and was_refused(seen.ours_after["outcome"])
    if stored is None or NOT_LOADED in (seen.baseline, data) or seen.baseline == stored:
        return False
    if seen.place[-1] in ("data", "copy"):
        expected = merged(*map(unpack, (seen.baseline, data, stored)))
        signed = seen.experiment.engine != "cache" and seen.place[0] == "records"
        return bool(unpack(seen.ours) == (as_json(expected) if signed else expected))
    return seen.place[0] == "records"


def has_row_that_is_over(seen: Seen) -> bool:
    now = str(datetime.fromtimestamp(seen.after["now"], UTC))
    return bool(record_used(seen).get("until", "9999") <= now)


def was_refused(outcome: dict[str, Any]) -> bool:
    return outcome == {"raises": "UpdateError"} or outcome.get("status") == 400


def as_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


def merged(base: dict[Any, Any], mine: dict[Any, Any], theirs: dict[Any, Any]) -> dict[Any, Any]:
    changed = {name for name in base | mine if base.get(name, ABSENT) != mine.get(name, ABSENT)}
    kept = {name: value for name, value in theirs.items() if name not in changed}
    return kept | {name: value for name, value in mine.items() if name in changed}


def caches_what_json_changes(seen: Seen) -> bool:
    return (
        seen.experiment.engine == "cached_db"
        and seen.place[-1] == "copy"
        and ABSENT not in (seen.django, seen.ours)
        and seen.ours == pack(as_json(unpack(seen.django)))
    )


def leaves_copy_to_the_next_load(seen: Seen) -> bool:
    if seen.experiment.engine == "cached_db" and seen.place[-1] == "kept until":
        # A copy that a load has made goes with the last whole second of its row.
        ends = seen.django, seen.ours
        if ABSENT not in ends and 0 < ends[0] - ends[1] < 1:
            return True
    if seen.experiment.engine != "cached_db" or not does(seen, "save", "respond", "create"):
        return False
    return seen.place[-1] in ("copy", "kept until") and seen.ours == ABSENT


def deletes_test_cookie(seen: Seen) -> bool:
    if seen.experiment.mode != "async":
        return False
    if does(seen, "respond"):  # ours is saved for that reason alone
        sides = seen.before, seen.ours_before
        return [store_in(side, seen)["modified"] for side in sides] == [False, True]
    flag = does(seen, "delete_test_cookie") and about_store(seen, "modified")
    return flag and (seen.django, seen.ours) == (False, True)


def meets_database_error(seen: Seen) -> bool:
    return does(seen, "during_outage") and (seen.django, seen.ours) == (
        "UpdateError",
        "OperationalError",
    )


def meets_broken_serializer(seen: Seen) -> bool:
    return does(seen, "with_broken_serializer") and seen.place[0] == "outcome"


def counts_statements(seen: Seen) -> bool:
    return (
        does(seen, "count_statements")
        and seen.place[-1] == "returns"
        and bool(seen.ours < seen.django)
    )


def shows_record(seen: Seen) -> bool:
    return does(seen, "show_record") and seen.ours == f"{seen.django[:6]}…"


def deletes_cookie_securely(seen: Seen) -> bool:
    return (
        seen.experiment.overrides.get("SESSION_COOKIE_SECURE", False)
        and seen.place[:2] == ("outcome", "cookies")
        and seen.django != ABSENT
        and seen.django.get("max-age") == 0
        and seen.ours == {**seen.django, "secure": True}
    )


def ends_the_comparison(seen: Seen) -> bool:
    """Tell whether the two sides hold different things from here on.

    A different answer or a different flag leaves the rest comparable; different keys, data,
    records or cookies do not.
    """
    if seen.place[:2] == ("outcome", "cookies"):
        return ABSENT in (seen.django, seen.ours) or seen.django["value"] != seen.ours["value"]
    return seen.place[0] != "outcome" and seen.place[-1] not in ("accessed", "modified")
