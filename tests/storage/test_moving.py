"""Sessions that move from one engine to another: `dj_sessions.storage.moving`."""

import itertools
import os
import time
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from dj_sessions.backends import db
from dj_sessions.storage.moving import Carried
from tests import redis_servers
from tests.docs.pages import docs
from tests.moving.site import DEEDS, Site, deed, die, engine, flush, new, save, stepping

#: Two prefixes of one Redis.
FASTEST = ("other_redis", "redis")
CACHED = ("file", "cached_db")
PAIRS = (("db", "redis"), ("redis", "db"), ("file", "db"), ("cache", "file"), CACHED)


@pytest.fixture
def site(request, databases, tmp_path, settings, fresh_caches):
    settings.SESSION_REDIS = {
        "URL": redis_servers.needed(redis_servers.plain),
        "PREFIX": f"{fresh_caches}:",
        "OPTIONS": redis_servers.PATIENT,
    }
    settings.SESSION_FILE_PATH = tmp_path
    settings.SESSION_CACHE_ALIAS = "redis"
    return Site(*map(engine, request.param))


def between(*pairs):
    return pytest.mark.parametrize("site", pairs, indirect=True, ids="-".join)


# Two requests, in each order


def audit(site, key, *deeds):
    """What was acknowledged counts, for every server, now and when the session has moved."""
    told = [(each.name, each.answer) for each in deeds], site.cells(key)
    assert sum(cell.is_session for cell in site.cells(key)) <= 1, told
    if not any(each.ends and each.is_acknowledged for each in deeds):
        data = site.data(key)
        if data or not any(each.ends for each in deeds):
            wanted = {each.saves for each in deeds if each.is_acknowledged and each.saves}
            assert {"born", *wanted} <= data.keys(), told
            # Whoever was stopped is caught up with, and then TO alone is enough.
            assert site.carry(key) in (Carried.MOVED, Carried.GONE), told
            left = site.cells(key)[0]  # of a move back perhaps its ticket, which is nothing
            assert left.record is None or left.is_ticket, told
            assert dict(site.new(key).items()) == site.data(key) == data, told
            flush(site.prepare, key)
    assert site.data(key) == {}, told
    assert site.carry(key) is Carried.GONE, told
    assert not any(server().exists(key) for server in site.servers), told
    assert not any(cell.is_session for cell in site.cells(key)), told


def each_step(site, born, begin):
    """Call `begin(key, step)` for each step, until it returns that there was no such step."""
    for step in itertools.count(1):
        if not begin(new(getattr(site, born)), step):
            return


def try_orders(site, born, chosen):
    """Have one request interrupt the other before each of its steps, and die then, or not."""
    for first, second, dies in chosen:

        def begin(key, step, first=first, second=second, dies=dies):
            one, two = deed(site, first, key, "one"), deed(site, second, key, "two")

            def interrupt():
                two()
                if dies:
                    die()

            steps = stepping(one, interrupt, step)
            if steps.has_acted:
                audit(site, key, one, two)
            return steps.has_acted

        each_step(site, born, begin)


#: Which deed, which one interrupts it, and whether the first dies then.
ORDERS = list(itertools.product(DEEDS, DEEDS, (False, True)))


@pytest.mark.parametrize("born", ["old", "new"])
@between(FASTEST)
def test_two_requests_in_each_order_and_with_a_crash_at_each_step(site, born):
    """It takes a second: some hundred orders, of each of which there is but one."""
    try_orders(site, born, ORDERS)


@pytest.mark.parametrize("born", ["old", "new"])
@between(*PAIRS)
def test_nor_is_anything_lost_between_other_stores(site, born, request):
    """Each order is tried between one of them."""
    number = PAIRS.index(request.node.callspec.params["site"])
    try_orders(site, born, ORDERS[number :: len(PAIRS)])


@pytest.mark.parametrize("phase", ["prepare", "move"])
@pytest.mark.parametrize("born", ["old", "new"])
@between(FASTEST)
def test_nor_on_the_way_back_beside_servers_of_the_way_there(site, born, phase):
    site.prepare = getattr(Site(site.new, site.old), phase)
    try_orders(site, born, [order for order in ORDERS if "by prepare" in " ".join(order[:2])][::2])


@pytest.mark.parametrize("then", ["save by move", "carry", "flush by move", "delete"])
@pytest.mark.parametrize("stopped", ["save by move", "carry"])
@between(FASTEST, ("db", "redis"))
def test_a_move_back_that_was_stopped_is_no_matter_to_who_moves_there_again(
    site, stopped, then, settings
):
    settings.SESSION_CONFLICT_TIMEOUT = 0
    back = Site(site.new, site.old)

    def begin(key, step):
        steps = stepping(deed(back, stopped, key, "one"), die, step)
        if steps.has_acted:
            two = deed(site, then, key, "two")
            two()
            audit(site, key, two)
        return steps.has_acted

    each_step(site, "new", begin)


@pytest.mark.parametrize("third", ["save by move", "look", "delete"])
@between(FASTEST)
def test_a_request_that_dies_while_it_interrupts_another_one_before_a_third(site, third):
    """It takes a second: each step of the one, and at it each step of the other."""
    names = list(itertools.product(DEEDS[:4], DEEDS[:3]))
    for first, second in names[::2] if third == "look" else names[::3]:

        def begin(key, step, first=first, second=second):
            is_there = False
            for last in itertools.count(1):
                one, two = deed(site, first, key, "one"), deed(site, second, key, "two")
                three = deed(site, third, key, "three")

                def interrupt(two=two, three=three, last=last):
                    stepping(two, die, last)
                    three()

                is_there = stepping(one, interrupt, step).has_acted
                if is_there:
                    audit(site, key, one, two, three)
                if not is_there or two.is_done:
                    break
                key = new(site.old)
            return is_there

        each_step(site, "old", begin)


# What it costs


@between(("db", "redis"))
def test_what_it_costs_is_documented(site):
    documented = {row[""]: row for row in docs("engines").sections["What a move costs"].rows}
    assert set(documented) == {"create", *DONE}
    for phase, server in (("prepare", site.prepare), ("move", site.move)):
        here = "`FROM`" if phase == "prepare" else "`TO`"
        assert documented["create"][f'`"{phase}"`, in {here}'] == str(
            len(stepping(lambda server=server: new(server)).made)
        )
        for place, born in (("FROM", site.old), ("TO", site.new)):
            for name, (before, act) in DONE.items():
                session = server(new(born))
                before(session)
                made = stepping(lambda act=act, session=session: act(session)).made
                cell = documented[name][f'`"{phase}"`, in `{place}`']
                assert cell.removesuffix(", once") == str(len(made)), (name, phase, place, made)
        assert len(stepping(lambda server=server: server("0" * 32).load()).made) == 3
    key = new(site.old)
    assert len(stepping(lambda: site.carry(key)).made) == 5


def nothing(session):
    pass


def load(session):
    session.get("born")


DONE = {
    "load": (nothing, load),
    "save": (load, lambda session: session.save()),
    "cycle_key": (load, lambda session: session.cycle_key()),
    "flush": (load, lambda session: session.flush()),
}


# What is kept


KEPT = (FASTEST, ("redis", "db"), ("redis", "file"), ("file", "db"), ("file", "cache"), CACHED)


def seconds_left(site, key):
    """How long a session lasts that is in the target, as that has it."""
    place = site.move()._places[1]
    record = place.storage.read_whole(key)
    left = place.end_of(key, record, place.data_of(key, record)) - timezone.now()
    return round(left.total_seconds())


def have_expire(storage, key, seconds):
    """Redis has a clock of its own, which no test moves; so has a file, which was saved now."""
    if hasattr(storage, "_path_of"):
        now = timezone.now().timestamp()
        os.utime(storage._path_of(key), (now, now))
    elif hasattr(storage, "server"):
        storage.server.send("EXPIRE", storage.name_of(key), seconds)
    elif hasattr(storage, "adapter"):
        storage.adapter.client.expire(storage.adapter.name(storage._name(key)), seconds)


@pytest.mark.parametrize("expiry", [None, 5000, timedelta(seconds=5000)])
@between(*KEPT, ("db", "redis"), ("cache", "db"))
def test_a_session_that_is_carried_ends_when_it_would_have_ended(site, expiry, settings, clock):
    settings.SESSION_COOKIE_AGE = 5000
    session = site.old()
    session["born"] = 1
    session.set_expiry(expiry)
    session.save()
    key, began = session.session_key, time.monotonic()
    have_expire(site.move().get_storage().source, key, 4000)
    clock.move(1000)
    assert site.carry(key) is Carried.MOVED
    left = seconds_left(site, key)
    assert 3998 - (time.monotonic() - began) <= left <= 4002
    assert site.new(key).get("_session_expiry") == session.get("_session_expiry")


@pytest.mark.parametrize("how", ["carry", "save by move"])
@between(*KEPT)
def test_the_limits_go_on_counting(site, how, settings, clock):
    settings.SESSION_IDLE_AGE, settings.SESSION_ABSOLUTE_AGE = 1000, 5000
    key = new(site.old)
    have_expire(site.move().get_storage().source, key, 900)
    clock.move(100)
    deed(site, how, key, "one")()
    clock.move(300)
    left = site.new(key).get_remaining()
    # A save is a use, to be carried is none.
    idle = 700 if how == "carry" else 800
    assert left == (pytest.approx(idle, abs=2), pytest.approx(4700, abs=2))


@between(FASTEST, ("redis", "db"), ("db", "cache"))
def test_encrypted_data_is_decrypted_and_encrypted_for_the_other_engine(site, settings):
    settings.SESSION_SERIALIZER = "dj_sessions.serializers.EncryptedJSONSerializer"
    settings.SESSION_ENCRYPTION_ACCEPT_PLAIN = False
    carried, saved = new(site.old), new(site.old)
    assert site.carry(carried) is Carried.MOVED
    assert save(site.move, saved, "one")
    assert dict(site.new(carried).items()) == {"born": 1}
    assert dict(site.new(saved).items()) == {"born": 1, "one": 1}


@pytest.mark.parametrize("server", ["prepare", "move"])
@between(FASTEST, ("db", "redis"))
def test_hashed_keys_are_found_in_both_places(site, server, settings):
    server = getattr(site, server)
    plain = [new(site.old), new(site.new)]
    settings.SESSION_KEY_STORAGE = ["hashed", "plain"]
    for key in [*plain, new(site.old), new(site.new)]:
        assert save(server, key, "one")
        assert site.data(key) == {"born": 1, "one": 1}
        flush(server, key)
        assert site.data(key) == {}


@between(("file", "redis"), ("cache", "db"))
def test_what_cannot_be_moved_stays_where_it_is(site, settings):
    unknown, expired = "0" * 32, site.old()
    expired.set_expiry(-1)
    expired.save()
    over = Carried.GONE if site.old.engine_name == "cache" else Carried.EXPIRED
    assert (site.carry(unknown), site.carry(expired.session_key)) == (Carried.GONE, over)

    settings.SESSION_SERIALIZER = "dj_sessions.serializers.PickleSerializer"
    pickled = new(site.old, at={1, 2})
    settings.SESSION_SERIALIZER = "dj_sessions.serializers.JSONSerializer"
    refused = Carried.REFUSED if site.old.engine_name == "cache" else Carried.UNREADABLE
    assert site.carry(pickled) is refused
    settings.SESSION_SERIALIZER = "dj_sessions.serializers.PickleSerializer"
    assert site.data(pickled)["at"] == {1, 2}


@between(("db", "redis"))
def test_nothing_moves_inside_a_transaction_that_may_be_rolled_back(site):
    key = new(site.old)
    with transaction.atomic():
        assert save(site.move, key, "one")
        with pytest.raises(ImproperlyConfigured, match="transaction"):
            site.carry(key)
        transaction.set_rollback(True)
    assert site.data(key) == {"born": 1}
    with transaction.atomic():
        assert save(site.move, key, "one")
    assert site.cells(key)[0].is_session
    assert save(site.move, key, "two")
    assert dict(site.new(key).items()) == {"born": 1, "one": 1, "two": 1}


@between(("redis", "db"))
def test_nor_is_a_move_ended_there_that_somebody_else_has_begun(site):
    key = new(site.old)
    stepping(lambda: site.carry(key), die, 4)  # after the claim
    with transaction.atomic():
        assert save(site.move, key, "one")
        transaction.set_rollback(True)
    assert site.data(key) == {"born": 1}


@between(FASTEST)
@pytest.mark.parametrize(("server", "step"), [("new", 3), ("old", 4)])  # a ticket, a claim
def test_who_logs_in_at_a_server_of_one_engine_over_half_a_move_is_logged_in(site, server, step):
    key = new(site.old)
    stepping(lambda: site.carry(key), die, step)
    login = getattr(site, server)(key)
    login["_auth_user_id"] = "7"
    login.cycle_key()
    login.save()
    assert site.data(login.session_key)["_auth_user_id"] == "7"


@between(FASTEST)
def test_nothing_moves_in_the_first_phase(site):
    key = new(site.old)
    assert save(site.prepare, key, "one")
    assert dict(site.old(key).items()) == {"born": 1, "one": 1}
    with pytest.raises(ImproperlyConfigured, match="PHASE"):
        site.prepare().get_storage().carry(key)
    assert dict(site.old(new(site.prepare)).items()) == {"born": 1}


@between(FASTEST, ("db", "redis"))
def test_a_session_can_move_to_and_fro(site):
    back = Site(site.new, site.old)
    key = new(site.old)
    for there in (site, back, site, back):
        stepping(lambda there=there: there.carry(key), die, 5)  # which leaves its claim
        assert save(there.move, key, "one")
        assert dict(there.new(key).items()) == {"born": 1, "one": 1}
        assert site.data(key) == back.data(key)


@between(FASTEST)
def test_a_ticket_lasts_as_long_as_whoever_uses_it_needs(site):
    session = site.old(new(site.old))
    session.set_expiry(100)
    session.save()
    key = session.session_key
    longer = site.move(key)
    longer.set_expiry(10**7)

    def lengthen():
        stepping(longer.save, die, 4)  # before its claim

    # Whoever has made the ticket goes on with it.
    assert stepping(lambda: site.carry(key), lengthen, 3).has_acted
    assert site.data(key)["born"] == 1


@between(("redis", "db"))
def test_or_longer_where_it_was_left_behind(site, clock):
    claimed = 0
    for last in (4, 5):
        clock.move(0)
        session = site.old(new(site.old))
        session.set_expiry(100)
        session.save()
        key = session.session_key
        stepping(lambda key=key: site.carry(key), die, 3)  # which leaves its ticket
        longer = site.move(key)
        longer.set_expiry(10**7)
        stepping(longer.save, die, last)
        if site.cells(key)[0].is_claim:
            claimed += 1
            clock.move(10**6)
            assert site.data(key)["born"] == 1
    assert claimed


def short_lived(site):
    """The key of a session in the source that ends soon."""
    session = site.old(new(site.old))
    session.set_expiry(100)
    session.save()
    return session.session_key


def changed_to_last(site, key):
    """The session under a key, changed to last for long, and not saved yet."""
    session = site.move(key)
    session.set_expiry(10**7)
    return session


@between(FASTEST)
def test_a_ticket_that_lasts_long_enough_stays_as_it_is(site):
    key = short_lived(site)
    assert stepping(changed_to_last(site, key).save, die, 2).has_acted  # which leaves its ticket
    _, ticket = site.cells(key)
    assert ticket.is_ticket
    assert stepping(lambda: site.carry(key), die, 5).has_acted  # which leaves its claim
    assert site.cells(key)[1].payload == ticket.payload


@between(FASTEST)
def test_a_ticket_that_is_gone_before_its_claim_takes_no_session_along(site):
    key = short_lived(site)
    stepping(lambda: site.carry(key), die, 3)  # which leaves its ticket
    target = site.move().get_storage().target
    # Before the ticket is replaced by one that lasts longer.
    save_it = changed_to_last(site, key).save
    assert stepping(save_it, lambda: target.remove(key), 3).has_acted
    assert site.data(key)["born"] == 1


@between(FASTEST)
def test_who_ends_the_move_of_another_keeps_the_claim_while_its_ticket_changes(site):
    key = short_lived(site)
    late = changed_to_last(site, key)
    stepping(lambda: site.carry(key), die, 4)  # which leaves ticket and claim

    def lengthen():
        stepping(late.save, die, 4)  # after the ticket

    assert stepping(lambda: site.carry(key), lengthen, 3).has_acted
    assert site.data(key)["born"] == 1


@between(FASTEST)
def test_who_comes_late_with_a_move_takes_no_claim_of_the_way_back_for_an_old_one(site):
    key = new(site.old)
    late = site.move(key)
    late["late"] = 1
    assert site.carry(key) is Carried.MOVED
    back = Site(site.new, site.old)
    assert stepping(lambda: back.carry(key), die, 4).has_acted  # which leaves ticket and claim
    late.save()
    assert site.data(key) == {"born": 1, "late": 1}


@between(("file", "db"))
def test_both_are_cleared_and_counted(site, settings, clock):
    settings.SESSION_COOKIE_AGE = 100
    for server in (site.old, site.new, site.new):
        new(server)
    counts = site.move().get_storage().count_forms(timezone.now())
    assert counts == {"plain": 3, "hashed": 0}
    clock.move(200)
    kept = new(site.new)
    batches = list(site.move._start_purge(timezone.now()).batches(1))
    assert sum(batch.removed for batch in batches) == 3
    assert not batches[-1].more
    assert all(batch.more for batch in batches[:-1])
    assert site.data(kept) == {"born": 1}


@between(("file", "db"))
def test_what_an_engine_of_a_site_does_with_its_records_is_done(site, no_limits):
    class SessionStore(db.SessionStore):
        key_salt = db.SessionStore().key_salt  # which has the name of the class in it

        def encode(self, session_dict):
            return super().encode({"site": session_dict})

        def decode(self, session_data):
            return super().decode(session_data).get("site", {})

    site = Site(site.old, SessionStore)
    carried, saved = new(site.old), new(site.old)
    assert site.carry(carried) is Carried.MOVED
    assert save(site.move, saved, "one")
    assert dict(site.new(carried).items()) == {"born": 1}
    assert dict(db.SessionStore(saved).items()) == {"site": {"born": 1, "one": 1}}
