"""Fixtures of this directory: its app installed, an engine chosen, a browser.

`engine(path)` puts an engine into the settings and returns its SessionStore; `keep_in(model)` has
the engine of the test keep its sessions there; `browser` visits the views of urls.py in the mode
of the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connections
from django.test import modify_settings

from dj_sessions.storage.rows.comparable import keeps_payloads
from dj_sessions.storage.rows.prepared import _rows
from tests.modes import Mode


@pytest.fixture(scope="module", autouse=True)
def installed_app(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The app of this directory, with its tables in every database."""
    if django_settings.SESSIONS_ROOT != "dj_sessions":
        pytest.skip("the engines here are written on dj_sessions; on Django's some never end")
    with modify_settings(INSTALLED_APPS={"append": "tests.subclasses"}):
        apps.clear_cache()  # models remember who points at them
        found = apps.get_app_config("subclasses").get_models()
        models = [model for model in found if not model._meta.proxy]
        with django_db_blocker.unblock():
            for connection in connections.all():
                with connection.schema_editor() as editor:
                    for model in models:
                        editor.create_model(model)
        yield
        with django_db_blocker.unblock():
            for connection in connections.all():
                with connection.schema_editor() as editor:
                    for model in reversed(models):
                        editor.delete_model(model)
    apps.clear_cache()


@pytest.fixture
def engine(store: Any, settings: Any) -> Callable[[str], Any]:
    settings.ROOT_URLCONF = "tests.subclasses.urls"

    def use(path: str) -> Any:
        settings.SESSION_ENGINE = path
        return import_module(path).SessionStore

    return use


@pytest.fixture
def keep_in(store: Any, monkeypatch: Any) -> Callable[..., Any]:
    """Have the engine keep its sessions in another model; `columns` are made from the row."""

    def subclass(model: Any, **columns: Callable[[Any], Any]) -> Any:
        class SessionStore(store.SessionStore):  # type: ignore[misc]
            @classmethod
            def get_model_class(cls) -> Any:
                return model

            def create_model_instance(self, data: dict[str, Any]) -> Any:
                row = super().create_model_instance(data)
                for name, value_of in columns.items():
                    setattr(row, name, value_of(row))
                return row

        monkeypatch.setattr(f"{store.engine}.SessionStore", SessionStore)
        return SessionStore

    return subclass


@pytest.fixture
def counting_changed_rows(store: Any, monkeypatch: Any) -> Iterator[None]:
    """A connection with flags of the site's own, among which the one that Django sets is not."""
    connection = connections[store.database]

    def forget() -> None:
        connection.close()
        for function in (_rows, keeps_payloads):
            function.cache_clear()

    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "client_flag", 0)
    forget()
    yield
    monkeypatch.undo()
    forget()


@dataclass(frozen=True)
class Browser:
    client: Any
    mode: Mode

    def visit(self, view: str, headers: dict[str, str] | None = None, **query: object) -> Any:
        response = self.client.get(self.mode.url(view), query, headers=headers)
        assert response.status_code == 200
        return response

    @property
    def cookie(self) -> Any:
        return self.client.cookies.get(django_settings.SESSION_COOKIE_NAME)

    @property
    def key(self) -> str | None:
        return self.cookie.value if self.cookie else None


@pytest.fixture
def browser(mode: Mode) -> Browser:
    return Browser(mode.client(), mode)
