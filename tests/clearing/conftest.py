"""Expired rows and files, many at a time."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dj_sessions.backends.file import SessionStore as FileStore


@pytest.fixture
def model(store: Any) -> Any:
    return store.SessionStore.get_model_class()


@pytest.fixture
def rows(model: Any) -> Any:
    """Make rows that expired `ago` minutes before now, each a second after the one before."""

    def make(number: int, ago: float = 60, prefix: str = "a", spread: float = 1) -> list[str]:
        first = timezone.now() - timedelta(minutes=ago)
        made = [
            model(
                session_key=f"{prefix}{place:031}",
                session_data="",
                expire_date=first + timedelta(seconds=place * spread / 1000),
            )
            for place in range(number)
        ]
        model.objects.bulk_create(made)
        return [row.session_key for row in made]

    return make


@pytest.fixture
def files(store: Any) -> Any:
    """Make files of sessions of which `modified` seconds are over."""

    def make(number: int, modified: float, prefix: str = "a", expiry: Any = None) -> list[str]:
        session = FileStore()
        session["colour"] = "green"
        if expiry is not None:
            session.set_expiry(expiry)
        content = session.encode(dict(session.items()))
        names = [f"sessionid{prefix}{place:031}" for place in range(number)]
        for name in names:
            path = store.path / name
            path.write_text(content)
            was = path.stat().st_mtime - modified
            os.utime(path, (was, was))
        return names

    return make
