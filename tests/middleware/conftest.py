"""Sessions in a cache in local memory, on which their methods block nobody."""

import pytest
from django.test import override_settings


@pytest.fixture(autouse=True)
def engine(fresh_caches):
    with override_settings(SESSION_ENGINE="dj_sessions.backends.cache"):
        yield
