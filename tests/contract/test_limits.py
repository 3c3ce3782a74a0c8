"""Sessions that end after so long without use, and after so long in all."""

from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth import login, update_session_auth_hash
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions._session.limits import START, USED
from dj_sessions.backends import signed_cookies
from dj_sessions.exceptions import UpdateError
from dj_sessions.storage.copies.protocol import Copies
from tests.conftest import NO_LIMITS
from tests.contract.visits import session_cookie, varies_on_cookie, visit
from tests.counters import round_trips, statements
from tests.stores import stored_name

IDLE = 900
ABSOLUTE = 7200
RENEW = 60

pytestmark = pytest.mark.usefixtures("limits")


@pytest.fixture
def limits(clock):
    ages = {"SESSION_IDLE_AGE": IDLE, "SESSION_ABSOLUTE_AGE": ABSOLUTE}
    with override_settings(**NO_LIMITS | ages):
        yield


class Visitor:
    """A browser that keeps what the server gives it, and no cookie longer than it may."""

    def __init__(self, mode, clock):
        self.mode, self.clock = mode, clock
        self.cookie, self.until = None, None

    def visit(self, *steps, at, **options):
        self.clock.move(at)
        if self.until is not None and at >= self.until:
            self.cookie = None
        response = visit(self.mode, *steps, cookie=self.cookie, **options)
        morsel = session_cookie(response)
        if morsel is not None:
            self.cookie = morsel.value or None
            self.until = at + int(morsel["max-age"])
            assert varies_on_cookie(response)
        return response

    def keep_cookie(self):
        """Keep the cookie for ever, as somebody who has copied it does."""
        self.until = None


@pytest.fixture
def visitor(store, mode, clock):
    return Visitor(mode, clock)


def begin(session):
    return session.set("colour", "green")


def look(session):
    return session.get("colour")


def remaining(session):
    return session.get_remaining()


# The idle limit


def test_a_session_that_nobody_uses_for_so_long_is_over(visitor):
    visitor.visit(begin, at=0)
    visitor.keep_cookie()
    response = visitor.visit(look, at=IDLE + 1)
    assert response.seen == [None]
    assert session_cookie(response).value == ""
    assert session_cookie(response)["max-age"] == 0


def test_one_that_is_used_within_the_limit_goes_on(visitor):
    visitor.visit(begin, at=0)
    for at in (RENEW - 1, IDLE - 1, 2 * IDLE - RENEW - 1):
        assert visitor.visit(look, at=at).seen == ["green"], at


def test_a_use_late_in_its_second_is_not_over_early(visitor):
    """What is stored has whole seconds."""
    visitor.visit(begin, at=0.9)
    visitor.keep_cookie()
    assert visitor.visit(look, at=IDLE + 0.8).seen == ["green"]


@pytest.mark.stores(server_side=True)
def test_nothing_is_left_to_change_or_move_of_one_that_is_over(reopen, save, clock):
    key = save(colour="green")
    clock.move(IDLE + 1)
    late = reopen(key)
    late.cycle_key()
    assert look(late) is None
    another = reopen(key)
    another.set("size", "small")
    another.save()
    assert key not in (late.raw.session_key, another.raw.session_key)
    assert look(another) is None


@pytest.mark.stores(server_side=True)
def test_a_conflicting_save_merges_into_nothing_that_is_over(store, reopen, save, clock):
    key = save(colour="green")
    late, other = reopen(key), reopen(key)
    assert look(late) == look(other) == "green"
    other.set("size", "small")
    other.save()
    clock.move(IDLE + 2)
    late.set("colour", "blue")
    with pytest.raises(UpdateError):
        late.save()


@pytest.mark.stores("db", "cached_db", "file")
def test_a_request_under_way_when_the_time_is_over_is_use(reopen, save, clock):
    session = reopen(save(colour="green"))
    assert look(session) == "green"
    clock.move(IDLE + 2)
    session.set("colour", "blue")
    session.save()
    assert look(reopen(session.raw.session_key)) == "blue"


def test_the_cookie_is_renewed_after_a_while_and_not_before(visitor):
    visitor.visit(begin, at=0)
    assert session_cookie(visitor.visit(look, at=RENEW - 1)) is None
    renewed = session_cookie(visitor.visit(look, at=RENEW))
    assert renewed["max-age"] == IDLE
    assert session_cookie(visitor.visit(look, at=2 * RENEW - 1)) is None


def test_a_request_that_leaves_the_session_alone_renews_nothing(visitor):
    visitor.visit(begin, at=0)
    visitor.keep_cookie()
    for at in range(RENEW, IDLE, RENEW):
        assert session_cookie(visitor.visit(at=at)) is None
    assert visitor.visit(look, at=IDLE + 1).seen == [None]


def test_an_error_of_the_server_renews_nothing(visitor):
    visitor.visit(begin, at=0)
    visitor.keep_cookie()
    assert session_cookie(visitor.visit(look, at=IDLE - 1, status=500)) is None
    assert visitor.visit(look, at=IDLE + 1).seen == [None]


@pytest.mark.stores(server_side=True)
def test_a_read_between_two_renewals_costs_what_it_costs_without_limits(visitor):
    visitor.visit(begin, at=0)
    counted = {}
    for name, settings in (("limits", {}), ("none", NO_LIMITS)):
        with override_settings(**settings), statements() as sent, round_trips() as trips:
            visitor.visit(look, at=RENEW - 1)
        counted[name] = len(sent), len(trips)
    assert counted["limits"] == counted["none"]


def test_use_saves_once_a_minute(visitor):
    visitor.visit(begin, at=0)
    renewed = [
        at
        for at in range(10, 5 * RENEW + 10, 10)
        if session_cookie(visitor.visit(look, at=at)) is not None
    ]
    assert renewed == [RENEW, 2 * RENEW, 3 * RENEW, 4 * RENEW, 5 * RENEW]


@pytest.mark.parametrize("ahead", [IDLE, ABSOLUTE])
def test_use_renews_what_was_saved_by_a_clock_far_ahead(visitor, ahead):
    """It is put right, or is that of another server; the browser has a clock of its own."""
    visitor.visit(begin, at=ahead)
    visitor.until -= ahead
    renewed = []
    for at in range(30, 2 * IDLE, 30):
        response = visitor.visit(look, at=at)
        assert response.seen == ["green"], at
        if session_cookie(response) is not None:
            renewed.append(at)
    assert renewed == list(range(30, 2 * IDLE, RENEW))


@pytest.mark.parametrize("ahead", [30, IDLE // 2, IDLE - RENEW])
def test_who_goes_to_and_fro_between_clocks_that_differ_stays(visitor, ahead):
    """While they differ by less than the idle age; the browser has a clock of its own."""
    visitor.visit(begin, at=0)
    renewed = 0
    for at in range(20, IDLE + RENEW, 40):
        for server in (ahead, 0):
            visitor.keep_cookie()
            response = visitor.visit(look, at=at + server)
            assert response.seen == ["green"], at
            if session_cookie(response) is not None:
                renewed = at
            assert renewed == at or ahead < IDLE // 2
        assert at - renewed < IDLE


def test_a_clock_that_is_a_little_ahead_has_nobody_save_more_often(visitor):
    visitor.visit(begin, at=RENEW)
    assert session_cookie(visitor.visit(look, at=1)) is None
    assert session_cookie(visitor.visit(look, at=2 * RENEW - 1)) is None
    assert session_cookie(visitor.visit(look, at=2 * RENEW)) is not None


# The absolute limit


def test_one_that_is_always_used_ends_at_the_absolute_age_to_the_second(visitor):
    visitor.visit(begin, at=0)
    for at in range(IDLE - RENEW, ABSOLUTE, IDLE - RENEW):
        assert visitor.visit(look, at=at).seen == ["green"], at
    last = visitor.visit(begin, at=ABSOLUTE - 10)
    assert session_cookie(last)["max-age"] == 10
    visitor.keep_cookie()
    assert visitor.visit(look, at=ABSOLUTE - 1).seen == ["green"]
    assert visitor.visit(look, at=ABSOLUTE).seen == [None]


@pytest.fixture
def logged_in(user):
    def log_in(session):
        """Log in as Django does, in a view of either mode."""
        request = mock.Mock(session=session.raw, META={}, user=None)
        login(request, user, "django.contrib.auth.backends.ModelBackend")

    return log_in


def in_sync(step):
    """Leave out the async mode of a step that is Django's own sync function."""
    return pytest.mark.modes("sync")(step)


@in_sync
def test_a_login_starts_it_again(visitor, logged_in):
    visitor.visit(begin, at=0)
    visitor.visit(begin, at=800)
    visitor.visit(logged_in, at=1000)
    for at in range(1000, ABSOLUTE + 1000, 300):
        assert visitor.visit(look, at=at).seen == ["green"], at
    visitor.keep_cookie()
    assert visitor.visit(look, at=ABSOLUTE + 1000).seen == [None]


@in_sync
def test_so_does_another_login_of_the_same_user(visitor, logged_in):
    visitor.visit(logged_in, at=0)
    visitor.visit(logged_in, begin, at=800)
    visitor.visit(begin, at=ABSOLUTE - IDLE + 100 - 800)
    for at in range(1000, ABSOLUTE + 800, 300):
        assert visitor.visit(look, at=at).seen == ["green"], at


@in_sync
def test_a_change_of_the_password_does_not(visitor, logged_in, user):
    def change_password(session):
        user.set_password("another")
        update_session_auth_hash(mock.Mock(session=session.raw, user=user), user)

    visitor.visit(logged_in, begin, at=0)
    visitor.visit(change_password, at=800)
    for at in range(1000, ABSOLUTE, 300):
        assert visitor.visit(look, at=at).seen == ["green"], at
    visitor.keep_cookie()
    assert visitor.visit(look, at=ABSOLUTE).seen == [None]


def test_what_is_begun_after_a_flush_has_not_begun_before(visitor):
    visitor.visit(begin, at=0)
    visitor.visit(look, lambda session: session.flush(), begin, at=800)
    for at in range(1000, ABSOLUTE + 800, 300):
        assert visitor.visit(look, at=at).seen == ["green"], at


# All limits together


def ends(session):
    return session.get_expiry_age(), session.get_expiry_date(), session.get_remaining()


@pytest.mark.parametrize(
    ("settings", "own", "age"),
    [
        ({}, None, IDLE),
        ({}, 60, 60),
        ({}, 100_000, IDLE),
        ({}, timedelta(minutes=5), 300),
        ({}, timedelta(days=5), IDLE),
        ({}, 0, IDLE),
        ({"SESSION_COOKIE_AGE": 120}, None, 120),
        ({"SESSION_ANONYMOUS_AGE": 200}, None, 200),
        ({"SESSION_ANONYMOUS_AGE": 2000}, None, IDLE),
        ({"SESSION_ABSOLUTE_AGE": 100}, None, 100),
        ({"SESSION_IDLE_AGE": None}, None, ABSOLUTE),
        ({"SESSION_IDLE_AGE": None}, 86400, ABSOLUTE),
    ],
)
def test_the_earliest_end_counts_and_all_say_the_same(
    store, mode, new, reopen, clock, settings, own, age
):
    with override_settings(**settings):
        session = new()
        session.set_expiry(own)
        begin(session)
        remaining = settings.get("SESSION_ABSOLUTE_AGE", ABSOLUTE)
        if isinstance(own, timedelta):  # a fixed time, which no use puts off
            remaining = min(remaining, round(own.total_seconds()))
        expected = age, clock.after(seconds=age), (age, remaining)
        assert ends(session)[:2] == expected[:2]
        session.save()
        assert ends(session) == expected
        again = reopen(session.raw.session_key)
        assert ends(again) == expected
        cookie = session_cookie(visit(mode, begin, cookie=session.raw.session_key))
        assert cookie["max-age"] == ("" if own == 0 else age)


def test_what_is_asked_of_another_time_knows_the_limits(save, reopen, clock):
    session = reopen(save(colour="green"))
    then = clock.after(seconds=60)
    assert session.get_expiry_age(modification=then) == IDLE
    assert session.get_expiry_date(modification=then) == clock.after(seconds=60 + IDLE)
    assert session.get_expiry_age(expiry=60) == 60
    assert session.get_expiry_age(expiry=5000) == IDLE
    late = clock.after(seconds=ABSOLUTE - 10)
    session.get("colour")
    assert session.get_expiry_age(modification=late) == 10


@pytest.mark.parametrize("method", ["get_session_cookie_age", "get_expiry_age", "get_expiry_date"])
def test_an_override_has_its_say_within_the_limits(store, mode, clock, method):
    def override(self, **kwargs):
        if method == "get_expiry_date":
            return kwargs.get("modification", timezone.now()) + timedelta(seconds=self.says)
        return self.says

    SessionStore = type("SessionStore", (store.SessionStore,), {method: override, "says": 300})
    session = mode.wrap(SessionStore())
    assert getattr(session, method)() in (300, clock.after(seconds=300))
    SessionStore.says = 100_000
    session.set("colour", "green")
    session.save()
    key = session.raw.session_key
    if hasattr(session.raw, "model"):
        row = session.raw.model.objects.get(session_key=stored_name(key))
        assert row.expire_date == clock.after(seconds=IDLE)
    clock.move(IDLE - 1)
    assert look(mode.wrap(SessionStore(key))) == "green"
    clock.move(IDLE + 1)
    assert look(mode.wrap(SessionStore(key))) is None


@pytest.mark.parametrize("method", ["get_session_cookie_age", "get_expiry_age", "get_expiry_date"])
def test_no_override_makes_the_cookie_last_longer(store, mode, clock, method, monkeypatch):
    monkeypatch.setattr(store.SessionStore, method, lambda self, **kwargs: 100_000)
    if method != "get_expiry_date":  # of which the cookie knows nothing
        assert session_cookie(visit(mode, begin))["max-age"] == IDLE


class Overriding:
    """Says of each session that it lasts longer than it may."""

    def get_session_cookie_age(self):
        return 100_000

    def get_expiry_age(self, **kwargs):
        return 100_000

    def get_expiry_date(self, **kwargs):
        return timezone.now() + timedelta(seconds=100_000)


@pytest.mark.stores("db", "cache", "cached_db")
@pytest.mark.parametrize("age", [IDLE, 60])
def test_what_is_stored_says_the_end_of_the_limits(store, mode, clock, monkeypatch, age):
    base = (Overriding,) if age == IDLE else ()
    SessionStore = type("SessionStore", (*base, store.SessionStore), {})
    session = mode.wrap(SessionStore())
    session.set_expiry(age)
    session.save()
    storage, copied = session.raw._storage, []
    replace = storage.replace
    seen = []
    monkeypatch.setattr(storage, "replace", lambda *args: seen.append(args[1]) or replace(*args))
    if mode.is_async and hasattr(storage, "_arun"):
        areplace = storage.areplace
        monkeypatch.setattr(
            storage, "areplace", lambda *args: seen.append(args[1]) or areplace(*args)
        )
    copy = Copies.replace
    monkeypatch.setattr(
        Copies, "replace", lambda self, *args: copied.append(args[2]) or copy(self, *args)
    )
    begin(session)
    session.save()
    assert [record.expiry for record in seen] == [clock.after(seconds=age)]
    assert copied == ([age] if store.kind == "cached_db" else [])


def test_a_load_of_a_sites_own_shows_no_marks(store, mode, clock):
    def load(self):
        return dict(stored(store, mode, self._session_key) or {})

    SessionStore = type("SessionStore", (store.SessionStore,), {"load": load})
    session = mode.wrap(store.SessionStore())
    begin(session)
    session.save()
    clock.move(100)
    again = mode.wrap(SessionStore(session.raw.session_key))
    assert dict(again.items()) == {"colour": "green"}
    assert again.get_remaining().absolute == ABSOLUTE - 100


# Whose session it is


@pytest.fixture
def anonymous_age():
    with override_settings(**NO_LIMITS | {"SESSION_ANONYMOUS_AGE": 300}):
        yield


@in_sync
def test_visitors_without_a_login_leave_nothing_for_long(visitor, logged_in, anonymous_age):
    assert session_cookie(visitor.visit(begin, at=0))["max-age"] == 300
    visitor.keep_cookie()
    assert visitor.visit(look, at=301).seen == [None]
    visitor.visit(begin, at=400)
    response = visitor.visit(logged_in, begin, at=500)
    assert session_cookie(response)["max-age"] == 1209600
    assert visitor.visit(look, at=1000).seen == ["green"]


# Passive requests


@pytest.fixture
def passive():
    with override_settings(SESSION_PASSIVE_PATHS=["/"]):
        yield


def test_what_a_page_asks_for_by_itself_does_not_keep_its_session(visitor):
    visitor.visit(begin, at=0)
    visitor.keep_cookie()
    with override_settings(SESSION_PASSIVE_PATHS=["/poll/", "/"]):
        for at in range(10, IDLE, 100):
            response = visitor.visit(look, at=at)
            assert response.seen == ["green"]
            assert session_cookie(response) is None
    assert visitor.visit(look, at=IDLE + 1).seen == [None]


def test_what_it_changes_is_kept_and_ends_when_it_would_have_ended(visitor, passive):
    with override_settings(SESSION_PASSIVE_PATHS=[]):
        visitor.visit(begin, at=0)
    response = visitor.visit(lambda session: session.set("colour", "blue"), at=600)
    assert session_cookie(response)["max-age"] == IDLE - 600
    visitor.keep_cookie()
    response = visitor.visit(look, lambda session: session.set("size", "small"), at=700)
    assert response.seen[0] == "blue"
    assert session_cookie(response)["max-age"] == IDLE - 700
    assert visitor.visit(look, lambda session: session.get("size"), at=IDLE - 1).seen == [
        "blue",
        "small",
    ]
    assert visitor.visit(look, at=IDLE + 1).seen == [None]


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_what_counts_from_the_last_save_counts_from_a_passive_one_and_is_told(visitor, passive):
    with override_settings(SESSION_COOKIE_AGE=600):
        with override_settings(SESSION_PASSIVE_PATHS=[]):
            visitor.visit(begin, at=0)
        for at, expected in ((200, 600), (500, IDLE - 500)):
            response = visitor.visit(lambda session: session.set("size", "small"), at=at)
            assert session_cookie(response)["max-age"] == expected
            assert visitor.visit(remaining, at=at).seen[0].idle == expected


def test_use_counts_again_after_that(visitor, passive):
    visitor.visit(begin, at=0)
    visitor.visit(lambda session: session.set("colour", "blue"), at=600)
    with override_settings(SESSION_PASSIVE_PATHS=[]):
        assert session_cookie(visitor.visit(look, at=700))["max-age"] == IDLE
        assert visitor.visit(look, at=700 + IDLE - 1).seen == ["blue"]


@pytest.mark.stores(server_side=True)
def test_a_passive_save_that_meets_a_use_takes_nothing_from_it(reopen, save, clock):
    key = save(colour="green")
    poll, use = reopen(key), reopen(key)
    poll.raw._is_passive = True
    assert look(poll) == look(use) == "green"
    clock.move(600)
    use.set("size", "small")
    use.save()
    poll.set("colour", "blue")
    poll.save()
    again = reopen(key)
    assert (look(again), again.get("size")) == ("blue", "small")
    assert again.get_remaining().idle == IDLE


def test_every_request_is_saved_but_a_passive_one(visitor, passive):
    with override_settings(**NO_LIMITS, SESSION_SAVE_EVERY_REQUEST=True):
        visitor.visit(begin, at=0)
        assert session_cookie(visitor.visit(look, at=10)) is None
        with override_settings(SESSION_PASSIVE_PATHS=[]):
            assert session_cookie(visitor.visit(look, at=10)) is not None


def test_every_request_is_saved_also_where_there_are_limits(visitor):
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        visitor.visit(begin, at=0)
        for at in range(10, 3 * IDLE, IDLE - 20):
            assert session_cookie(visitor.visit(look, at=at))["max-age"] == IDLE
            visitor.keep_cookie()
            assert visitor.visit(look, at=at + 10).seen == ["green"]


# Renewals of what others have changed, moved or ended


def renewing(visitor, act):
    """Renew a session while another request acts on it."""

    def look_and_act(session):
        found = session.get("colour")
        act()
        return found

    return visitor.visit(look_and_act, at=2 * RENEW)


@in_sync
@pytest.mark.stores(server_side=True)
def test_a_renewal_of_what_has_ended_serves_the_page_and_deletes_the_cookie(store, visitor):
    visitor.visit(begin, at=0)
    response = renewing(visitor, store.SessionStore(visitor.cookie).flush)
    assert (response.status_code, response.seen) == (200, ["green"])
    assert session_cookie(response).value == ""
    assert visitor.visit(look, at=3 * RENEW).seen == [None]


@in_sync
@pytest.mark.stores(server_side=True)
def test_a_renewal_keeps_what_another_request_has_changed(store, visitor):
    visitor.visit(begin, at=0)

    def change():
        other = store.SessionStore(visitor.cookie)
        other["size"] = "small"
        other.save()

    assert session_cookie(renewing(visitor, change))["max-age"] == IDLE
    seen = visitor.visit(look, lambda session: session.get("size"), at=3 * RENEW).seen
    assert seen == ["green", "small"]


@in_sync
@pytest.mark.stores(server_side=True)
def test_of_requests_at_once_one_renews(store, visitor):
    visitor.visit(begin, at=0)

    def renew_as_well():
        other = store.SessionStore(visitor.cookie)
        other.get("colour")
        other.save()
        sent.clear(), trips.clear()

    writes = "UPDATE", "INSERT", "DELETE"
    with statements() as sent, round_trips() as trips:
        response = renewing(visitor, renew_as_well)
    assert session_cookie(response)["max-age"] == IDLE
    # One that fails to find what it has loaded, and one read.
    assert sum(each.startswith(writes) for each in sent) <= 1
    if store.kind == "cache":
        assert len(trips) <= 3
    assert visitor.visit(look, at=IDLE).seen == ["green"]


@pytest.mark.stores(server_side=True)
def test_the_body_of_a_renewed_response_can_save_as_it_goes_on(visitor, mode, reopen):
    visitor.visit(lambda session: session.set("sizes", []), at=0)
    kept = []
    visitor.visit(lambda session: session.get("sizes"), lambda s: kept.append(s.raw), at=RENEW)
    session = mode.wrap(kept[0])
    session.get("sizes").append("small")
    session.save()
    session.set("colour", "green")
    session.save()
    again = reopen(visitor.cookie)
    assert (again.get("sizes"), again.get("colour")) == (["small"], "green")


@in_sync
@pytest.mark.stores(server_side=True)
def test_where_every_request_is_saved_a_renewal_keeps_what_changed_deep_in_it(store, visitor):
    visitor.visit(lambda session: session.set("sizes", []), at=0)

    def change():
        other = store.SessionStore(visitor.cookie)
        other["colour"] = "green"
        other.save()

    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        visitor.visit(
            lambda session: session.get("sizes").append("small"),
            lambda session: change(),
            at=2 * RENEW,
        )
    seen = visitor.visit(look, lambda session: session.get("sizes"), at=2 * RENEW).seen
    assert seen == ["green", ["small"]]


@in_sync
@pytest.mark.stores(server_side=True)
def test_the_body_of_a_response_saves_after_a_renewal_what_it_changes_deep_in_it(visitor):
    visitor.visit(lambda session: session.set("sizes", []), at=0)
    seen = visitor.visit(lambda session: session, look, at=2 * RENEW).seen
    seen[0].get("sizes").append("small")
    seen[0].save()
    assert visitor.visit(lambda session: session.get("sizes"), at=2 * RENEW).seen == [["small"]]


@pytest.mark.stores(server_side=True)
def test_what_another_task_changes_during_a_renewal_is_saved(reopen, save, clock):
    key = save(colour="green")
    session, other = reopen(key), reopen(key)
    assert look(session) == look(other) == "green"
    clock.move(RENEW)
    session.raw._only_renews = True  # as the middleware says
    other.save()
    session.set("size", "small")
    session.save()
    assert reopen(key).get("size") == "small"


@pytest.mark.parametrize("error", [OSError("no server"), RuntimeError("anything")])
def test_a_store_that_refuses_a_renewal_spoils_no_page(store, visitor, monkeypatch, error, caplog):
    visitor.visit(begin, at=0)

    def save(self, must_create=False):
        raise error

    monkeypatch.setattr(store.SessionStore, "save", save)
    response = visitor.visit(look, at=2 * RENEW)
    assert (response.status_code, response.seen) == (200, ["green"])
    assert session_cookie(response) is None
    assert caplog.messages == [f"A session could not be renewed: {type(error).__name__}"]
    with pytest.raises(type(error)):
        visitor.visit(begin, at=2 * RENEW)


@in_sync
@pytest.mark.stores(server_side=True)
def test_a_login_and_its_start_stay_together_in_a_merge(store, reopen, save, clock, logged_in):
    key = save(colour="green")
    late, other = reopen(key), reopen(key)
    look(late), look(other)
    clock.move(500)
    other.set("_auth_user_id", "7")
    other.save()
    late.set("size", "small")
    late.save()
    merged = reopen(key)
    assert merged.get("_auth_user_id") == "7"
    assert merged.raw._marks.start == int(clock.after(seconds=500).timestamp())
    assert merged.get("size") == "small"


@pytest.mark.stores(server_side=True)
def test_a_sites_own_resolution_is_not_asked_of_the_marks(store, mode, save, clock):
    asked = []

    def resolve(self, name, base, ours, theirs):
        asked.append(name)
        return ours

    with override_settings(**NO_LIMITS):
        key = save(colour="green")
    SessionStore = type("SessionStore", (store.SessionStore,), {"resolve_conflict": resolve})
    one, other = (mode.wrap(SessionStore(key)) for _ in range(2))
    for number, session in enumerate((one, other)):
        look(session)
        clock.move(number)
        session.set("size", number)
    one.save()
    other.save()
    assert asked == ["size"]


# Turned on, turned off, and beside Django


def test_turned_on_it_logs_nobody_out(visitor, mode, clock):
    with override_settings(**NO_LIMITS):
        visitor.visit(begin, at=0)
    # Used all the time, which nobody noted; saved last longer ago than any limit.
    response = visitor.visit(look, at=10 * ABSOLUTE)
    assert response.seen == ["green"]
    assert session_cookie(response)["max-age"] == IDLE
    assert visitor.visit(look, at=10 * ABSOLUTE + IDLE - 1).seen == ["green"]
    visitor.keep_cookie()
    assert visitor.visit(look, at=10 * ABSOLUTE + 2 * IDLE + 1).seen == [None]


def test_nor_where_the_first_request_is_no_use(visitor, passive):
    with override_settings(**NO_LIMITS, SESSION_PASSIVE_PATHS=[]):
        visitor.visit(begin, at=0)
    response = visitor.visit(lambda session: session.set("size", "small"), at=2 * IDLE)
    assert session_cookie(response)["max-age"] == IDLE
    assert visitor.visit(look, at=3 * IDLE - 1).seen == ["green"]


@pytest.mark.parametrize("name", [START, USED])
@pytest.mark.parametrize("value", [10**400, -1, 2**53, True, "text", None])
def test_nor_whoever_has_something_else_under_the_name_of_a_mark(visitor, name, value):
    with override_settings(**NO_LIMITS):
        visitor.visit(begin, lambda session: session.set(name, value), at=0)
        visitor.visit(lambda session: session.set("size", 3), at=0)
        assert visitor.visit(lambda session: session.get(name), at=0).seen == [value]
    assert visitor.visit(look, remaining, at=1).seen == ["green", (IDLE, ABSOLUTE)]
    assert visitor.visit(look, at=IDLE).seen == ["green"]


@pytest.mark.parametrize("name", ["_session_start", "_session_used", "start", "last_activity"])
def test_a_site_keeps_its_own_moments(visitor, name):
    visitor.visit(begin, lambda session: session.set(name, 1_700_000_000), at=0)
    visitor.visit(lambda session: session.set("size", 3), at=1)
    with override_settings(**NO_LIMITS):
        visitor.visit(lambda session: session.set("size", 4), at=2)
    assert visitor.visit(lambda session: session.get(name), at=3).seen == [1_700_000_000]


def test_turned_on_the_next_use_starts_it(visitor):
    with override_settings(**NO_LIMITS):
        visitor.visit(begin, at=0)
    assert session_cookie(visitor.visit(look, at=RENEW - 1))["max-age"] == IDLE


RENEWALS_ALONE = NO_LIMITS | {"SESSION_RENEW_AFTER": RENEW}


@pytest.mark.parametrize("renews", [False, True])
def test_turned_off_it_lets_those_in_who_are_active_if_use_renews(visitor, renews):
    visitor.visit(begin, at=0)
    with override_settings(**RENEWALS_ALONE if renews else NO_LIMITS):
        for at in range(RENEW, IDLE, RENEW):
            assert visitor.visit(look, at=at).seen == ["green"]
        assert visitor.visit(look, at=IDLE + 1).seen == ["green" if renews else None]


def test_beside_servers_without_limits_nobody_active_is_logged_out_if_use_renews_there(visitor):
    visitor.visit(begin, at=0)
    for at in range(RENEW, 2 * IDLE, RENEW):
        with override_settings(**RENEWALS_ALONE):
            assert visitor.visit(look, at=at).seen == ["green"]
    response = visitor.visit(look, at=2 * IDLE)
    assert response.seen == ["green"]
    assert session_cookie(response)["max-age"] == IDLE


def test_lowered_limits_count_at_once(visitor):
    with override_settings(SESSION_IDLE_AGE=5000, SESSION_RENEW_AFTER=60):
        visitor.visit(begin, at=0)
    assert visitor.visit(look, at=IDLE + 2).seen == [None]
    with override_settings(SESSION_IDLE_AGE=None, SESSION_ABSOLUTE_AGE=9000):
        visitor.visit(begin, at=2000)
    assert visitor.visit(look, at=2000 + ABSOLUTE).seen == [None]


def stored(store, mode, key):
    """What the store has under a key: the data, and what is kept beside it."""
    if not store.server_side:
        serializer = store.SessionStore().serializer
        return payloads.decode(key, serializer, signed_cookies.SALT, engine="signed_cookies")
    session = store.SessionStore(key)
    return session._decoded(session._storage.read_latest(key))


def test_what_the_limits_need_is_stored_beside_the_data(store, mode, new, reopen, clock):
    session = new()
    begin(session)
    session.save()
    key, now = session.raw.session_key, int(clock.start.timestamp())
    used = {USED: now} if store.kind == "cache" else {}
    assert stored(store, mode, key) == {"colour": "green", START: now, **used}
    again = reopen(key)
    assert dict(session.items()) == dict(again.items()) == {"colour": "green"}
    with override_settings(**NO_LIMITS):
        again.set("colour", "blue")
        again.save()
        assert stored(store, mode, again.raw.session_key) == {"colour": "blue"}


def test_without_limits_nothing_is_added(store, mode, new):
    with override_settings(**NO_LIMITS):
        session = new()
        begin(session)
        session.save()
        assert stored(store, mode, session.raw.session_key) == {"colour": "green"}


@pytest.mark.stores(
    "db", "cache", "cached_db", "signed_cookies"
)  # not file: its times are the machine's
def test_an_explicit_renewal_needs_no_limit(visitor):
    with override_settings(**NO_LIMITS | {"SESSION_RENEW_AFTER": 60, "SESSION_COOKIE_AGE": 300}):
        visitor.visit(begin, at=0)
        assert session_cookie(visitor.visit(look, at=59)) is None
        assert session_cookie(visitor.visit(look, at=60))["max-age"] == 300
        for at in range(100, 1000, 100):
            assert visitor.visit(look, at=at).seen == ["green"]


# How long it lasts


def test_how_long_a_session_lasts_is_told_without_renewing_it(visitor, passive):
    visitor.visit(begin, at=0)
    visitor.keep_cookie()
    assert visitor.visit(remaining, at=100).seen == [(IDLE - 100, ABSOLUTE - 100)]
    assert visitor.visit(remaining, at=IDLE - 1).seen == [(1, ABSOLUTE - IDLE + 1)]
    assert visitor.visit(remaining, at=IDLE + 1).seen == [(None, None)]


def test_without_limits_it_lasts_from_its_last_save(visitor, store):
    with override_settings(**NO_LIMITS, SESSION_COOKIE_AGE=300):
        visitor.visit(begin, at=0)
        # What only a cache keeps does not tell when it was saved, unless there are limits.
        expected = (300, None) if store.kind == "cache" else (200, None)
        assert visitor.visit(remaining, at=100).seen == [expected]


@pytest.mark.stores("db", "cached_db")
def test_where_the_database_computes_the_end_the_settings_tell_how_long(store, mode, clock):
    class Store(store.SessionStore):
        def get_expiry_date(self, **kwargs):
            return Now() + timedelta(days=3)

    session = mode.wrap(Store())
    session.set("colour", "green")
    session.save()
    clock.move(100)
    again = mode.wrap(Store(session.raw.session_key))
    assert again.get_remaining() == (IDLE - 100, ABSOLUTE - 100)


def test_what_was_never_stored_has_no_end(new):
    assert tuple(new().get_remaining()) == (None, None)


# However the data is stored


@pytest.mark.parametrize("serializer", ["JSON", "Pickle", "FastJSON"])
@pytest.mark.parametrize("copies", ["django", "compact"])
def test_the_limits_hold_with_every_serializer_and_form_of_copies(visitor, serializer, copies):
    settings = {
        "SESSION_SERIALIZER": f"dj_sessions.serializers.{serializer}Serializer",
        "SESSION_COPY_FORMAT": copies,
    }
    with override_settings(**settings):
        visitor.visit(begin, at=0)
        visitor.keep_cookie()
        assert session_cookie(visitor.visit(look, at=RENEW - 1)) is None
        assert session_cookie(visitor.visit(look, at=IDLE - 1))["max-age"] == IDLE
        visitor.keep_cookie()
        assert visitor.visit(look, at=2 * IDLE - 2).seen == ["green"]
        assert visitor.visit(look, at=4 * IDLE).seen == [None]


@pytest.mark.stores("db", "cached_db", "file")
def test_a_payload_of_a_sites_own_has_the_last_use_beside_the_data(store, mode, clock):
    def encode(self, data):
        return store.SessionStore.encode(self, data)[::-1]

    def decode(self, payload):
        return store.SessionStore.decode(self, payload[::-1])

    SessionStore = type("SessionStore", (store.SessionStore,), {"encode": encode, "decode": decode})
    session = mode.wrap(SessionStore())
    begin(session)
    session.save()
    again = mode.wrap(SessionStore(session.raw.session_key))
    clock.move(RENEW - 1)
    assert (look(again), again.raw._is_renewal_due()) == ("green", False)
    clock.move(RENEW)
    assert again.raw._is_renewal_due()
    clock.move(IDLE + 2)
    assert look(mode.wrap(SessionStore(session.raw.session_key))) is None


@pytest.mark.stores("db", "file")
def test_what_has_ended_is_cleared(store, mode, save, clock):
    old, other = save(colour="green"), save()
    clock.move(IDLE - 1)
    young = save(colour="blue")
    clock.move(IDLE + 2)
    SessionStore = mode.wrap(store.SessionStore)
    SessionStore.clear_expired()
    session = mode.wrap(store.SessionStore())
    assert [session.exists(key) for key in (old, other, young)] == [False, False, True]


@pytest.mark.parametrize(
    "name", ["SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE", "SESSION_ANONYMOUS_AGE"]
)
def test_a_limit_that_is_no_number_is_named(new, name):
    session = new()
    session.set("colour", "green")
    with override_settings(**{name: "900"}), pytest.raises(ImproperlyConfigured) as caught:
        session.save()
    assert str(caught.value).startswith(f"{name} = '900' is not a number of seconds.")


def test_a_renewal_after_what_is_no_number_is_named(new):
    session = new()
    with (
        override_settings(SESSION_RENEW_AFTER="60"),
        pytest.raises(ImproperlyConfigured, match=r"^SESSION_RENEW_AFTER = '60'"),
    ):
        session.save()
