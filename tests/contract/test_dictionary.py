"""The session as a dictionary, and the test cookie."""

import pytest

DATA = {"colour": "green", "size": 3}


def test_what_was_saved_can_be_read(save, reopen):
    session = reopen(save(**DATA))
    assert session.get("colour") == "green"
    assert session.raw["size"] == 3
    assert sorted(session.keys()) == ["colour", "size"]
    assert sorted(session.values(), key=str) == [3, "green"]
    assert dict(session.items()) == DATA
    assert session.has_key("colour")
    assert "size" in session.raw


def test_what_is_not_there_is_its_default_or_a_key_error(save, reopen):
    session = reopen(save(**DATA))
    assert session.get("shape") is None
    assert session.get("shape", "round") == "round"
    assert session.get("shape", default="oval") == "oval"
    assert not session.has_key("shape")
    assert "shape" not in session.raw
    with pytest.raises(KeyError, match="shape"):
        session.raw["shape"]
    with pytest.raises(KeyError, match="shape"):
        del session.raw["shape"]


def test_iterating_gives_the_keys_and_len_counts_them(save, reopen):
    session = reopen(save(**DATA))
    assert sorted(session.raw) == ["colour", "size"]
    assert len(session.raw) == 2
    assert len(reopen(None).raw) == 0
    assert list(reopen(None).raw) == []


def test_a_session_is_true_while_it_has_a_key_or_data(new, save, reopen):
    assert not new().raw
    session = new()
    session.set("colour", "green")
    assert session.raw
    stored = reopen(save(**DATA))
    assert stored.raw
    stored.clear()
    assert stored.raw  # the key stays, and so does the stored session
    stored.flush()
    assert not stored.raw


def test_set_and_delete_item_change_what_is_stored(save, reopen):
    session = reopen(save(**DATA))
    session.set("shape", "round")
    session.raw["weight"] = 7
    del session.raw["size"]
    session.save()
    assert dict(reopen(session.session_key).items()) == {
        "colour": "green",
        "shape": "round",
        "weight": 7,
    }


def test_pop_removes_and_returns(save, reopen):
    session = reopen(save(**DATA))
    assert session.pop("colour") == "green"
    assert session.pop("colour", "gone") == "gone"
    assert session.pop("colour", default=None) is None
    with pytest.raises(KeyError, match="colour"):
        session.pop("colour")
    session.save()
    assert dict(reopen(session.session_key).items()) == {"size": 3}


def test_setdefault_sets_only_what_is_missing(save, reopen):
    session = reopen(save(**DATA))
    assert session.setdefault("colour", "red") == "green"
    assert session.setdefault("shape", "round") == "round"
    session.save()
    assert dict(reopen(session.session_key).items()) == {**DATA, "shape": "round"}


def test_setdefault_returns_the_value_also_where_a_subclass_stores_it_elsewhere(store, mode):
    class Upper(store.SessionStore):
        def __setitem__(self, key, value):
            super().__setitem__(key.upper(), value)

    session = mode.wrap(Upper())
    assert session.setdefault("colour", "green") == "green"
    assert dict(session.items()) == {"COLOUR": "green"}


def test_update_takes_a_dictionary_or_pairs(save, reopen):
    session = reopen(save(**DATA))
    session.update({"size": 4, "shape": "round"})
    session.update([("weight", 7)])
    session.save()
    assert dict(reopen(session.session_key).items()) == {
        "colour": "green",
        "size": 4,
        "shape": "round",
        "weight": 7,
    }


def test_clear_removes_all_data_and_keeps_the_key(save, reopen):
    key = save(**DATA)
    session = reopen(key)
    session.clear()
    assert dict(session.items()) == {}
    assert session.session_key == key
    session.save()
    assert dict(reopen(session.session_key).items()) == {}


def test_a_nested_value_that_changed_is_saved(save, reopen):
    session = reopen(save(cart={"items": []}))
    session.get("cart")["items"].append("apple")
    session.modified = True
    session.save()
    assert reopen(session.session_key).get("cart") == {"items": ["apple"]}


PLAIN_VALUES = {
    "text": "Zürich 東京 🦆 \x00 \ud800",
    "nested": {"": None, "list": [1, 2.5, True, {"deep": ["down"]}]},
    "long": ["x" * 2500, {"a" * 50: "b"}],
    "big number": -(2**70),
}


def test_every_plain_value_comes_back_as_it_was(save, reopen):
    for what, value in PLAIN_VALUES.items():
        assert reopen(save(value=value)).get("value") == value, what


def test_a_test_cookie_tells_whether_cookies_work(save, reopen):
    session = reopen(save(**DATA))
    assert not session.test_cookie_worked()
    session.set_test_cookie()
    session.save()
    session = reopen(session.session_key)
    assert session.test_cookie_worked()
    session.delete_test_cookie()
    assert session.modified
    session.save()
    session = reopen(session.session_key)
    assert not session.test_cookie_worked()
    assert dict(session.items()) == DATA
    with pytest.raises(KeyError, match="testcookie"):
        session.delete_test_cookie()
