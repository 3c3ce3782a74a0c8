"""Stores that make session keys of their own, or have their own idea of a valid one."""

import uuid

import pytest
from django.db.models import signals

from dj_sessions.exceptions import UpdateError
from tests.counters import round_trips, statements

pytestmark = pytest.mark.stores("db", "cache", "cached_db", "file")

ALPHABETS = {
    "a UUID with dashes": lambda: str(uuid.uuid4()),
    "upper case": lambda: uuid.uuid4().hex.upper(),
    "a region, and a dot": lambda: f"eu-1.{uuid.uuid4().hex}",
}


@pytest.fixture
def use(store, settings, monkeypatch):
    """Have a subclass take the place of the store that is in the settings."""
    settings.ROOT_URLCONF = "tests.subclasses.urls"

    def subclass(**overrides):
        made = type("SessionStore", (store.SessionStore,), overrides)
        monkeypatch.setattr(f"{store.engine}.SessionStore", made)
        return made

    return subclass


def makers(new_key, twins):
    async def anew_key(self):
        return new_key()

    overrides = {"_get_new_session_key": lambda self: new_key(), "_aget_new_session_key": anew_key}
    return {name: overrides[name] for name in twins}


SYNC, ASYNC = "_get_new_session_key", "_aget_new_session_key"


@pytest.mark.parametrize("new_key", ALPHABETS.values(), ids=ALPHABETS)
def test_keys_in_an_alphabet_of_their_own_serve_a_session(use, browser, user, new_key):
    keys = []
    SessionStore = use(**makers(lambda: keys.append(new_key()) or keys[-1], [SYNC]))
    browser.visit("write", colour="green")
    assert browser.key == keys[-1]
    assert SessionStore().exists(keys[-1])
    browser.visit("log_in", user="ada")
    assert browser.key == keys[-1] != keys[0]
    assert not SessionStore().exists(keys[0])
    assert browser.visit("who").json()["data"]["colour"] == "green"
    browser.visit("log_out")
    assert not SessionStore().exists(keys[-1])


@pytest.mark.modes("async")
@pytest.mark.parametrize("twins", [[ASYNC], [SYNC, ASYNC]], ids=["alone", "beside a sync one"])
def test_an_async_maker_of_keys_serves_a_session(use, browser, twins):
    SessionStore = use(**makers(ALPHABETS["a UUID with dashes"], twins))
    browser.visit("write", colour="green")
    assert uuid.UUID(browser.key)
    assert browser.visit("who").json()["data"] == {"colour": "green"}
    key = browser.key
    browser.visit("flush")
    assert not SessionStore().exists(key)


@pytest.mark.stores("db")
@pytest.mark.parametrize(
    "cookie", ["a\0bcdefgh", "../../etc/passwd", "..\\..\\boot.ini", "a b c d e f"]
)
def test_keys_that_no_store_can_hold_cost_no_io_even_so(use, browser, cookie):
    use(**makers(ALPHABETS["a UUID with dashes"], [SYNC]))
    browser.client.cookies["sessionid"] = cookie
    with statements() as sent, round_trips() as tripped:
        assert browser.visit("who").json() == {"user": "", "data": {}}
    assert (sent, tripped) == ([], [])


@pytest.mark.stores("db")
def test_a_store_that_is_stricter_is_asked_before_any_io(use, browser):
    use(_validate_session_key=lambda self, key: bool(key) and key.startswith("a"))
    browser.client.cookies["sessionid"] = "b" * 32
    with statements() as sent, round_trips() as tripped:
        assert browser.visit("who").json() == {"user": "", "data": {}}
    assert (sent, tripped) == ([], [])


def test_a_store_may_accept_what_ours_would_not(use, mode):
    def validate(self, key):
        return key and len(key) >= 4  # not always a bool, as in Django

    SessionStore = use(_validate_session_key=validate, _get_new_session_key=lambda self: "EU-1")
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    assert session.session_key == "EU-1"
    assert mode.wrap(SessionStore("EU-1")).get("colour") == "green"
    assert mode.wrap(SessionStore()).exists("EU-1")
    mode.wrap(SessionStore()).delete("EU-1")
    assert not mode.wrap(SessionStore()).exists("EU-1")
    assert not mode.wrap(SessionStore()).exists(None)


def test_a_store_may_make_its_keys_in_create(use, mode):
    def create(self):
        self._session_key = str(uuid.uuid4())
        self.save(must_create=True)
        self.modified = True

    SessionStore = use(create=create)
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    assert uuid.UUID(session.session_key)
    assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"


@pytest.fixture(params=["nobody", "who loads", "who saves", "who deletes"])
def heard(request, store):
    """Have somebody hear of rows, for whom each statement is left to the ORM."""
    told = {"who loads": signals.post_init, "who saves": signals.pre_save}
    signal = told.get(request.param, signals.pre_delete)
    model = store.SessionStore.get_model_class()

    def hear(**kwargs):
        pass

    if request.param != "nobody":
        signal.connect(hear, sender=model)
    yield
    signal.disconnect(hear, sender=model)


VARIANTS = {
    "case": str.swapcase,
    "accents": lambda key: key.replace("E", "\N{LATIN CAPITAL LETTER E WITH ACUTE}"),
}


@pytest.mark.stores("db", "cached_db")
@pytest.mark.parametrize("vary", VARIANTS.values(), ids=VARIANTS)
def test_a_key_that_differs_opens_and_ends_no_session(use, store, mode, heard, vary):
    """Though MariaDB takes the two for equal."""
    use(**makers(lambda: f"Eu-{uuid.uuid4()}", [SYNC]))

    def session(key=None):
        return mode.wrap(store.SessionStore(key))

    own = session()
    own.set("colour", "green")
    own.save()
    key, variant = own.raw.session_key, vary(own.raw.session_key)
    assert variant != key

    assert session().exists(key)
    assert not session().exists(variant)
    assert dict(session(variant).items()) == {}

    pretended = session(variant)
    pretended.raw._session_cache = {"colour": "red"}
    with pytest.raises(UpdateError):
        pretended.save()
    session().delete(variant)
    assert dict(session(key).items()) == {"colour": "green"}

    session(key).flush()
    assert not session().exists(key)


@pytest.mark.stores("db")
def test_a_new_key_that_the_database_takes_for_another_is_taken(use, store, mode):
    keys = iter(["Eu-first-key", "eU-FIRST-KEY", "Eu-second-key"])
    use(**makers(lambda: next(keys), [SYNC]))
    for _ in range(2):
        session = mode.wrap(store.SessionStore())
        session.set("colour", "green")
        session.save()
    assert session.raw.session_key in ("eU-FIRST-KEY", "Eu-second-key")
