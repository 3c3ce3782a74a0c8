"""Rows are removed in batches: which, in how many statements, and whom they pass over."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import islice

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, connections, transaction
from django.db.models import signals
from django.utils import timezone

from dj_sessions.storage import clearing as batches
from dj_sessions.storage.rows import clearing, windows
from tests.counters import statements
from tests.databases import deadlock
from tests.stores import in_thread

pytestmark = pytest.mark.stores("db")


@pytest.fixture
def heard(model):
    """How many rows each signal told of, with a receiver on both."""
    seen = Counter()

    def pre(instance, **kwargs):
        seen["pre"] += 1

    def post(instance, **kwargs):
        seen["post"] += 1

    signals.pre_delete.connect(pre, sender=model)
    signals.post_delete.connect(post, sender=model)
    yield seen
    signals.pre_delete.disconnect(pre, sender=model)
    signals.post_delete.disconnect(post, sender=model)


def purge(store, size=None, limit=None):
    """What the batches of a run removed."""
    run = store.SessionStore._start_purge(timezone.now())
    return [batch.removed for batch in run.batches(size, limit)]


# -- how many statements


def test_a_batch_that_nobody_listens_to_costs_few_statements(store, rows):
    rows(5)
    with statements() as seen:
        assert sum(purge(store, 2)) == 5
    # PostgreSQL: where the batch ends, BEGIN, not to wait, DELETE, COMMIT. MariaDB: where the
    # window ends, what is in it and how close together, once; then one DELETE for each batch.
    assert len(seen) == {"default": 3, "postgres": 15, "mariadb": 6}[store.database], seen


def test_a_batch_that_somebody_listens_to_is_one_transaction(store, rows, heard):
    rows(5)
    with statements() as seen:
        assert purge(store, 2) == [2, 2, 1]
    assert heard == {"pre": 5, "post": 5}
    assert seen.count("COMMIT") == 3


def test_nothing_to_do_is_asked_once(store):
    with statements() as seen:
        assert sum(purge(store)) == 0
    assert len(seen) == {"default": 1, "postgres": 5, "mariadb": 2}[store.database], seen


def test_inside_a_transaction_it_is_part_of_it(store, rows, model):
    rows(5)
    try:
        with transaction.atomic(using=store.database):
            assert sum(purge(store, 2)) == 5
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert model.objects.count() == 5


# -- which rows


@pytest.mark.parametrize("size", [1, 3, 100])
def test_rows_of_one_date_go_in_batches_too(store, rows, model, size):
    rows(10, spread=0)
    assert max(purge(store, size)) <= size
    assert model.objects.count() == 0


@pytest.mark.parametrize("listening", [False, True])
def test_no_batch_is_larger_than_asked_for(store, rows, request, listening):
    if listening:
        request.getfixturevalue("heard")
    rows(7, ago=90)
    rows(6, ago=80, prefix="b", spread=0)
    rows(7, ago=70, prefix="c")
    removed = purge(store, 3)
    assert max(removed) <= 3
    assert sum(removed) == 20


def test_a_run_leaves_what_expires_while_it_runs(store, rows, model):
    run = store.SessionStore._start_purge(timezone.now() - timedelta(minutes=30))
    rows(2, ago=60)
    [later] = rows(1, ago=10, prefix="b")
    assert sum(batch.removed for batch in run.batches()) == 2
    assert model.objects.get().pk == later


@pytest.mark.parametrize("listening", [False, True])
def test_a_session_that_is_renewed_between_two_statements_stays(
    store, rows, model, request, listening
):
    """Whatever is found first, what is deleted has expired when it is deleted."""
    if listening:
        request.getfixturevalue("heard")
    keys = rows(4)
    renewed = []

    def renew():
        live = timezone.now() + timedelta(hours=1)
        model.objects.filter(pk=keys[1]).update(expire_date=live)

    def before_the_first_change(execute, sql, params, many, context):
        reads = sql.startswith("SELECT") and "FOR UPDATE" not in sql
        if not reads and not renewed and not sql.startswith(("BEGIN", "SAVEPOINT", "SET LOCAL")):
            renewed.append(sql)
            in_thread(renew)
        return execute(sql, params, many, context)

    # Where the very first statement is the one that deletes, it cannot be renewed in between.
    with connections[store.database].execute_wrapper(before_the_first_change):
        assert sum(purge(store)) == 3
    assert renewed
    assert [row.pk for row in model.objects.all()] == [keys[1]]


# -- others


@pytest.mark.stores("db", database="postgres")
@pytest.mark.parametrize("listening", [False, True])
def test_rows_that_others_hold_are_left_out_postgres(store, rows, model, request, listening):
    held_rows_are_left_out(store, rows, model, request, listening)


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.parametrize("listening", [False, True])
def test_rows_that_others_hold_are_left_out_mariadb(store, rows, model, request, listening):
    held_rows_are_left_out(store, rows, model, request, listening)


def held_rows_are_left_out(store, rows, model, request, listening):
    if listening:
        request.getfixturevalue("heard")
    keys = rows(9)
    with transaction.atomic(using=store.database):
        assert model.objects.select_for_update().get(pk=keys[4])
        assert sum(in_thread(purge, store, 3)) == 8
    assert model.objects.get().pk == keys[4]
    assert purge(store) == [1]


def test_two_runs_at_once_share_the_work(store, rows, model):
    """One is stopped after each batch while the other works."""
    rows(20)
    first = store.SessionStore._start_purge(timezone.now()).batches(3)
    removed = [next(first).removed]
    removed += in_thread(purge, store, 4)
    removed += [batch.removed for batch in first]
    assert sum(removed) == 20
    assert model.objects.count() == 0


@pytest.mark.parametrize("failures", [1, clearing.ATTEMPTS - 1, clearing.ATTEMPTS])
def test_a_batch_that_others_make_fail_is_tried_again_and_not_for_ever(
    store, rows, model, monkeypatch, failures
):
    rows(3)
    monkeypatch.setattr(clearing, "RETRY_PAUSE", 0)
    left = [deadlock(store.database) for _ in range(failures)]

    def fail(execute, *args):
        if left and "DELETE FROM" in args[0]:
            raise left.pop()
        return execute(*args)

    # Where a range fails, its rows are named and tried at once: both fail here.
    if store.database != "default":
        left += [deadlock(store.database) for _ in range(failures)]
    with connections[store.database].execute_wrapper(fail):
        if failures < clearing.ATTEMPTS:
            assert purge(store) == [3]
        else:
            with pytest.raises(OperationalError):
                purge(store)
    assert model.objects.count() == (3 if failures == clearing.ATTEMPTS else 0)


@pytest.mark.stores("db", database="sqlite")
def test_another_error_is_not_tried_again(store, rows):
    rows(3)
    tries = []

    def fail(execute, *args):
        tries.append(args)
        raise OperationalError("disk I/O error")

    with (
        connections["default"].execute_wrapper(fail),
        pytest.raises(OperationalError, match="disk I/O error"),
    ):
        purge(store)
    assert len(tries) == 1


# -- windows of MariaDB


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(windows, "ROWS", 6)
    monkeypatch.setattr(windows, "KEYS", 4)


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("size", [1, 3, 4, 100])
@pytest.mark.parametrize("number", [5, 6, 7])
def test_a_window_is_over_before_what_expired_later_goes(store, rows, model, size, number):
    later = set(rows(number))
    first = rows(6, ago=90, prefix="b")
    run = store.SessionStore._start_purge(timezone.now())
    for batch in run.batches(size):
        assert batch.removed <= min(size, windows.KEYS)
        left = set(model.objects.values_list("pk", flat=True))
        assert later <= left or left.isdisjoint(first)
    assert left == set()


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("dense", [True, False])
def test_rows_are_named_only_where_many_others_lie_between_them(store, rows, model, dense):
    """A range of keys takes half the time, but would read all the others, too."""
    keys = sorted(rows(12))
    live = timezone.now() + timedelta(hours=1)
    others = [] if dense else keys[1:11]
    model.objects.filter(pk__in=others).update(expire_date=live)
    with statements() as seen:
        assert sum(purge(store)) == 12 - len(others)
    deleted = [sql for sql in seen if "DELETE FROM" in sql]
    assert len(deleted) == (4 if dense else 1)
    assert all((" IN (" in sql) is not dense for sql in deleted)
    assert sorted(row.pk for row in model.objects.all()) == others


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("held", [[0], [11], [3, 4], [0, 5, 11]])
def test_only_what_others_hold_is_left_out_of_a_window(store, rows, model, dense, held):
    keys = rows(12)
    if not dense:
        for place in range(12):
            model.objects.bulk_create(
                model(
                    session_key=f"a{place:031}{other}",
                    session_data="",
                    expire_date=timezone.now() + timedelta(hours=1),
                )
                for other in range(8)
            )
    holding = model.objects.select_for_update().filter(pk__in=[keys[place] for place in held])
    with transaction.atomic(using=store.database):
        assert len(list(holding)) == len(held)
        assert sum(in_thread(purge, store, 5)) == 12 - len(held)
    assert sum(purge(store)) == len(held)
    assert model.objects.filter(pk__in=keys).count() == 0


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.usefixtures("small_windows")
def test_a_whole_page_that_others_hold_is_not_read_for_ever(store, rows, model):
    keys = rows(12)

    def first_batches():
        run = store.SessionStore._start_purge(timezone.now())
        return len(list(islice(run.batches(), 20)))

    with transaction.atomic(using=store.database):
        assert len(model.objects.select_for_update().filter(pk__in=keys[:4])) == 4
        assert in_thread(first_batches) < 20
    assert {row.pk for row in model.objects.all()} == set(keys[:4])


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("limit", [1, 5, 6, 7, 11])
def test_a_limit_ends_it_within_a_window(store, rows, model, limit):
    keys = rows(12)
    assert sum(purge(store, 2, limit=limit)) == limit
    left = set(model.objects.values_list("pk", flat=True))
    assert left == set(keys[limit:])


# -- memory


@pytest.mark.stores("db", database="sqlite")
def test_a_receiver_never_sees_more_rows_alive_than_a_batch(store, rows, model):
    """The rows of a batch are gone from memory before those of the next come."""
    import gc

    rows(1200)
    most = 0

    def count(instance, **kwargs):
        nonlocal most
        if instance.pk.endswith("00"):
            most = max(most, sum(type(thing) is Session for thing in gc.get_objects()))

    signals.post_delete.connect(count, sender=model)
    try:
        assert purge(store) == [500, 500, 200]
    finally:
        signals.post_delete.disconnect(count, sender=model)
    assert 0 < most <= 600


# -- the size that suits


@pytest.mark.parametrize(
    ("size", "taken", "next_size"),
    [(500, 0.0, 2000), (500, 10.0, 250), (60, 10.0, 50), (40_000, 0.0, 50_000)],
)
def test_a_batch_of_no_chosen_size_is_as_large_as_is_quick(store, size, taken, next_size):
    run = store.SessionStore._start_purge(timezone.now())
    largest = 5000 if store.database == "mariadb" else 50_000
    assert run.next_size(size, taken) == min(next_size, largest)


def test_a_watched_batch_keeps_its_size(store, heard):
    run = store.SessionStore._start_purge(timezone.now())
    assert run.next_size(500, 0.0) == 500


@pytest.mark.stores("db", database="sqlite")
def test_a_query_set_that_keeps_its_rows_is_an_error_and_no_endless_loop(
    store, rows, model, monkeypatch
):
    rows(4, spread=0)

    class Keeping(type(model.objects.all())):
        def delete(self):
            return self.update(session_data="deleted")

    monkeypatch.setattr(type(model.objects), "_queryset_class", Keeping)
    with pytest.raises(RuntimeError, match=r"sessions\.Session still has rows that were deleted"):
        purge(store, 2)


# -- rows that lie in no order, on PostgreSQL


@pytest.fixture
def scattered(store):
    """Make rows on some hundred blocks that lie in the order of `order`, most of them expired."""

    def make(number=8000, order="random()"):
        with connections[store.database].cursor() as cursor:
            cursor.execute("SELECT setseed(0.5)")
            cursor.execute(
                "INSERT INTO django_session (session_key, session_data, expire_date) "
                f"SELECT lpad(i::text, 32, 'a'), repeat(md5(i::text), 10), "
                f"now() + (i - {number}) * interval '1 minute' "
                f"FROM generate_series(1, {number} + 10) AS i ORDER BY {order}"
            )
        return number

    return make


def walked(seen):
    return [sql for sql in seen if sql.startswith("DELETE") and "ctid" in sql]


@pytest.mark.stores("db", database="postgres")
def test_rows_in_no_order_are_removed_block_after_block(store, scattered, model):
    """In the order of their expiry each batch would read most of the table."""
    number = scattered()
    with statements() as seen:
        removed = purge(store)
    assert sum(removed) == number
    assert removed[0] == batches.PURGE_BATCH
    assert len(walked(seen)) == len(removed) - 1 > 0
    assert model.objects.count() == 10


@pytest.mark.stores("db", database="postgres")
@pytest.mark.parametrize(
    ("order", "size", "limit"),
    [("i", None, None), ("random()", 1000, None), ("random()", None, 3000)],
    ids=["in order", "of a chosen size", "up to a limit"],
)
def test_other_rows_are_removed_in_the_order_of_their_expiry(
    store, scattered, model, order, size, limit
):
    number = scattered(order=order)
    with statements() as seen:
        removed = purge(store, size, limit)
    assert sum(removed) == min(number, limit or number)
    assert walked(seen) == []
    assert size is None or max(removed) == size


@pytest.mark.stores("db", database="postgres")
def test_few_expired_rows_of_many_are_removed_by_the_index(store, scattered, model):
    number = scattered(40_000)
    first = timezone.now() - timedelta(minutes=number)
    live = timezone.now() + timedelta(days=1)
    model.objects.filter(expire_date__gt=first + timedelta(minutes=600.5)).update(expire_date=live)
    with statements() as seen:
        assert purge(store) == [500, 100]
    assert walked(seen) == []


@pytest.mark.stores("db", database="postgres")
def test_a_row_of_a_block_that_others_hold_is_left_out(store, scattered, model):
    number = scattered()
    held = f"{number - 100:a>32}"
    with transaction.atomic(using=store.database):
        assert model.objects.select_for_update().get(pk=held)
        assert sum(in_thread(purge, store)) == number - 1
    assert model.objects.filter(expire_date__lt=timezone.now()).get().pk == held
    assert purge(store) == [1]


@pytest.mark.stores("db", database="postgres")
def test_a_row_of_a_block_that_is_renewed_meanwhile_stays(store, scattered, model):
    number = scattered()
    renewed = f"{number - 100:a>32}"

    def renew(execute, sql, params, many, context):
        if walked([sql]):
            live = timezone.now() + timedelta(hours=1)
            in_thread(lambda: model.objects.filter(pk=renewed).update(expire_date=live))
        return execute(sql, params, many, context)

    with connections[store.database].execute_wrapper(renew):
        assert sum(purge(store)) == number - 1
    assert model.objects.filter(pk=renewed).exists()


@pytest.mark.stores("db", database="postgres")
def test_two_walks_at_once_share_the_work(store, scattered, model):
    number = scattered()
    first = store.SessionStore._start_purge(timezone.now()).batches()
    removed = [next(first).removed, next(first).removed]
    removed += in_thread(purge, store)
    removed += [batch.removed for batch in first]
    assert sum(removed) == number


@pytest.mark.stores("db", database="postgres")
def test_a_run_that_meets_another_one_goes_elsewhere(store, scattered, model):
    """Though the rows lie in the order in which both remove them."""
    number = scattered(order="i")
    held = model.objects.order_by("expire_date")[number // 2].pk
    with transaction.atomic(using=store.database):
        assert model.objects.select_for_update().get(pk=held)
        removed, sent = in_thread(purge_and_tell, store)
    assert sum(removed) == number - 1
    assert walked(sent)


def purge_and_tell(store):
    with statements() as seen:
        return purge(store), seen
