"""`manage.py convertsessions`: stored sessions are written as the settings say now."""

import os
import re
from datetime import timedelta
from io import StringIO
from unittest import mock

import pytest
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.test import override_settings

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._session import conversion
from dj_sessions.backends import db
from dj_sessions.serializers import (
    EncryptedJSONSerializer,
    JSONSerializer,
    PickleToJSONSerializer,
)
from dj_sessions.storage import Entry, Record, Storage
from tests.contract.test_encryption import text_of

SERIALIZERS = "dj_sessions.serializers"
LISTED = pytest.mark.stores("db", "cached_db", "file", "redis")
DATA = {"colour": "green", "day": 1}
OLD, NEW = "an old secret of at least 32 characters", "a new secret of at least 32 characters"


@pytest.fixture(autouse=True)
def plain(no_encryption):
    """Sessions are JSON, until a test says something else."""


class Cart:
    """Which no serializer but a pickle can hold."""


class Strict(PickleToJSONSerializer):
    writes = JSONSerializer


def convert(*arguments, serializer="EncryptedJSONSerializer", accept=True, **settings):
    out, err = StringIO(), StringIO()
    with override_settings(
        SESSION_SERIALIZER=serializer if "." in serializer else f"{SERIALIZERS}.{serializer}",
        SESSION_ENCRYPTION_ACCEPT_PLAIN=accept,
        **settings,
    ):
        call_command("convertsessions", *arguments, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def saved(store, data=DATA, serializer="JSONSerializer", expiry=None):
    with override_settings(SESSION_SERIALIZER=f"{SERIALIZERS}.{serializer}"):
        session = store.SessionStore()
        session.update(data)
        if expiry is not None:
            session.set_expiry(expiry)
        session.save()
    return session.session_key


def is_encrypted(store, key):
    return payloads.content(text_of(store, key))[:1] in (b"\x01", b"\x02")


@LISTED
def test_plain_sessions_are_encrypted_and_then_left_alone(store):
    keys = [saved(store) for _ in range(5)]
    assert convert("--batch-size=2") == ("Converted 5 sessions; 0 had the right form already.\n")
    assert all(is_encrypted(store, key) for key in keys)
    texts = [text_of(store, key) for key in keys]
    assert convert(accept=False) == "Converted 0 sessions; 5 had the right form already.\n"
    assert [text_of(store, key) for key in keys] == texts
    with override_settings(SESSION_SERIALIZER=f"{SERIALIZERS}.EncryptedJSONSerializer"):
        assert all(dict(store.SessionStore(key).items()) == DATA for key in keys)


@LISTED
def test_and_back(store):
    key = saved(store, serializer="EncryptedJSONSerializer")
    assert convert(serializer="DecryptingJSONSerializer").startswith("Converted 1 session;")
    assert not is_encrypted(store, key)
    assert dict(store.SessionStore(key).items()) == DATA
    assert convert(serializer="DecryptingJSONSerializer").startswith("Converted 0 sessions; 1 had")


@LISTED
def test_keys_are_rotated(store):
    with override_settings(SESSION_ENCRYPTION_KEYS=[OLD]):
        key = saved(store, serializer="EncryptedJSONSerializer")
    said = convert(accept=False, SESSION_ENCRYPTION_KEYS=[NEW, OLD])
    assert said.startswith("Converted 1 session;")
    with override_settings(
        SESSION_SERIALIZER=f"{SERIALIZERS}.EncryptedJSONSerializer", SESSION_ENCRYPTION_KEYS=[NEW]
    ):
        assert store.SessionStore(key)["colour"] == "green"


@LISTED
def test_another_serializer_inside_writes_its_content(store):
    inner = f"{SERIALIZERS}.PickleSerializer"
    with override_settings(SESSION_ENCRYPTED_SERIALIZER=inner):
        saved(store, serializer="EncryptedJSONSerializer")
    way = {"SESSION_ENCRYPTED_SERIALIZER": f"{SERIALIZERS}.PickleToJSONSerializer"}
    assert convert(accept=False, **way).startswith("Converted 1 session;")
    assert convert(accept=False, **way).startswith("Converted 0 sessions; 1 had")


class Uncompressed(EncryptedJSONSerializer):
    compresses = False


@LISTED
def test_what_was_compressed_is_written_without_compression(store):
    saved(store, {"colour": "green" * 100}, "EncryptedJSONSerializer")
    serializer = f"{__name__}.Uncompressed"
    assert convert(serializer=serializer).startswith("Converted 1 session;")
    assert convert(serializer=serializer).startswith("Converted 0 sessions; 1 had")


@LISTED
def test_what_an_old_secret_key_signed_is_signed_anew(store):
    with override_settings(SECRET_KEY=OLD):
        key = saved(store)
    said = convert(serializer="JSONSerializer", SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD])
    assert said.startswith("Converted 1 session;")
    with override_settings(SECRET_KEY=NEW):
        assert store.SessionStore(key)["colour"] == "green"


@LISTED
def test_pickles_become_json_and_what_cannot_is_left_and_named(store):
    fine = saved(store, {"pair": (1, {2})}, "PickleSerializer")
    odd = [saved(store, {"cart": [Cart()]}, "PickleSerializer") for _ in range(7)]
    with pytest.raises(CommandError) as caught:
        convert(serializer="PickleToJSONSerializer")
    said = str(caught.value)
    assert "7 sessions: session['cart'][0] is of type" in said
    assert "Cart, which cannot be stored" in said
    named = re.search(r"public_id: (.*), …\)", said)[1].split(", ")
    assert len(named) == conversion.NAMED
    assert set(named) <= {_keys.public_id(key) for key in odd}
    assert not any(key in said for key in odd)
    with override_settings(SESSION_SERIALIZER=f"{SERIALIZERS}.TypedJSONSerializer"):
        assert store.SessionStore(fine)["pair"] == (1, {2})
    with override_settings(SESSION_SERIALIZER=f"{SERIALIZERS}.PickleSerializer"):
        assert type(store.SessionStore(odd[0])["cart"][0]) is Cart


@LISTED
def test_a_serializer_that_reads_pickles_may_write_plain_json(store):
    key = saved(store, DATA, "PickleSerializer")
    saved(store, {"seen": {1}}, "PickleSerializer")
    with pytest.raises(CommandError, match=r"1 session: session\['seen'\] is of type builtins.set"):
        convert(serializer=f"{__name__}.Strict")
    assert dict(store.SessionStore(key).items()) == DATA


@LISTED
def test_what_cannot_be_read_is_left_and_named(store):
    key = saved(store, serializer="EncryptedJSONSerializer")
    text = text_of(store, key)
    with pytest.raises(CommandError, match=r"it is signed but cannot be read \(DecryptionError\)"):
        convert(SESSION_ENCRYPTION_KEYS=[NEW])
    assert text_of(store, key) == text
    saved(store)
    with pytest.raises(CommandError, match=r"1 session: .* \(NotEncrypted\)"):
        convert(accept=False)


@LISTED
def test_a_dry_run_writes_nothing(store):
    key = saved(store)
    text = text_of(store, key)
    assert convert("--dry-run") == "Would convert 1 session; 0 had the right form already.\n"
    assert text_of(store, key) == text


@pytest.mark.stores("db", "cached_db", "file")
def test_a_session_ends_when_it_would_have_ended(store, monkeypatch):
    """A conversion is no use of it."""
    with override_settings(SESSION_IDLE_AGE=900, SESSION_ABSOLUTE_AGE=9000):
        key = saved(store)
        if store.kind == "file":
            path = store.path / f"sessionid{key}"
            os.utime(path, (1_900_000_000, 1_900_000_000.5))
            before = path.stat().st_mtime_ns
        else:
            rows = store.SessionStore.get_model_class().objects.filter(pk=key)
            rows.update(session_data=_signed_at(text_of(store, key), 1_900_000_000))
            before = rows.values_list("expire_date", flat=True).get()
        time = payloads.saved_at(payloads.remainder(text_of(store, key)))
        convert()
        assert is_encrypted(store, key)
        assert payloads.saved_at(payloads.remainder(text_of(store, key))) == time
        if store.kind == "file":
            assert path.stat().st_mtime_ns == before
        else:
            assert rows.values_list("expire_date", flat=True).get() == before


@pytest.mark.stores("redis")
def test_so_does_an_entry_of_redis_that_forgets_it_in_time(store):
    key = saved(store)
    storage = store.SessionStore().get_storage()
    storage.server.send("PEXPIRE", storage.name_of(key), 500_000)
    convert()
    assert is_encrypted(store, key)
    assert 450_000 < storage.server.send("PTTL", storage.name_of(key)) <= 500_000


@pytest.mark.stores("redis")
def test_what_redis_forgets_meanwhile_is_not_brought_back(store):
    key = saved(store)
    storage = store.SessionStore().get_storage()
    [[entry]] = storage.entries(1)
    assert storage.remove(key)
    assert not storage.rewrite(entry, "another")
    [found] = storage.many("read_whole", [(key,)])
    assert found is None
    assert not storage.rewrite(Entry(key, Record(entry.record.payload)), "another")


def _signed_at(text, second):
    salt = "django.contrib.sessions.SessionStore"
    data = payloads.decode(text, JSONSerializer, salt)
    return payloads.encode(data, JSONSerializer, salt, second)


@LISTED
def test_a_session_that_a_request_saves_meanwhile_is_left_to_it(store):
    keys = [saved(store) for _ in range(2)]
    encode = payloads.encode

    def save_another(data, *arguments):
        """Between the reading and the writing of the command."""
        with mock.patch.object(payloads, "encode", encode):
            for key in keys:
                session = store.SessionStore(key)
                session["colour"] = "red"
                session.save()
        return encode(data, *arguments)

    with mock.patch.object(payloads, "encode", side_effect=save_another):
        said = convert("--batch-size=2")
    assert said.startswith("Converted 0 sessions")
    assert "2 changed meanwhile: run the command again" in said
    with override_settings(SESSION_SERIALIZER=f"{SERIALIZERS}.EncryptedJSONSerializer"):
        assert {store.SessionStore(key)["colour"] for key in keys} == {"red"}
    assert "1 had" in convert() or "2 had" in convert()


@LISTED
def test_a_session_that_ends_meanwhile_is_not_brought_back(store):
    key = saved(store)
    encode = payloads.encode

    def end_it(data, *arguments):
        store.SessionStore(key).flush()
        return encode(data, *arguments)

    with mock.patch.object(payloads, "encode", side_effect=end_it):
        assert "1 changed meanwhile" in convert()
    assert not store.SessionStore().exists(key)


@LISTED
def test_a_request_under_way_merges_with_a_conversion(store):
    key = saved(store)
    with override_settings(
        SESSION_SERIALIZER=f"{SERIALIZERS}.EncryptedJSONSerializer",
        SESSION_ENCRYPTION_ACCEPT_PLAIN=True,
    ):
        session = store.SessionStore(key)
        session["shape"] = "round"
        convert()
        session.save()
        assert dict(store.SessionStore(key).items()) == {**DATA, "shape": "round"}


@pytest.mark.stores("cached_db")
def test_no_copy_of_the_old_form_is_left(store):
    key = saved(store)
    assert store.SessionStore(key)["colour"] == "green"
    name = store.SessionStore.cache_key_prefix + key
    assert "green" in repr(caches[store.cache].get(name))
    convert()
    assert "green" not in repr(caches[store.cache].get(name))


@pytest.mark.stores("db", "cached_db")
def test_expired_sessions_and_forwards_are_left_out(store):
    saved(store, expiry=timedelta(seconds=-60))
    session = store.SessionStore(saved(store, {"_auth_user_id": "1"}))
    assert session["_auth_user_id"] == "1"
    session.cycle_key()
    assert convert().startswith("Converted 1 session; 0 had")


@pytest.mark.stores("file")
def test_files_of_others_are_left_out(store):
    for name in ("sessionidx", f"sessionid{'a' * 32}_out_moved", "notes"):
        (store.path / name).write_text("something else")
    (store.path / f"sessionid{'b' * 32}").write_text("")  # as Django's engine creates it
    saved(store)
    assert convert().startswith("Converted 1 session; 0 had")


@pytest.mark.stores("cache", "signed_cookies")
def test_a_store_that_cannot_be_listed_says_so(store):
    with pytest.raises(CommandError, match="cannot be converted in one run"):
        convert()


@pytest.mark.stores("db")
def test_no_signal_is_sent_and_no_column_changes_but_the_payload(store):
    from django.db.models.signals import post_save, pre_save

    key = saved(store)
    model = store.SessionStore.get_model_class()
    heard = []

    def hear(**kwargs):
        heard.append(kwargs["sender"])

    for each in (pre_save, post_save):
        each.connect(hear, sender=model, weak=False)
    try:
        convert()
    finally:
        for each in (pre_save, post_save):
            each.disconnect(hear, sender=model)
    assert heard == []
    assert is_encrypted(store, key)


@pytest.mark.stores("db")
def test_an_own_encode_and_decode_are_used(store, monkeypatch):
    class SessionStore(db.SessionStore):
        key_salt = "django.contrib.sessions.SessionStore"

        def encode(self, data):
            return "own:" + super().encode(data)

        def decode(self, text):
            return super().decode(text.removeprefix("own:"))

    key = saved(store)
    monkeypatch.setattr("dj_sessions.backends.db.SessionStore", SessionStore)
    convert(serializer="JSONSerializer")
    assert text_of(store, key).startswith("own:")
    store.SessionStore.get_model_class().objects.update(session_data="rubbish")
    with pytest.raises(CommandError, match="own decode"):
        convert(serializer="JSONSerializer")


@pytest.mark.parametrize("arguments", [["--batch-size=0"], ["--sleep=-1"], ["--batch-size=99999"]])
def test_a_number_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(CommandError, match="must be a"):
        convert(*arguments)


def test_a_signal_ends_it_between_two_batches(monkeypatch):
    from dj_sessions.management import _interruption

    class Endless(conversion.Conversion):
        def batches(self, size):
            for _ in range(3):
                self.outcome.converted += size
                os.kill(os.getpid(), 15)
                yield size

    monkeypatch.setattr(
        db.SessionStore, "_start_conversion", lambda is_dry: Endless(Storage(), str), raising=False
    )
    with pytest.raises(CommandError) as caught:
        convert()
    assert caught.value.returncode == _interruption.SIGNALLED + 15
    assert "Ended by SIGTERM. Converted 500 sessions;" in str(caught.value)
