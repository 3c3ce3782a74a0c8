"""A test opens the database of its store alone, unless it asks for all, and leaves it empty."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from tests.databases import empty_tables
from tests.stores import in_thread


def ask(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


@pytest.mark.stores("db")
def test_the_database_of_the_store_answers(store):
    assert ask(store.database) == in_thread(ask, store.database) == (1,)


@pytest.mark.stores("db", "file", database=("postgres", None))
def test_another_database_is_refused_in_every_thread(store):
    for call in (ask, lambda alias: in_thread(ask, alias)):
        with pytest.raises(AssertionError, match="needs the fixture `databases`"):
            call("replica")


@pytest.mark.stores("db")
def test_all_answer_where_a_test_asks_for_them(store, databases):
    assert {ask(alias) for alias in connections} == {(1,)}


@pytest.mark.stores("db")
def test_what_was_written_is_gone(store):
    get_user_model().objects.create_user("ada")
    empty_tables([store.database])
    assert not get_user_model().objects.exists()
