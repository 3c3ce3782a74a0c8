"""A router may read from a replica, which is behind: for a moment, or for good."""

import pytest
from django.utils import timezone

from dj_sessions.exceptions import UpdateError
from tests import router
from tests.counters import statements
from tests.stores import stored_name

pytestmark = [
    pytest.mark.stores("db", database="sqlite"),
    pytest.mark.usefixtures("databases"),
]


@pytest.fixture
def replicate(store):
    """Bring one row of the replica up to date, as far as it is."""
    rows = store.SessionStore.get_model_class()._base_manager

    def replicate(key):
        row = rows.using("default").get(pk=stored_name(key))
        row.save(using="replica")

    return replicate


@pytest.fixture(autouse=True)
def replica(store):
    with router.reading_from("replica"):
        yield


def test_a_session_that_the_replica_does_not_know_yet_is_not_dead(save, reopen):
    assert reopen(save(colour="green")).get("colour") == "green"


def test_a_session_that_the_replica_knows_is_read_there(save, reopen, replicate):
    key = save(colour="green")
    replicate(key)
    with statements("default") as sent:
        assert reopen(key).get("colour") == "green"
    assert sent == []


def test_a_save_over_an_old_row_of_the_replica_takes_nothing_back(save, reopen, replicate):
    key = save(colour="green", size=3)
    replicate(key)
    current = reopen(key)
    current.set("colour", "red")
    current.save()
    behind = reopen(key)
    assert behind.get("colour") == "green"
    behind.set("size", 4)
    behind.save()
    replicate(key)
    assert dict(reopen(key).items()) == {"colour": "red", "size": 4}


def test_a_save_of_what_was_ended_fails_also_while_the_replica_has_it(save, reopen, replicate):
    key = save(colour="green")
    replicate(key)
    behind = reopen(key)
    behind.set("size", 4)
    reopen(key).flush()
    with pytest.raises(UpdateError):
        behind.save()


def test_an_unknown_key_is_looked_up_twice_and_makes_nothing(store, reopen):
    with statements() as sent:
        assert reopen("a" * 32).get("colour") is None
    assert len(sent) == 2
    rows = store.SessionStore.get_model_class().objects.using("default")
    assert not rows.filter(expire_date__gt=timezone.now()).exists()
