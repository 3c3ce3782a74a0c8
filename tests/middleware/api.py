"""Everything public of a session, and whether a response that used it depends on the session."""

from dj_sessions.backends.base import SessionBase
from tests.middleware.serving import UNKNOWN_KEY

# What a view does with its session -> whether the response depends on it
TABLE = {
    "__bool__": ((), True),
    "__contains__": (("colour",), True),
    "__delitem__": (("colour",), True),
    "__getitem__": (("colour",), True),
    "__iter__": ((), True),
    "__len__": ((), True),
    "__setitem__": (("colour", "blue"), True),
    "clear": ((), True),
    "clear_expired": ((), False),
    "create": ((), True),
    "cycle_key": ((), True),
    "decode": (("text",), False),
    "delete": ((), False),
    "delete_test_cookie": ((), True),
    "encode": (({},), False),
    "exists": ((UNKNOWN_KEY,), False),
    "flush": ((), True),
    "get": (("colour",), True),
    "get_expire_at_browser_close": ((), True),
    "get_expiry_age": ((), True),
    "get_expiry_date": ((), True),
    "get_remaining": ((), True),
    "get_session_cookie_age": ((), False),
    "has_key": (("colour",), True),
    "is_empty": ((), False),
    "items": ((), True),
    "keys": ((), True),
    "load": ((), True),
    "pop": (("colour",), True),
    "refresh": ((), True),
    "save": ((), True),
    "set_expiry": ((60,), True),
    "set_test_cookie": ((), True),
    "setdefault": (("colour", "blue"), True),
    "test_cookie_worked": ((), True),
    "update": (({"colour": "blue"},), True),
    "values": ((), True),
}
ATTRIBUTES = {
    "TEST_COOKIE_NAME": False,
    "TEST_COOKIE_VALUE": False,
    "blocking": False,
    "engine_name": False,
    "key_salt": False,
    "serializer": False,
    "session_key": True,
    "public_id": True,
}
TWINS = {
    "aset": TABLE["__setitem__"],
    **{f"a{name}": TABLE[name] for name in TABLE if hasattr(SessionBase, f"a{name}")},
}
# Nothing is stored on the server: a session begins and ends with its cookie.
WITH_SIGNED_COOKIE = {"delete": True, "adelete": True}
WITHOUT_SIGNED_COOKIE = {"create": False, "acreate": False}
