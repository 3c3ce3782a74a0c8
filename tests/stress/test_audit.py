"""The audit finds each thing that it is for."""

from __future__ import annotations

import pytest

from tests.stores import Store
from tests.stress.audit import audit
from tests.stress.journal import Journal


@pytest.fixture
def told(store: Store) -> tuple[str, Journal]:
    """A stored session, and a journal that says the same of it."""
    session = store.SessionStore()
    session.update({"a.count": 2, "a.cart": {"count": 1, "lines": []}, "a.text": "here"})
    session.save()
    journal = Journal()
    for name, value in {"a.count": 1, "a.cart": 1, "a.text": "here", "a.gone": None}.items():
        journal.acknowledge(session.session_key, name, value)
    journal.acknowledge(session.session_key, "a.count", 2)
    return session.session_key, journal


@pytest.mark.stores(server_side=True)
def test_an_audit_of_the_truth_finds_nothing(store: Store, told: tuple[str, Journal]) -> None:
    verdict = audit(store.SessionStore, told[1])
    assert not any(verdict.as_dict().values())


@pytest.mark.stores("file")
@pytest.mark.parametrize(
    ("name", "stored"),
    [("a.count", 1), ("a.cart", None), ("a.text", "earlier"), ("a.text", None), ("a.gone", "x")],
)
def test_the_audit_finds_a_lost_write(
    store: Store, told: tuple[str, Journal], name: str, stored: object
) -> None:
    key, journal = told
    session = store.SessionStore(key)
    session[name] = stored
    session.save()
    verdict = audit(store.SessionStore, journal)
    assert verdict.lost == 1
    assert f"{key} {name}: " in verdict.losses[0]


@pytest.mark.stores("file")
def test_the_audit_finds_a_session_that_is_gone(store: Store, told: tuple[str, Journal]) -> None:
    key, journal = told
    store.SessionStore().delete(key)
    assert audit(store.SessionStore, journal).lost == 4


@pytest.mark.stores("file")
def test_the_audit_finds_what_nobody_has_written(store: Store, told: tuple[str, Journal]) -> None:
    key, journal = told
    session = store.SessionStore(key)
    session["a.count"] = 7
    session.save()
    assert len(audit(store.SessionStore, journal).invented) == 1


@pytest.mark.stores(server_side=True)
def test_the_audit_finds_an_ended_session_wherever_it_is(
    store: Store, told: tuple[str, Journal]
) -> None:
    key, journal = told
    journal.ended[key] = "logout"
    places = {
        "db": "load, exists, row",
        "cache": "load, exists, cached copy",
        "cached_db": "load, exists, row, cached copy",
        "file": "load, exists, file",
        "redis": "load, exists",
    }
    expected = f"{key}, ended by logout: {places[store.kind]}"
    assert audit(store.SessionStore, journal).revived == [expected]
