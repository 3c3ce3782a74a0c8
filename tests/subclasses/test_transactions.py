"""Transactions that a site commits by hand."""

from __future__ import annotations

import pytest
from django.db import transaction


@pytest.mark.stores("cached_db", "db", database="postgres")
@pytest.mark.modes("sync")
def test_what_is_rolled_back_by_hand_is_in_no_copy(store):
    session = store.SessionStore()
    session["colour"] = "green"
    session.save()
    transaction.set_autocommit(False, using=store.database)
    try:
        session["colour"] = "red"
        session.save()
        new = store.SessionStore()
        new["colour"] = "blue"
        new.save()
        transaction.rollback(using=store.database)
    finally:
        transaction.set_autocommit(True, using=store.database)
    assert dict(store.SessionStore(session.session_key).items()) == {"colour": "green"}
    assert dict(store.SessionStore(new.session_key).items()) == {}


@pytest.mark.stores("cached_db", "db", database="postgres")
@pytest.mark.modes("sync")
def test_what_is_committed_by_hand_is_read(store):
    session = store.SessionStore()
    transaction.set_autocommit(False, using=store.database)
    try:
        session["colour"] = "red"
        session.save()
        transaction.commit(using=store.database)
    finally:
        transaction.set_autocommit(True, using=store.database)
    assert dict(store.SessionStore(session.session_key).items()) == {"colour": "red"}
