"""A key that changes: requests under way are led to the new one, and nobody else is."""

from __future__ import annotations

import time
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user, update_session_auth_hash
from django.core.management import call_command
from django.db.models import signals
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from dj_sessions._codec import forwards
from dj_sessions.exceptions import SessionConflict, SessionEnded, UpdateError
from dj_sessions.middleware import SessionMiddleware
from dj_sessions.registry import current_request
from tests.contract.moments import before, instead
from tests.contract.traffic import traffic
from tests.stores import stored_name

pytestmark = pytest.mark.stores(server_side=True)

LOGIN = {SESSION_KEY: "1", "_auth_user_backend": "b", HASH_SESSION_KEY: "h"}


@pytest.fixture
def key(save):
    return save(**LOGIN, colour="green")


@pytest.fixture
def two(key, reopen):
    """Two requests of one visitor that have loaded the session."""
    requests = reopen(key), reopen(key)
    for request in requests:
        assert request.get("colour") == "green"
    return requests


def served(mode, session, key):
    """The response to a request with the cookie `key` that has used `session` so far."""
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = key

    def view(request):
        request.session = session.raw
        return HttpResponse()

    async def aview(request):
        return view(request)

    if mode.is_async:
        return async_to_sync(SessionMiddleware(aview))(request)
    return SessionMiddleware(view)(request)


def stored(session, reopen):
    return dict(reopen(session.raw.session_key).items())


# Those who follow


@pytest.fixture
def new_secret(settings):
    """A site whose SECRET_KEY is being changed: a new hash is no new password."""
    settings.SECRET_KEY_FALLBACKS = ["the key before, which is long enough to be one"]


@pytest.mark.usefixtures("new_secret")
def test_a_second_change_of_the_key_ends_up_under_the_first_new_one(two, reopen, store):
    one, other = two
    one.cycle_key()
    one.set(HASH_SESSION_KEY, "new")
    one.save()
    other.set("mine", 1)
    other.cycle_key()
    other.set(HASH_SESSION_KEY, "new")
    other.save()
    assert one.raw.session_key == other.raw.session_key
    expected = {**LOGIN, HASH_SESSION_KEY: "new", "colour": "green", "mine": 1}
    assert stored(one, reopen) == expected


def test_it_leaves_no_key_of_its_own(store, two):
    made = []
    original = store.Storage.insert

    def insert(self, key, record):
        made.append(key)
        return original(self, key, record)

    one, other = two
    with instead(store.Storage, "insert", insert):
        one.cycle_key()
        other.cycle_key()
    assert stored_name(one.raw.session_key) == made[0]
    assert not store.SessionStore().get_storage().holds(made[1])


def test_a_save_follows_and_merges(two, key, reopen):
    one, other = two
    one.cycle_key()
    one.set("colour", "red")
    one.save()
    other.set("mine", 1)
    other.save()
    assert other.raw.session_key == one.raw.session_key
    assert stored(one, reopen) == {**LOGIN, "colour": "red", "mine": 1}


def test_a_save_follows_over_two_changes(two, reopen):
    one, other = two
    one.cycle_key()
    again = reopen(one.raw.session_key)
    assert again.get("colour") == "green"
    again.cycle_key()
    other.set("mine", 1)
    other.save()
    assert stored(again, reopen) == {**LOGIN, "colour": "green", "mine": 1}


def test_refresh_follows(two):
    one, other = two
    one.cycle_key()
    one.set("colour", "red")
    one.save()
    other.refresh()
    assert other.get("colour") == "red"


def test_a_logout_follows_and_ends_the_new_key(two, reopen, store):
    one, other = two
    one.cycle_key()
    other.flush()
    assert other.raw.session_key is None
    assert stored(one, reopen) == {}
    one.set("colour", "red")
    with pytest.raises(UpdateError):
        one.save()


@pytest.mark.parametrize(
    "use",
    [lambda s: None, lambda s: s.get("colour"), lambda s: s.clear()],
    ids=["not loaded", "loaded", "cleared"],
)
def test_a_flush_follows_whatever_the_request_has_done_before(use, key, reopen):
    one, other = reopen(key), reopen(key)
    one.get("colour")
    one.cycle_key()
    use(other)
    other.flush()
    assert stored(one, reopen) == {}


def test_what_is_cleared_and_saved_does_not_come_back_under_the_old_key(two, key, reopen, store):
    one, other = two
    other.clear()
    other.set("only", "this")
    one.cycle_key()
    with pytest.raises(UpdateError):
        other.save()
    assert dict(reopen(key).items()) == {}
    assert not store.SessionStore().exists(key)


def test_a_name_like_a_forward_s_in_the_data_is_a_name(save, reopen):
    key = save(**{forwards.MARK: "a visitor's"})
    assert dict(reopen(key).items()) == {forwards.MARK: "a visitor's"}


def test_a_change_of_the_key_that_fails_leaves_the_old_one_alone(store, two, key, reopen):
    one, _ = two
    made = []

    def fail(self, old, expected, forward):
        made.append(one.raw._session_key)
        raise SessionConflict(1)

    with instead(store.Storage, "move", fail), pytest.raises(SessionConflict):
        one.cycle_key()
    assert one.raw.session_key == key
    assert not store.SessionStore().exists(made[0])
    one.set("mine", 1)
    one.save()
    assert stored(one, reopen)["mine"] == 1


def test_a_logout_between_the_two_steps_of_a_change_ends_both_keys(two, store, reopen):
    one, other = two
    with before(store.Storage, "move", lambda: other.raw.flush()):
        one.cycle_key()
    with pytest.raises(SessionEnded):
        one.save()
    assert one.raw.session_key is None


def test_a_logout_that_begins_after_the_change_ends_the_login_as_well(two, key, reopen):
    """The browser has sent it before it had the new cookie."""
    one, _ = two
    one.cycle_key()
    late = reopen(key)
    assert late.get(SESSION_KEY) is None
    late.flush()
    assert stored(one, reopen) == {}


# Those who do not


def test_no_new_request_reaches_the_session_by_the_old_key(two, key, reopen, store):
    one, _ = two
    one.cycle_key()
    late = reopen(key)
    assert dict(late.items()) == {}
    assert late.raw.session_key is None
    assert not store.SessionStore().exists(key)
    late.set("mine", 1)
    late.save()
    assert late.raw.session_key not in (key, one.raw.session_key)
    assert stored(one, reopen) == {**LOGIN, "colour": "green"}


def test_an_anonymous_request_is_not_led_into_somebody_s_login(save, reopen):
    """Whoever knows the key of an anonymous session must not get that of the login."""
    key = save(colour="green")
    login, other, third = (reopen(key) for _ in range(3))
    for session in (login, other, third):
        assert session.get("colour") == "green"
    login.cycle_key()
    other.set("mine", 1)
    with pytest.raises(UpdateError):
        other.save()
    third.cycle_key()
    assert third.raw.session_key != login.raw.session_key
    login.update(LOGIN)
    login.save()
    assert stored(login, reopen) == {**LOGIN, "colour": "green"}
    third.flush()
    assert stored(login, reopen) == {**LOGIN, "colour": "green"}


def test_a_changed_password_shuts_out_whoever_has_the_old_key(two, key, mode, reopen):
    one, thief = two
    one.cycle_key()
    one.set(HASH_SESSION_KEY, "of the new password")
    one.save()
    thief.set("mine", 1)
    with pytest.raises(UpdateError):
        thief.save()
    assert "sessionid" not in served(mode, reopen(key), key).cookies
    assert "mine" not in stored(one, reopen)


def test_a_request_of_another_user_is_not_led_on(two, reopen):
    one, other = two
    one.cycle_key()
    one.set(SESSION_KEY, "2")
    one.save()
    other.set("mine", 1)
    with pytest.raises(UpdateError):
        other.save()


def test_a_forward_leads_nowhere_after_a_while(two, reopen):
    one, other = two
    one.cycle_key()
    later = time.time() + forwards.AGE + 1
    other.set("mine", 1)
    clock = mock.patch("dj_sessions._codec.forwards.time.time", return_value=later)
    with clock, pytest.raises(UpdateError):
        other.save()


def test_a_forward_is_read_only_under_the_key_that_it_was_made_for():
    text = forwards.make("a" * 32, "b" * 32, "1")
    assert forwards.target("a" * 32, text) == ("b" * 32, "1")
    assert forwards.target("c" * 32, text) is None
    assert forwards.target("a" * 32, text[:-1]) is None
    with override_settings(SECRET_KEY="another key than the one that has signed it"):
        assert forwards.target("a" * 32, text) is None
    assert "b" * 8 not in text


@pytest.mark.usefixtures("unlisted")
@pytest.mark.stores(is_moving=False)
def test_it_takes_no_more_statements_or_round_trips_than_removing_the_old_key(store, two):
    one, _ = two
    with traffic(store) as said:
        one.cycle_key()
    assert len(said.statements) == (2 if store.case.database else 0), said.statements
    if store.kind in ("cache", "redis"):
        # Memcached takes one entry with a command, and a command that is not answered holds up
        # the next one.
        assert len(said.round_trips) == 2 + (store.cache == "memcached"), said.round_trips


@pytest.mark.stores("db", "cached_db")
def test_a_row_that_leads_on_is_no_session_to_the_orm_and_is_cleared_in_the_end(
    store, two, key, reopen
):
    one, _ = two
    one.cycle_key()
    model = store.SessionStore.get_model_class()
    assert [row.pk for row in model.objects.all()] == [stored_name(one.raw.session_key)]
    later = time.time() + forwards.AGE + 1
    assert not model._base_manager.filter(pk=stored_name(key)).exists()
    rows = model._base_manager.filter(pk=forwards.name(stored_name(key)))
    assert rows.get().get_decoded() == {}
    assert rows.get().expire_date.timestamp() < later - forwards.AGE
    call_command("clearsessions", verbosity=0)
    assert rows.exists()  # a request may still be under way
    rows.update(expire_date=rows.get().expire_date.replace(year=2020))
    call_command("clearsessions", verbosity=0)
    assert not rows.exists()
    assert stored(one, reopen) == {**LOGIN, "colour": "green"}


# Django's own reasons to change a key


def request_of(session):
    request = RequestFactory().get("/")
    request.session = session
    return request


@pytest.fixture
def ann(store, user):
    return user


@pytest.fixture
def logged_in(store, ann):
    """Open the session of a login, in which two requests have loaded it."""
    session = store.SessionStore()
    session[SESSION_KEY] = str(ann.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = ann.get_session_auth_hash()
    session.save()
    opened = [store.SessionStore(session.session_key) for _ in range(2)]
    for request in opened:
        assert request.get(SESSION_KEY)
    return opened


@pytest.mark.modes("sync")
def test_a_page_and_its_picture_both_find_the_user_after_a_new_secret_key(
    store, ann, logged_in, settings
):
    one, other = logged_in
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a new key, which is long enough to be one"
    settings.SECRET_KEY_FALLBACKS = [old]
    for session in (one, other):
        assert get_user(request_of(session)) == ann
        session.save()
    assert one.session_key == other.session_key
    assert store.SessionStore(one.session_key)[SESSION_KEY] == str(ann.pk)


@pytest.mark.modes("sync")
def test_a_change_of_the_password_holds_although_a_request_beside_it_found_the_old_hash(
    store, ann, logged_in
):
    changing, other = logged_in
    request = request_of(changing)
    request.user = ann
    ann.set_password("new")
    ann.save()
    assert get_user(request_of(other)).is_anonymous  # and its session is flushed
    update_session_auth_hash(request, ann)
    changing.save()
    assert get_user(request_of(store.SessionStore(changing.session_key))) == ann


def change_password(session, user):
    """Do what Django's view does, but for the save with the response."""
    request = request_of(session)
    request.user = user
    user.set_password("new")
    served_now = current_request.set(request)  # by which a list of sessions knows which one stays
    user.save()
    current_request.reset(served_now)
    update_session_auth_hash(request, user)


@pytest.mark.modes("sync")
@pytest.mark.parametrize("is_saved", [False, True], ids=["not saved yet", "saved"])
def test_nor_does_a_request_that_finds_the_new_password_end_its_login(
    store, ann, logged_in, is_saved
):
    """Django flushes the session of that request: its hash is the old one."""
    changing, other = logged_in
    change_password(changing, ann)
    if is_saved:
        changing.save()
    assert get_user(request_of(other)).is_anonymous
    assert other.session_key is None
    changing.save()
    assert get_user(request_of(store.SessionStore(changing.session_key))) == ann


@pytest.mark.modes("sync")
def test_a_new_secret_key_is_no_new_login(store, ann, logged_in, settings):
    """A logout ends the session also where another request makes a new hash."""
    rotating, other = logged_in
    other.flush()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a new key, which is long enough to be one"
    settings.SECRET_KEY_FALLBACKS = [old]
    get_user(request_of(rotating))
    with pytest.raises(SessionEnded):
        rotating.save()


# Cookies


@pytest.fixture
def client(mode, key):
    def client(key=key):
        client = mode.client(raise_request_exception=False)
        client.raw.cookies["sessionid"] = key
        return client

    return client


def test_a_response_that_lost_the_race_leaves_the_cookie_alone(client, two, mode):
    one, _ = two
    one.cycle_key()
    response = client().get(mode.url("read"))
    assert response.json() == {}
    assert "sessionid" not in response.cookies


def test_nor_does_one_that_writes_into_a_session_of_its_own(client, two, mode, reopen):
    """Its cookie would take the place of the new key: the visitor would be logged out."""
    one, _ = two
    one.cycle_key()
    response = client().get(f"{mode.url('write')}?visits=1")
    assert response.status_code == 200
    assert "sessionid" not in response.cookies
    assert stored(one, reopen) == {**LOGIN, "colour": "green"}


def test_a_login_under_the_old_key_brings_a_cookie_of_its_own(two, key, mode, reopen):
    one, _ = two
    one.cycle_key()
    late = reopen(key)
    late.cycle_key()
    late.update(LOGIN)
    assert served(mode, late, key).cookies["sessionid"].value == late.raw.session_key


def test_nor_does_one_that_would_only_have_renewed_it(store, two, key, mode, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    one, other = two
    one.cycle_key()
    response = served(mode, other, key)
    assert response.status_code == 200
    assert "sessionid" not in response.cookies


def test_a_save_that_followed_tells_nobody_the_new_key(two, key, mode, reopen):
    """The request that has changed the key brings the cookie."""
    one, other = two
    one.cycle_key()
    other.set("mine", 1)
    response = served(mode, other, key)
    assert "sessionid" not in response.cookies
    assert stored(one, reopen)["mine"] == 1


def test_a_second_change_of_the_key_brings_no_cookie(two, key, mode):
    """Whoever is under way with a stolen key must not get the new one."""
    one, other = two
    one.cycle_key()
    other.cycle_key()
    assert other.raw.session_key == one.raw.session_key
    assert "sessionid" not in served(mode, other, key).cookies


def test_nor_does_one_that_has_followed_and_then_changes_the_key(two, key, mode, reopen):
    one, other = two
    one.cycle_key()
    other.set("mine", 1)
    other.save()
    other.cycle_key()
    assert "sessionid" not in served(mode, other, key).cookies
    assert stored(one, reopen) == {**LOGIN, "colour": "green", "mine": 1}


def test_a_logout_that_followed_deletes_the_cookie(two, key, mode):
    one, other = two
    one.cycle_key()
    other.flush()
    assert served(mode, other, key).cookies["sessionid"]["max-age"] == 0


@pytest.fixture
def outdated(logged_in, ann):
    """A request whose session Django has flushed, as another one has changed the password."""
    changing, other = logged_in
    change_password(changing, ann)
    changing.save()
    assert get_user(request_of(other)).is_anonymous
    return other


@pytest.mark.modes("sync")
@pytest.mark.parametrize("deed", ["nothing", "write", "save"])
def test_a_response_that_found_the_new_password_leaves_the_browser_its_login(
    mode, outdated, key, settings, deed
):
    settings.SESSION_CLEAR_SITE_DATA = "*"
    if deed != "nothing":
        outdated["note"] = "Log in, please."
    if deed == "save":
        outdated.save()
    response = served(mode, mode.wrap(outdated), key)
    assert "sessionid" not in response.cookies
    assert not response.has_header("Clear-Site-Data")


@pytest.mark.modes("sync")
def test_who_then_logs_out_logs_out(mode, outdated, key, settings):
    settings.SESSION_CLEAR_SITE_DATA = "*"
    outdated.flush()
    response = served(mode, mode.wrap(outdated), key)
    assert response.cookies["sessionid"]["max-age"] == 0
    assert response["Clear-Site-Data"] == '"*"'


@pytest.mark.modes("sync")
def test_who_then_logs_in_gets_a_cookie(mode, outdated, key):
    outdated.cycle_key()
    outdated.update(LOGIN)
    response = served(mode, mode.wrap(outdated), key)
    assert response.cookies["sessionid"].value == outdated.session_key


@pytest.mark.stores("db", "cached_db")
@pytest.mark.parametrize("sender", [True, False], ids=["of the model", "of all models"])
def test_receivers_see_the_old_row_end_and_requests_are_led_on(store, two, key, reopen, sender):
    """Wagtail has a receiver of all models."""
    model = store.SessionStore.get_model_class()
    heard = []

    def hear(sender, instance, **kwargs):
        if sender is model:
            heard.append((kwargs["signal"], instance.pk))

    one, other = two
    for signal in (signals.pre_delete, signals.post_delete):
        signal.connect(hear, sender=model if sender else None)
    try:
        one.cycle_key()
        name = stored_name(key)
        assert heard == [(signals.pre_delete, name), (signals.post_delete, name)]
        other.set("mine", 1)
        other.save()
        late = reopen(one.raw.session_key)
        assert late.get("mine") == 1
        other.flush()
        assert stored(one, reopen) == {}
        assert heard[2:] == [
            (signals.pre_delete, stored_name(one.raw.session_key)),
            (signals.post_delete, stored_name(one.raw.session_key)),
        ]
    finally:
        for signal in (signals.pre_delete, signals.post_delete):
            signal.disconnect(hear, sender=model if sender else None)
