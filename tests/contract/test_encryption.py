"""EncryptedJSONSerializer on every engine: what is stored, and what an attacker can do with it."""

import base64
import logging
from base64 import urlsafe_b64decode

import pytest
from django.core import signing
from django.core.cache import caches
from django.test import override_settings

from dj_sessions._codec import payloads
from dj_sessions._codec.encryption import DecryptionError
from dj_sessions.backends.signed_cookies import SALT
from dj_sessions.models import Session
from dj_sessions.serializers import EncryptedJSONSerializer
from tests.contract import test_corruption
from tests.contract.test_corruption import assert_one_line
from tests.stores import stored_name

spoil = test_corruption.spoil

ENCRYPTED = "dj_sessions.serializers.EncryptedJSONSerializer"
DECRYPTING = "dj_sessions.serializers.DecryptingJSONSerializer"
JSON = "dj_sessions.serializers.JSONSerializer"
SECRET = "a-value-nobody-may-read"
OLD, NEW = "an old secret of at least 32 characters", "a new secret of at least 32 characters"
ENGINES = ("db", "cache", "file", "signed_cookies")


@pytest.fixture(autouse=True)
def encrypted():
    with override_settings(SESSION_SERIALIZER=ENCRYPTED):
        yield


def salt_of(store):
    return SALT if store.kind == "signed_cookies" else store.SessionStore().key_salt


def entry_name(store, key):
    return store.SessionStore.cache_key_prefix + stored_name(key)


def text_of(store, key):
    """The payload that the store has under a key."""
    if store.kind == "signed_cookies":
        return key
    if store.kind == "file":
        return (store.path / f"sessionid{stored_name(key)}").read_text()
    if store.kind == "cache":
        return caches[store.cache].get(entry_name(store, key))
    if store.kind == "redis":
        return store.SessionStore().get_storage().read(stored_name(key)).payload
    rows = store.SessionStore.get_model_class().objects
    return rows.values_list("session_data", flat=True).get(session_key=stored_name(key))


def held(store, key):
    """Whatever the store has under a key, as bytes, also what its text stands for."""
    found = [text_of(store, key)]
    if store.cache:
        names = (entry_name(store, key), f"{entry_name(store, key)}/tag")
        found += [value for name in names if (value := caches[store.cache].get(name)) is not None]
    texts = [value if isinstance(value, bytes) else repr(value).encode() for value in found]
    return b" ".join([*texts, payloads.content(found[0])])


def resigned(store, content):
    """A text of the store with other content: of an attacker who has SECRET_KEY as well."""
    packed = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return signing.TimestampSigner(salt=salt_of(store)).sign(packed)


def read(reopen, key):
    return dict(reopen(key).items())


@pytest.mark.parametrize("form", ["django", "compact"])
def test_nothing_that_is_stored_can_be_read(store, save, reopen, form):
    with override_settings(SESSION_COPY_FORMAT=form):
        key = save(secret=SECRET)
        session = reopen(key)
        assert session.get("secret") == SECRET
        session.set("other", SECRET)
        session.save()
        key = session.session_key
        assert read(reopen, key) == {"secret": SECRET, "other": SECRET}
        assert SECRET.encode() not in held(store, key)
        if store.kind == "cached_db":  # it has a copy, of which it was read
            assert text_of(store, key).encode() in caches[store.cache].get(entry_name(store, key))


def test_what_is_stored_can_be_read_without_encryption(store, save):
    """So that the test above can fail."""
    with override_settings(SESSION_SERIALIZER=JSON):
        key = save(secret=SECRET)
    if store.kind == "cache":
        assert SECRET in repr(text_of(store, key))
    else:
        assert SECRET.encode() in held(store, key)


def test_the_text_is_django_s_signed_text_and_is_not_compressed_twice(store, save):
    text = text_of(store, save(secret=SECRET * 100))
    assert not text.startswith(".")
    signing.TimestampSigner(salt=salt_of(store)).unsign(text)
    assert len(text) < 300  # it was compressed before it was encrypted
    one, other = (text_of(store, save(a=1)).partition(":")[0] for _ in range(2))
    assert one != other


def test_a_session_of_the_site_s_own_serializer_keeps_it(store, mode, new, reopen):
    class Uncompressed(EncryptedJSONSerializer):
        compresses = False

    session = new()
    session.serializer = Uncompressed
    session.set("secret", SECRET * 100)
    session.save()
    key = session.session_key
    assert len(text_of(store, key)) > 2000
    assert SECRET.encode() not in held(store, key)
    assert read(reopen, key) == {"secret": SECRET * 100}


def test_a_subclass_of_an_engine_reads_what_its_base_wrote(store, save):
    key = save(secret=SECRET)
    subclass = type("SessionStore", (store.SessionStore,), {})
    assert subclass(key)["secret"] == SECRET


@pytest.mark.stores("db", "cached_db")
def test_the_row_and_both_engines_that_keep_rows_read_it(store, save):
    key = save(secret=SECRET)
    decoded = Session.objects.using(store.database).get(pk=stored_name(key)).get_decoded()
    assert decoded["secret"] == SECRET
    for name in ("db", "cached_db"):
        engine = __import__(f"dj_sessions.backends.{name}", fromlist=["SessionStore"])
        assert engine.SessionStore(key)["secret"] == SECRET


# Attacks


def damaged(content, other):
    """Ciphertexts that nobody encrypted."""
    for length in (0, 1, 5, 13, 20, 28, 29, len(content) - 1):
        yield f"cut to {length}", content[:length]
    for place in (0, 1, 12, 13, -17, -16, -1):
        flipped = bytearray(content)
        flipped[place] ^= 3  # of the mark: another mark
        yield f"flipped at {place}", bytes(flipped)
    yield "the nonce of another", content[:1] + other[1:13] + content[13:]
    yield "the tag of another", content[:-16] + other[-16:]
    yield "the content of another", content[:13] + other[13:]
    yield "twice", content + content
    yield "longer", content + b"\0"


def test_a_damaged_ciphertext_is_an_empty_session_and_one_line(store, save, spoil, reopen, caplog):
    content, other = (payloads.content(text_of(store, save(user=user))) for user in (1, 2))
    for what, forged in damaged(content, other):
        key = spoil(save(colour="green"), resigned(store, forged))
        caplog.clear()
        assert read(reopen, key) == {}, what
        assert_one_line(caplog, key)


def moved_from(engine, purpose):
    return EncryptedJSONSerializer.for_engine(engine, purpose).dumps({"user": 1})


def test_a_value_of_another_engine_or_purpose_is_an_empty_session_and_one_line(
    store, save, spoil, reopen, caplog
):
    own, purpose = store.SessionStore.engine_name, salt_of(store)
    others = [(engine, purpose) for engine in (*ENGINES, "", f"{own} ") if engine != own]
    others += [(own, "messages"), (own, ""), (own, purpose + "s"), ("", f"{own} {purpose}")]
    for other in others:
        key = spoil(save(colour="green"), resigned(store, moved_from(*other)))
        caplog.clear()
        assert read(reopen, key) == {}, other
        assert_one_line(caplog, key)
    key = spoil(save(colour="green"), resigned(store, moved_from(own, purpose)))
    assert read(reopen, key) == {"user": 1}


def test_engine_and_purpose_are_kept_apart():
    sealed = EncryptedJSONSerializer.for_engine("a b", "c").dumps({})
    with pytest.raises(DecryptionError):
        EncryptedJSONSerializer.for_engine("a", "b c").loads(sealed)


def test_each_engine_has_a_name_of_its_own_but_those_that_share_rows(store):
    shared = "db" if store.kind == "cached_db" else store.kind
    assert store.SessionStore.engine_name == shared


def test_plain_data_is_no_session_whoever_signed_it(store, save, spoil, reopen, caplog):
    for content in (b'{"user":1}', b'{"user":1}\n', b"{}", b"", b"\x03" + b"x" * 40):
        key = spoil(save(colour="green"), resigned(store, content))
        caplog.clear()
        assert read(reopen, key) == {}, content
        assert_one_line(caplog, key)


def test_a_session_of_before_the_encryption_counts_only_if_the_site_says_so(
    store, save, reopen, caplog
):
    with override_settings(SESSION_SERIALIZER=JSON):
        key = save(secret=SECRET)
    assert read(reopen, key) == {}
    assert_one_line(caplog, key, SECRET)
    with override_settings(SESSION_ENCRYPTION_ACCEPT_PLAIN=True):
        session = reopen(key)
        assert session.get("secret") == SECRET
        session.set("colour", "green")
        session.save()
    assert SECRET.encode() not in held(store, session.session_key)
    assert read(reopen, session.session_key) == {"secret": SECRET, "colour": "green"}


@pytest.mark.stores("cached_db")
@pytest.mark.parametrize("form", ["django", "compact"])
def test_a_copy_of_before_the_encryption_does_not_count(store, save, reopen, form, caplog):
    with override_settings(SESSION_SERIALIZER=JSON, SESSION_COPY_FORMAT=form):
        key = save(secret=SECRET)
    rows = store.SessionStore.get_model_class().objects.filter(session_key=stored_name(key))
    rows.update(session_data=store.SessionStore().encode({"secret": "encrypted"}))
    assert read(reopen, key) == {"secret": "encrypted"}
    assert not caplog.records


# Keys


def secrets(*keys):
    return override_settings(SESSION_ENCRYPTION_KEYS=list(keys))


def test_a_rotation_that_is_half_done_loses_nothing(store, save, reopen):
    """Two servers: first each learns the new key, then each begins to use it."""
    with secrets(OLD):
        before = save(secret=SECRET)
    for here, there in [((OLD,), (OLD, NEW)), ((OLD, NEW), (NEW, OLD)), ((NEW, OLD), (NEW,))]:
        if there != (NEW,):
            with secrets(*there):
                assert read(reopen, before) == {"secret": SECRET}
        with secrets(*here):
            key = save(secret=SECRET)
        with secrets(*there):
            assert read(reopen, key) == {"secret": SECRET}
            session = reopen(key)
            session.set("colour", "green")
            session.save()
        with secrets(*here):
            assert reopen(session.session_key).get("colour") == "green"


def test_another_key_is_an_empty_session_and_one_line(store, save, reopen, caplog):
    with secrets(OLD):
        key = save(secret=SECRET)
    for keys in ((NEW,), (NEW, "another secret of at least 32 characters")):
        caplog.clear()
        with secrets(*keys):
            assert read(reopen, key) == {}
        assert_one_line(caplog, key, SECRET)


def test_a_key_of_secret_key_can_be_carried_over(settings, save, reopen):
    key = save(secret=SECRET)
    with secrets(NEW, settings.SECRET_KEY):
        assert read(reopen, key) == {"secret": SECRET}


def test_an_old_secret_key_decrypts_while_it_is_a_fallback(store, save, reopen):
    with override_settings(SECRET_KEY=OLD):
        key = save(secret=SECRET)
    with override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=["", OLD]):
        assert read(reopen, key) == {"secret": SECRET}
    with override_settings(SECRET_KEY=NEW):
        assert read(reopen, key) == {}


# The way back


def test_it_is_turned_off_without_logging_anybody_out(store, save, reopen, caplog):
    caplog.set_level(logging.WARNING)
    key = save(secret=SECRET)
    with override_settings(SESSION_SERIALIZER=DECRYPTING):
        session = reopen(key)
        assert session.get("secret") == SECRET
        session.set("colour", "green")
        session.save()
        key = session.session_key
        assert read(reopen, key) == {"secret": SECRET, "colour": "green"}
    with override_settings(SESSION_SERIALIZER=JSON):
        assert read(reopen, key) == {"secret": SECRET, "colour": "green"}
    assert not caplog.records


#: What servers have while encryption is turned on, step by step; turning it off goes the same way.
STEPS = (
    {"SESSION_SERIALIZER": JSON},
    {"SESSION_SERIALIZER": DECRYPTING},
    {"SESSION_SERIALIZER": ENCRYPTED, "SESSION_ENCRYPTION_ACCEPT_PLAIN": True},
    {"SESSION_SERIALIZER": ENCRYPTED},
)
#: Servers of two steps that follow each other serve one visitor in turn.
TURNS = (0, 1, 0, 1, 2, 1, 2)
CONVERTED = (2, 3, 2, 3)


def test_servers_of_two_steps_that_follow_each_other_share_sessions(save, reopen, caplog):
    caplog.set_level(logging.WARNING)
    with override_settings(**STEPS[0]):
        key = save(secret=SECRET)
    for turn, step in enumerate((*TURNS, *CONVERTED, *reversed((*TURNS, *CONVERTED)))):
        with override_settings(**STEPS[step]):
            session = reopen(key)
            assert session.get("secret") == SECRET
            session.set("turn", turn)
            session.save()
            key = session.session_key
    assert not caplog.records


def test_the_content_is_what_the_inner_serializer_writes(store, save, reopen):
    inner = "dj_sessions.serializers.TypedJSONSerializer"
    with override_settings(SESSION_ENCRYPTED_SERIALIZER=inner):
        key = save(pair=(1, 2), seen={3})
        assert read(reopen, key) == {"pair": (1, 2), "seen": {3}}


def test_no_part_of_the_text_is_what_was_stored(store, save):
    """Neither here nor there is a name of the data to be found, as it is or as base64."""
    text = text_of(store, save(secret=SECRET)).partition(":")[0]
    assert b"secret" not in urlsafe_b64decode(text + "==")
