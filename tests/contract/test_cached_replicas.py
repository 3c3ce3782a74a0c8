"""cached_db with a replica that is behind: its old rows never become copies."""

import pytest
from django.core.cache import caches

from tests import router
from tests.stores import stored_name

pytestmark = [
    pytest.mark.stores("cached_db", database="sqlite"),
    pytest.mark.usefixtures("databases"),
]


def test_the_copy_is_made_of_the_row_as_it_was_written(store, save, reopen):
    key = save(colour="green")
    rows = store.SessionStore.get_model_class()._base_manager
    rows.using("default").get(pk=stored_name(key)).save(using="replica")
    session = reopen(key)
    session.set("colour", "red")
    session.save()
    caches[store.cache].clear()
    with router.reading_from("replica"):
        assert reopen(key).get("colour") == "red"
        assert reopen(key).get("colour") == "red"
