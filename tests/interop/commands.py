"""The commands of the worker processes of these tests."""

import io
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.test import override_settings

from tests.interop.modes import MODES


def do_manage(arguments: list[str]) -> str:
    """Run a management command; return what it printed, and its exit status if it gave one."""
    output = io.StringIO()
    try:
        call_command(*arguments, stdout=output, no_color=True)
    except SystemExit as end:
        output.write(f"exit status {end.code}")
    return output.getvalue().strip()


def do_session(
    mode: str, key: str | None, calls: list[Any], overrides: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Open the session of `key` and make the calls, each (method, args, kwargs), on it.

    The answer holds what each call returned and the session's key after the last one.
    """
    spelling = MODES[mode]

    async def body() -> dict[str, Any]:
        store = import_module(settings.SESSION_ENGINE).SessionStore(key)
        returned = [
            await spelling.call(store, name, *args, **kwargs) for name, args, kwargs in calls
        ]
        return {"returned": returned, "key": store._session_key}

    with override_settings(**overrides or {}):
        return spelling.run(body)


def do_forget_cached(key: str) -> None:
    """Evict one session from the cache, as a full cache does."""
    prefix = import_module(settings.SESSION_ENGINE).SessionStore.cache_key_prefix
    caches[settings.SESSION_CACHE_ALIAS].delete(prefix + key)


def do_count_rows() -> dict[str, int]:
    from django.apps import apps

    return {model.__name__: model._default_manager.count() for model in apps.get_models()}


def do_decode_row(key: str) -> Any:
    """Read a session through its model, as reports and admin pages do."""
    from django.contrib.sessions.models import Session

    return Session.objects.get(pk=key).get_decoded()


def do_bookmark(key: str, page: str) -> None:
    from tests.interop.bookmarks.models import Bookmark

    Bookmark.objects.create(session_id=key, page=page)


def do_bookmarks(key: str) -> list[tuple[str, Any]]:
    """The bookmarks of a session, with its data as read through the foreign key."""
    from tests.interop.bookmarks.models import Bookmark

    bookmarks = Bookmark.objects.select_related("session").filter(session__session_key=key)
    return [(bookmark.page, bookmark.session.get_decoded()) for bookmark in bookmarks]


def do_add_user(username: str) -> None:
    from django.contrib.auth.models import User

    User.objects.create_user(username, password=username)


def do_serve() -> dict[str, str]:
    """Serve the site in the background; return the addresses of its views."""
    from tests.interop.serving import serve_asgi, serve_wsgi

    return {"wsgi": serve_wsgi() + "/sync/", "asgi": serve_asgi() + "/async/"}


def do_carry(keys: list[str]) -> list[str]:
    """Move the sessions of these keys; return what became of each."""
    storage = import_module(settings.SESSION_ENGINE).SessionStore().get_storage()
    return [str(storage.carry(key)) for key in keys]


def do_package() -> str:
    """Whose sessions this site uses."""
    return settings.SESSION_ENGINE.partition(".backends.")[0]
