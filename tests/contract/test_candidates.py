"""Two session cookies in one request: the one whose session exists counts."""

import pytest
from django.test import override_settings

from tests.contract.traffic import traffic
from tests.contract.visits import session_cookie, visit

GONE = "0123456789abcdef" * 2


def header(*keys):
    return "; ".join(f"sessionid={key}" for key in keys)


def colour(session):
    return session.get("colour")


@pytest.fixture
def gone(save, store, reopen):
    """A key without a session."""
    if not store.server_side:
        return f"{save(colour='red')}x"  # with a signature that does not fit
    key = save(colour="red")
    reopen(key).flush()
    return key


@pytest.mark.parametrize("dead_first", [True, False])
def test_the_cookie_whose_session_exists_wins(mode, save, gone, dead_first):
    key = save(colour="green")
    keys = (gone, key) if dead_first else (key, gone)
    response = visit(mode, colour, lambda s: s.session_key, cookie_header=header(*keys))
    assert response.seen == ["green", key]
    assert session_cookie(response) is None


def test_of_two_sessions_that_exist_the_last_one_wins_as_in_django(mode, save):
    keys = save(colour="red"), save(colour="green")
    assert visit(mode, colour, cookie_header=header(*keys)).seen == ["green"]


def test_what_is_changed_is_the_session_that_was_found(mode, save, gone, reopen):
    key = save(colour="green")
    response = visit(mode, lambda s: s.set("size", 3), cookie_header=header(key, gone))
    cookie = session_cookie(response)
    assert dict(reopen(cookie.value).items()) == {"colour": "green", "size": 3}


@pytest.mark.stores(server_side=True)
def test_the_key_that_was_found_is_kept_and_the_other_ones_stay_gone(mode, save, gone, reopen):
    key = save(colour="green")
    response = visit(mode, lambda s: s.set("size", 3), cookie_header=header(key, gone))
    assert session_cookie(response).value == key
    assert not reopen(None).exists(gone)


@pytest.mark.stores(server_side=True)
@pytest.mark.parametrize("is_read", [True, False])
def test_a_logout_ends_the_session_that_was_found(mode, save, gone, reopen, is_read):
    key = save(colour="green")
    steps = [colour] if is_read else []
    response = visit(mode, *steps, lambda s: s.flush(), cookie_header=header(key, gone))
    assert session_cookie(response).value == ""
    assert not reopen(None).exists(key)


def test_where_no_session_exists_the_cookie_is_deleted_and_a_new_one_has_a_new_key(
    mode, gone, store
):
    other = GONE if store.server_side else f"{gone}y"
    response = visit(mode, colour, cookie_header=header(other, gone))
    assert session_cookie(response).value == ""
    response = visit(mode, lambda s: s.set("a", 1), cookie_header=header(other, gone))
    assert session_cookie(response).value not in ("", other, gone)


def test_what_cannot_be_a_key_is_no_candidate(mode, save):
    key = save(colour="green")
    for bad in ("", "short", '"', "a b"):
        response = visit(mode, colour, cookie_header=header(key, bad))
        assert response.seen == ["green"]
        assert session_cookie(response) is None
        untouched = visit(mode, cookie_header=header(key, bad))
        assert session_cookie(untouched) is None
        assert not untouched.has_header("Vary")


def test_a_session_that_nobody_touches_is_not_looked_for(mode, save, gone, store):
    key = save(colour="green")
    with traffic(store) as said:
        visit(mode, cookie_header=header(key, gone))
    assert said.all == []


@pytest.mark.stores("db", "cache")
def test_one_look_up_each_and_four_at_most(mode, store):
    keys = [f"{number:032}" for number in range(10)]
    visit(mode, colour, cookie_header=header(*keys))  # what a first request sets up
    costs = []
    for count in (1, 2, 4, 10):
        with traffic(store) as said:
            visit(mode, colour, cookie_header=header(*keys[:count]))
        costs.append(len(said.all))
    assert costs == [costs[0] * looked_for for looked_for in (1, 2, 4, 4)]


@pytest.mark.stores("db", "cache")
def test_the_usual_request_costs_one_look_up(mode, save, store):
    key = save(colour="green")
    visit(mode, colour, cookie=key)
    for sent in (header(key), header(key, key), f"a=1; {header(key)}; mysessionid=x"):
        with traffic(store) as said:
            assert visit(mode, colour, cookie_header=sent).seen == ["green"]
        assert len(said.all) == 1, sent


@pytest.mark.stores(server_side=True)
def test_a_key_that_has_changed_is_followed_by_the_cookie_with_the_new_one(mode, save, reopen):
    """The old one is in a cookie of the old domain, in which nobody has replaced it."""
    old = save(colour="green")
    session = reopen(old)
    session.cycle_key()
    new = session.raw.session_key
    response = visit(mode, lambda s: s.set("size", 3), cookie_header=header(new, old))
    assert session_cookie(response).value == new
    assert dict(reopen(new).items()) == {"colour": "green", "size": 3}


@pytest.mark.stores(server_side=True)
def test_a_key_that_has_changed_is_as_if_it_came_alone_where_no_other_session_exists(
    mode, save, gone, reopen
):
    old = save(colour="green")
    reopen(old).cycle_key()
    for sent in (header(old), header(gone, old)):
        response = visit(mode, colour, lambda s: s.set("size", 3), cookie_header=sent)
        assert response.seen == [None, None]
        assert session_cookie(response) is None


@pytest.mark.stores(server_side=True)
def test_a_session_whose_key_has_changed_gives_way_to_no_other_one(mode, save, gone, reopen):
    """Else a cookie that somebody has planted took the place of a login that has just begun."""
    old, planted = save(_auth_user_id="1"), save(colour="red")
    reopen(old).cycle_key()
    for keys in ((planted, old), (planted, old, gone), (planted, gone, old)):
        response = visit(mode, colour, lambda s: s.set("size", 3), cookie_header=header(*keys))
        assert response.seen == [None, None]
        assert session_cookie(response) is None


@pytest.mark.stores(server_side=True)
def test_it_gives_way_when_it_has_ended(mode, save, reopen):
    old, other = save(_auth_user_id="1"), save(colour="red")
    session = reopen(old)
    session.cycle_key()
    session.flush()
    assert visit(mode, colour, cookie_header=header(other, old)).seen == ["red"]


@pytest.mark.stores(server_side=True)
def test_a_change_of_the_key_moves_the_session_that_was_found(mode, save, gone, reopen):
    key = save(colour="green")
    response = visit(mode, lambda s: s.cycle_key(), cookie_header=header(key, gone))
    new = session_cookie(response).value
    assert new not in (key, gone)
    assert reopen(new).get("colour") == "green"
    assert reopen(key).get("colour") is None


def test_the_name_of_the_settings_counts(mode, save, gone):
    with override_settings(SESSION_COOKIE_NAME="visitor"):
        key = save(colour="green")
        sent = f"visitor={key}; sessionid={gone}; visitor={gone}"
        assert visit(mode, colour, cookie_header=sent).seen == ["green"]
