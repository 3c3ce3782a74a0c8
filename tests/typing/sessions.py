"""What code sees that makes sessions itself: commands, signals, tests."""

from collections.abc import ItemsView, KeysView, ValuesView
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from dj_sessions.backends import cache, cached_db, db, file, signed_cookies
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError


def dictionary(session: SessionBase) -> None:
    assert_type(session["colour"], Any)
    assert_type(session.get("colour"), Any)
    assert_type(session.get("colour", "green"), Any)
    assert_type(session.pop("colour"), Any)
    assert_type(session.pop("colour", None), Any)
    assert_type(session.setdefault("colour", "green"), Any)
    assert_type("colour" in session, bool)
    assert_type(session.has_key("colour"), bool)
    keys: KeysView[str] = session.keys()
    values: ValuesView[Any] = session.values()
    items: ItemsView[str, Any] = session.items()
    print(keys, values, items)
    assert_type(list(session), list[str])
    assert_type(len(session), int)
    assert_type(bool(session), bool)
    session["colour"] = "green"
    session.update({"colour": "green"})
    session.update([("colour", "green")])
    del session["colour"]
    session.clear()


def lifetime(session: SessionBase) -> None:
    session.set_expiry(60)
    session.set_expiry(None)
    session.set_expiry(timedelta(days=1))
    session.set_expiry(datetime.now(UTC))
    session.set_expiry("tomorrow")  # type: ignore[arg-type]
    session.set_expiry()  # type: ignore[call-arg]
    assert_type(session.get_expiry_age(), int)
    assert_type(session.get_expiry_age(modification=datetime.now(UTC), expiry=60), int)
    assert_type(session.get_expiry_date(expiry=None), datetime)
    assert_type(session.get_session_cookie_age(), int)
    assert_type(session.get_expire_at_browser_close(), bool)


def lifecycle(session: SessionBase) -> None:
    assert_type(session.accessed, bool)
    assert_type(session.modified, bool)
    assert_type(session.session_key, str | None)
    assert_type(session.is_empty(), bool)
    assert_type(session.exists("abcdefgh"), bool)
    assert_type(session.load(), dict[str, Any])
    assert_type(session.encode({"colour": "green"}), str)
    assert_type(session.decode("text"), dict[str, Any])
    session.create()
    session.save()
    session.save(must_create=True)
    session.delete()
    session.delete("abcdefgh")
    session.flush()
    session.cycle_key()
    SessionBase.clear_expired()
    session.session_key = "abcdefgh"  # type: ignore[misc]


async def twins(session: SessionBase) -> None:
    assert_type(await session.aget("colour"), Any | None)
    assert_type(await session.aget("colour", "green"), Any)
    assert_type(await session.apop("colour", None), Any)
    assert_type(await session.asetdefault("colour", "green"), Any)
    assert_type(await session.ahas_key("colour"), bool)
    keys: KeysView[str] = await session.akeys()
    values: ValuesView[Any] = await session.avalues()
    items: ItemsView[str, Any] = await session.aitems()
    print(keys, values, items)
    assert_type(await session.aget_expiry_age(), int)
    assert_type(await session.aget_expiry_date(), datetime)
    assert_type(await session.aget_expire_at_browser_close(), bool)
    assert_type(await session.aexists("abcdefgh"), bool)
    assert_type(await session.aload(), dict[str, Any])
    await session.aset("colour", "green")
    await session.aupdate({"colour": "green"})
    await session.aset_expiry(timedelta(days=1))
    await session.aset_expiry("tomorrow")  # type: ignore[arg-type]
    await session.aset_test_cookie()
    assert_type(await session.atest_cookie_worked(), bool)
    await session.adelete_test_cookie()
    await session.acreate()
    await session.asave()
    await session.asave(must_create=True)
    await session.adelete("abcdefgh")
    await session.aflush()
    await session.acycle_key()
    await SessionBase.aclear_expired()


async def mistakes(session: SessionBase) -> None:
    session.aset("colour", "green")  # type: ignore[unused-coroutine]
    session.asave()  # type: ignore[unused-coroutine]
    await session.get_expiry_age()  # type: ignore[misc]
    await session.aset("colour")  # type: ignore[call-arg]
    session.no_such_method()  # type: ignore[attr-defined]


def engines() -> None:
    for store in (
        db.SessionStore,
        cache.SessionStore,
        cached_db.SessionStore,
        file.SessionStore,
        signed_cookies.SessionStore,
    ):
        store()
        store(None)
        session: SessionBase = store("abcdefgh")
        session.save()
    db.SessionStore(7)  # type: ignore[arg-type]
    assert_type(cache.SessionStore().cache_key, str)
    assert_type(cached_db.SessionStore.cache_key_prefix, str)
    cached: db.SessionStore = cached_db.SessionStore()
    cached.save()


def errors(session: SessionBase) -> None:
    try:
        session.save(must_create=True)
    except CreateError:
        session.create()
    except UpdateError as error:
        raise LookupError from error
