"""``manage.py sessionstats``: how many sessions there are, whose, how old and how large."""

from __future__ import annotations

import io
import json
import os
import signal
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.test import override_settings

from dj_sessions._statistics.counters import TopCounter
from dj_sessions._statistics.counting import Count
from dj_sessions._statistics.summary import Bin, summary_of
from dj_sessions.storage.rows.storage import RowStorage
from tests.counters import statements

USER = "_auth_user_id"
SVG = "{http://www.w3.org/2000/svg}"


def counted(**options):
    out = io.StringIO()
    call_command("sessionstats", stdout=out, json=True, **options)
    return json.loads(out.getvalue())


@pytest.fixture
def save(store):
    def save(**data):
        session = store.SessionStore()
        session.update(data)
        session.save()
        return session

    return save


def bins(found):
    return {each["up_to"]: each["sessions"] for each in found if each["sessions"]}


@pytest.mark.stores("db", "cached_db", "file", database=(None, "sqlite", "postgres"))
def test_it_counts_whose_how_old_and_how_large(store, save, clock):
    save(**{USER: "7", "cart": "x" * 3000})
    save(**{USER: "7"})
    clock.move(2 * 86400)
    save(**{USER: "9", "cart": "y"})
    save(colour="green")
    save(colour="blue", _session_expiry=60)
    moved = save(colour="red")
    moved.cycle_key()
    clock.move(2 * 86400 + 61)
    found = counted(top=1)
    assert (found["live"], found["anonymous"], found["authenticated"]) == (5, 2, 3)
    assert found["expired"] == 1 or (found["expired"] == 2 and store.kind != "file")  # a forward
    assert (found["users"], found["top_users"]) == (2, [["7", 2]])
    assert sum(bins(found["sizes"]).values()) == 5
    assert (found["keys"][0]["key"], found["keys"][0]["sessions"]) == ("cart", 2)
    assert 3000 < found["keys"][0]["bytes"] < 3100
    assert found["sample"] is None
    if store.kind != "file":  # whose age is that of the file, which has the clock of the system
        assert bins(found["ages"]) == {3600: 3, 3 * 86400: 2}


@pytest.mark.stores("db", "cached_db", "file", database=(None, "sqlite", "mariadb"))
def test_a_sample_is_an_estimate_that_its_seed_gives_again(store, save):
    for number in range(60):
        with override_settings(SESSION_KEY_STORAGE=["hashed" if number % 3 else "plain"]):
            save(number=number)
    found = counted(sample=20, seed=5)
    assert found == counted(sample=20, seed=5)
    assert found["sample"] == {"size": 20, "of": 60, "seed": 5}
    assert (found["live"], found["anonymous"]) == (60, 60)
    out = io.StringIO()
    call_command("sessionstats", sample=20, stdout=out)
    assert out.getvalue().startswith("ESTIMATES from 20 of 60 sessions, chosen with --seed ")
    assert counted(sample=60)["sample"] is None


@pytest.mark.stores("db", database="sqlite")
def test_a_sample_reads_what_it_needs(save, monkeypatch):
    monkeypatch.setattr("dj_sessions.storage.rows.sampling.BLOCK", 5)
    for number in range(30):
        save(number=number)
    with statements() as sent:
        assert counted(sample=10, seed=1)["sample"]["size"] <= 10
    # Two counts for the forms, two blocks of five, one count of what has expired.
    assert len(sent) <= 8


@pytest.mark.stores("db", "file", database=(None, "sqlite"))
def test_what_cannot_be_read_is_counted_and_not_logged(store, save, caplog):
    session = save(colour="green")
    storage = store.SessionStore().get_storage()
    with override_settings(SECRET_KEY="another one, with which nothing that is stored was signed"):
        found = counted()
    assert (found["live"], found["unreadable"]) == (0, 1)
    assert storage.holds(session.session_key)
    assert not caplog.records


@pytest.mark.stores("db", database="sqlite")
def test_the_picture_can_be_read_by_everybody(save, tmp_path):
    save(**{USER: "7", "<script>": "x" * 50})
    save()
    path = tmp_path / "out.svg"
    call_command("sessionstats", plot=str(path), stdout=io.StringIO())
    picture = ElementTree.parse(path).getroot()
    assert picture.get("role") == "img"
    named = {each.get("id") for each in picture if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert set(picture.get("aria-labelledby").split()) == named
    assert picture.find(f"{SVG}desc").text.startswith("2 live sessions: 1 of users, 1 anonymous")
    assert "<script>" in [each.text for each in picture.iter(f"{SVG}text")]
    assert "prefers-color-scheme: dark" in picture.find(f"{SVG}style").text
    with pytest.raises(CommandError, match="is not a directory"):
        call_command("sessionstats", plot=str(tmp_path / "none" / "out.svg"))


class Texts:
    """A serializer of a cache that writes and reads text."""

    dumps = staticmethod(json.dumps)
    loads = staticmethod(json.loads)


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize("decoded", [False, True])
def test_a_cache_may_have_text_of_its_own(store, save, settings, decoded):
    options = {"serializer": f"{__name__}.Texts", "decode_responses": decoded}
    cache = caches.settings[store.cache]
    cache = cache | {"OPTIONS": {**cache.get("OPTIONS", {}), **options}}
    settings.CACHES = {**caches.settings, store.cache: cache}
    save(colour="green")
    found = counted()
    assert (found["live"], found["unreadable"]) == (1, 0)


@pytest.mark.stores("cache", "redis", cache=(None, "redis"))
def test_entries_of_redis_are_found_by_their_names(save):
    save(**{USER: "7", "cart": "x" * 300})
    save(colour="green")
    save(colour="red").cycle_key()
    found = counted()
    assert (found["live"], found["anonymous"], found["expired"]) == (3, 2, 0)
    assert (found["top_users"], found["keys"][0]["key"]) == ([["7", 1]], "cart")
    assert sum(bins(found["sizes"]).values()) == 3
    assert 1 <= counted(sample=2)["sample"]["size"] <= 2


@pytest.mark.stores("cache", "redis", cache=(None, "redis"))
def test_a_sample_that_is_larger_than_the_store_estimates_nothing(save):
    """The name of a forward is one more than there are sessions."""
    save(colour="red").cycle_key()
    save(colour="green")
    found = counted(sample=100)
    assert (found["live"], found["sample"]) == (2, None)


@pytest.mark.stores("cache", "signed_cookies", cache=(None, "locmem", "memcached"))
def test_a_store_without_a_list_says_so(store):
    with pytest.raises(CommandError, match="cannot be listed: "):
        counted()


@pytest.mark.stores("db", database="sqlite")
def test_sessions_that_move_are_listed_where_they_are(store):
    move = {"FROM": store.engine, "TO": "dj_sessions.backends.cache"}
    with (
        override_settings(SESSION_ENGINE="dj_sessions.backends.moving", SESSION_MOVE=move),
        pytest.raises(CommandError, match="they are in two stores"),
    ):
        counted()


@pytest.mark.stores("db", database="sqlite")
def test_ctrl_c_ends_it_between_two_batches(store, save, monkeypatch):
    save(number=1)
    entries = RowStorage.entries

    def interrupted(self, batch):
        for each in entries(self, batch):
            yield each
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RowStorage, "entries", interrupted)
    with pytest.raises(CommandError, match="Ended by SIGINT when 1 had been read") as raised:
        counted()
    assert raised.value.returncode == 130


@pytest.mark.stores("db", database="sqlite")
def test_options_that_make_no_sense(store):
    for options, said in (
        ({"sample": 0}, "--sample must be a whole number"),
        ({"top": -1}, "--top must be a whole number"),
        ({"seed": 4}, "give --sample N as well"),
    ):
        with pytest.raises(CommandError, match=said):
            counted(**options)


@pytest.mark.parametrize(
    ("sessions", "mean", "median"),
    [
        ((1, 2, 1, 0), 250, 256),
        ((2, 1, 1, 0), 250, 128),
        ((1, 0, 1, 2), 250, 512),
        ((0, 0, 1, 3), 250, None),
        ((0, 0, 0, 0), None, None),
    ],
)
def test_the_mean_and_the_bound_of_the_median(sessions, mean, median):
    count = Count(None)
    summary = summary_of(count, "any", expired=0, top=0)
    sizes = [
        Bin(bound, number) for bound, number in zip((128, 256, 512, None), sessions, strict=True)
    ]
    summary = replace(summary, sizes=sizes, bytes=1000)
    assert (summary.mean_size, summary.median_size) == (mean, median)


def test_memory_does_not_grow_with_what_is_counted():
    counter = TopCounter(kept=10)
    for number in range(1000):
        counter.add("often")
        counter.add(str(number))
        assert len(counter) <= 20
    assert counter.top(1) == [("often", 1000)]
    assert counter.is_approximate


def test_a_sample_of_names_is_fair():
    """Each of ten names is chosen about as often as the others."""
    from random import Random

    from dj_sessions.storage.listing import choose

    chosen, random = TopCounter(), Random(3)
    for _ in range(2000):
        names, total = choose(iter("abcdefghij"), 3, random)
        assert (len(names), total) == (3, 10)
        for name in names:
            chosen.add(name)
    assert all(500 < count < 700 for _, count in chosen.top(10))
    assert len(chosen) == 10
