"""`accessed` and `modified` over the whole table of public methods."""

from django.utils import timezone

NEITHER, READ, CHANGED = (False, False), (True, False), (True, True)

DATA = {"colour": "green", "testcookie": "worked"}

#: What each thing that one may do first with a stored session does to (accessed, modified).
TABLE = {
    "nothing": (lambda s: None, NEITHER),
    "is_empty": (lambda s: s.is_empty(), NEITHER),
    "get_session_cookie_age": (lambda s: s.get_session_cookie_age(), NEITHER),
    "get_expiry_age of an expiry": (lambda s: s.get_expiry_age(expiry=5), NEITHER),
    "get_expiry_date of an expiry": (lambda s: s.get_expiry_date(expiry=5), NEITHER),
    "encode": (lambda s: s.encode({}), NEITHER),
    "decode": (lambda s: s.decode(s.encode({})), NEITHER),
    "exists": (lambda s: s.exists("a" * 32), NEITHER),
    "bool": (lambda s: bool(s.raw), READ),
    "session_key": (lambda s: s.session_key, READ),
    "get": (lambda s: s.get("colour"), READ),
    "get of nothing": (lambda s: s.get("shape"), READ),
    "in": (lambda s: "colour" in s.raw, READ),
    "item": (lambda s: s.raw["colour"], READ),
    "iter": (lambda s: iter(s.raw), READ),
    "len": (lambda s: len(s.raw), READ),
    "has_key": (lambda s: s.has_key("colour"), READ),
    "keys": (lambda s: s.keys(), READ),
    "values": (lambda s: s.values(), READ),
    "items": (lambda s: s.items(), READ),
    "test_cookie_worked": (lambda s: s.test_cookie_worked(), READ),
    "get_expiry_age": (lambda s: s.get_expiry_age(), READ),
    "get_expiry_age after a modification": (
        lambda s: s.get_expiry_age(modification=timezone.now()),
        READ,
    ),
    "get_expiry_date": (lambda s: s.get_expiry_date(), READ),
    "get_remaining": (lambda s: s.get_remaining(), READ),
    "get_expire_at_browser_close": (lambda s: s.get_expire_at_browser_close(), READ),
    "setdefault of something": (lambda s: s.setdefault("colour", "red"), READ),
    "pop of nothing": (lambda s: s.pop("shape", None), READ),
    "set_expiry to None without one": (lambda s: s.set_expiry(None), READ),
    "refresh": (lambda s: s.refresh(), READ),
    "set": (lambda s: s.set("colour", "red"), CHANGED),
    "set to the same": (lambda s: s.set("colour", "green"), CHANGED),
    "del": (lambda s: s.raw.__delitem__("colour"), CHANGED),
    "pop": (lambda s: s.pop("colour"), CHANGED),
    "setdefault": (lambda s: s.setdefault("shape", "round"), CHANGED),
    "update": (lambda s: s.update({}), CHANGED),
    "clear": (lambda s: s.clear(), CHANGED),
    "set_test_cookie": (lambda s: s.set_test_cookie(), CHANGED),
    "delete_test_cookie": (lambda s: s.delete_test_cookie(), CHANGED),
    "set_expiry": (lambda s: s.set_expiry(60), CHANGED),
    "set_expiry until the browser closes": (lambda s: s.set_expiry(0), CHANGED),
    "flush": (lambda s: s.flush(), CHANGED),
    "cycle_key": (lambda s: s.cycle_key(), CHANGED),
}


def test_each_method_counts_as_what_it_is(save, reopen):
    key = save(**DATA)
    flags = {}
    for what, (act, _) in TABLE.items():
        session = reopen(key)
        act(session)
        flags[what] = (session.accessed, session.modified)
        if what in ("flush", "cycle_key"):
            key = save(**DATA)
    assert flags == {what: expected for what, (_, expected) in TABLE.items()}


def test_each_method_counts_the_same_without_a_session(new):
    flags, expected = {}, {}
    for what, (act, (accessed, modified)) in TABLE.items():
        session = new()
        try:
            act(session)
        except KeyError:  # there is nothing to delete
            modified = False
        flags[what] = (session.accessed, session.modified)
        expected[what] = (accessed, modified)
    # Without data there is nothing to find, and nothing to take away.
    expected |= {"setdefault of something": CHANGED}
    assert flags == expected


def test_every_public_method_is_in_the_table(store):
    """The lifecycle methods that only a store's caller needs are tested in test_lifecycle."""
    elsewhere = {"accessed", "modified", "model", "serializer", "key_salt", "cache_key"}
    elsewhere |= {"load", "save", "create", "delete", "clear_expired", "blocking", "engine_name"}
    elsewhere |= {"TEST_COOKIE_NAME", "TEST_COOKIE_VALUE", "get_model_class"}
    elsewhere |= {"create_model_instance", "cache_key_prefix", "resolve_conflict"}
    elsewhere |= {"get_storage", "public_id", "redis_settings"}
    elsewhere |= {"owners_among", "end_stored"}  # of any session
    names = {name for name in dir(store.SessionStore) if not name.startswith("_")}
    names -= {name for name in names if name[0] == "a" and name[1:] in {*names, "set"}}
    assert names - elsewhere <= {what.split()[0] for what in TABLE}


def test_saving_and_loading_leave_modified_alone(save, reopen):
    session = reopen(save(**DATA))
    session.load()
    assert session.modified is False
    session.set("colour", "red")
    session.save()
    assert session.modified is True
