"""The names of the app, its model and the fields, in the language of the request.

Django ships them in its own sessions, and loads what installed apps ship: after the switch, no
longer these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from gettext import translation
from typing import Final
from weakref import WeakKeyDictionary

from django.apps import apps
from django.conf import settings
from django.contrib import sessions as django_sessions
from django.utils.functional import lazy
from django.utils.translation import get_language, to_locale, trans_real

NAMES: Final = (
    *("Sessions", "session", "sessions"),
    *("session key", "session data", "expire date"),
)
CATALOGUES: Final = os.path.join(django_sessions.__path__[0], "locale")  # noqa: PTH118

#: What was read, for as long as Django keeps what it has read of the same language.
_read: WeakKeyDictionary[trans_real.DjangoTranslation, Mapping[str, str]] = WeakKeyDictionary()


class Catalogue(trans_real.DjangoTranslation):
    """All texts of a site in one language, merged by Django's rules, its sessions' among them.

    These stand where this app stands in INSTALLED_APPS, so that the same apps and directories win
    over them as before the switch; without this app, they stand last.
    """

    def _add_installed_apps_translations(self) -> None:
        locale = to_locale(self.language())
        for directory in reversed([*_directories()]):
            self.merge(translation(self.domain, directory, [locale], fallback=True))

    def _add_fallback(self, localedirs: object = None) -> None:
        language, default = self.language(), settings.LANGUAGE_CODE
        if language != default and not language.startswith("en"):
            self.add_fallback(Catalogue(default))


def _directories() -> Iterator[str]:
    """Yield where the apps have their catalogues, those that win first."""
    for config in apps.get_app_configs():
        yield CATALOGUES if config.name == "dj_sessions" else f"{config.path}/locale"
    yield CATALOGUES


def gettext(name: str) -> str:
    """Return one of ``NAMES`` in the active language; as it is while translations are off."""
    language = get_language() if settings.USE_I18N else None
    return _names_in(language)[name] if language else name


def _names_in(language: str) -> Mapping[str, str]:
    django = trans_real.translation(language)
    names = _read.get(django)
    if names is None:
        catalogue = Catalogue(language)
        names = _read[django] = {name: catalogue.gettext(name) for name in NAMES}
    return names


gettext_lazy = lazy(gettext, str)
