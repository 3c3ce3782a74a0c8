"""`_translations`: the app, its model and the fields have the names that Django gives them."""

import json
import struct
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import sessions as django_sessions
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps
from django.utils import translation
from django.utils.translation import to_language

from dj_sessions import _translations
from dj_sessions.base_session import AbstractBaseSession
from dj_sessions.models import Session
from tests.fresh import run

DJANGO = "django.contrib.sessions"
SHIPPED = sorted(
    to_language(path.parents[1].name)
    for path in Path(django_sessions.__file__).parent.glob("locale/*/LC_MESSAGES/django.mo")
)
#: A region without a catalogue of its own, another case, and a language that nobody speaks.
OTHERS = ["de-at", "es-ni", "fr-ca", "PT-BR", "zh-hans-sg", "xx"]
ENGLISH = {
    "app": "Sessions",
    "model": "session",
    "models": "sessions",
    "session_key": "session key",
    "session_data": "session data",
    "expire_date": "expire date",
}

SPEAK = """
    from django.apps import apps
    from django.utils.translation import override

    def names():
        config = apps.get_app_config("sessions")
        meta = config.get_model("Session")._meta
        own = {"app": config.verbose_name, "model": meta.verbose_name}
        own["models"] = meta.verbose_name_plural
        own |= {field.name: field.verbose_name for field in meta.fields}
        return {name: str(text) for name, text in own.items()}

    said = {}
    for language in LANGUAGES:
        with override(language):
            said[language] = names()
    print(json.dumps(said))
"""


def speak(app, languages, **settings):
    """The names of the app, its model and the fields, by language, in a site of its own."""
    code = SPEAK.replace("LANGUAGES", repr(languages))
    middleware = [f"{app}.middleware.SessionMiddleware"]
    engine = f"{app}.backends.db"
    return json.loads(run(code, MIDDLEWARE=middleware, SESSION_ENGINE=engine, **settings))


@cache
def everything(app, language_code):
    return speak(app, SHIPPED + OTHERS, INSTALLED_APPS=[app], LANGUAGE_CODE=language_code)


def names(model=Session):
    meta = model._meta
    shown = {field.name: field.verbose_name for field in meta.fields}
    shown |= {"model": meta.verbose_name, "models": meta.verbose_name_plural}
    return {name: str(text) for name, text in shown.items()}


# As Django names them


def test_django_ships_the_names_in_many_languages():
    """So that the next test can fail."""
    assert len(SHIPPED) > 90
    said = everything(DJANGO, "en-us")
    assert said["de"] == {
        "app": "Sessions",
        "model": "Sitzung",
        "models": "Sitzungen",
        "session_key": "Sitzungs-ID",
        "session_data": "Sitzungsdaten",
        "expire_date": "Verfallsdatum",
    }
    assert said["ja"]["app"] == "セッション"
    assert said["de-at"] == said["de"]
    assert said["en"] == ENGLISH


@pytest.mark.parametrize("language", SHIPPED + OTHERS)
@pytest.mark.parametrize("language_code", ["en-us", "de"])
def test_the_names_are_those_of_a_site_with_django_s_app(language, language_code):
    ours = everything("dj_sessions", language_code)
    assert ours[language] == everything(DJANGO, language_code)[language]


def catalogue(directory, language, **texts):
    """Write what msgfmt would make of these texts."""
    texts = {"": "Content-Type: text/plain; charset=UTF-8\n"} | {
        ENGLISH[name]: text for name, text in texts.items()
    }
    pairs = sorted((key.encode(), text.encode()) for key, text in texts.items())
    place, data, tables = 28 + 16 * len(pairs), b"", (b"", b"")
    for column in (0, 1):
        table = b""
        for pair in pairs:
            table += struct.pack("<II", len(pair[column]), place + len(data))
            data += pair[column] + b"\0"
        tables = (*tables[:column], table, *tables[column + 1 :])
    head = struct.pack("<IIIIIII", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    path = directory / language / "LC_MESSAGES" / "django.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(head + b"".join(tables) + data)


@pytest.fixture
def others(tmp_path):
    """Apps before and after the sessions, and a directory of the site, with names of their own."""
    for name in ("earlier", "later"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    catalogue(tmp_path / "earlier/locale", "de", model="früher", models="früher")
    catalogue(tmp_path / "earlier/locale", "de_AT", expire_date="in Wien")
    catalogue(tmp_path / "later/locale", "de", model="später", expire_date="später")
    catalogue(tmp_path / "later/locale", "de_AT", session_data="in Linz")
    catalogue(tmp_path / "later/locale", "xx", session_key="xx")
    catalogue(tmp_path / "site", "de", models="der Site")
    return tmp_path


def test_what_wins_over_django_s_names_wins_over_ours(others):
    languages = ["de", "de-at", "xx", "fr"]
    both = [
        speak(
            app,
            languages,
            path=others,
            INSTALLED_APPS=["earlier", app, "later"],
            LOCALE_PATHS=[str(others / "site")],
            LANGUAGE_CODE="de",
        )
        for app in (DJANGO, "dj_sessions")
    ]
    assert both[0] == both[1]
    ours = both[1]["de"]
    assert (ours["model"], ours["models"]) == ("früher", "der Site")
    assert (ours["expire_date"], ours["app"]) == ("Verfallsdatum", "Sessions")
    assert both[1]["xx"] == ours | {"session_key": "xx"}
    assert both[1]["fr"]["session_key"] == "clé de session"


# Where there is nothing to translate, or nothing to translate with


@pytest.mark.parametrize("language", [None, "en", "en-gb"])
def test_the_names_are_english_where_translations_are_off(language):
    with translation.override(language):
        assert names().items() <= ENGLISH.items()
        assert str(apps.get_app_config("sessions").verbose_name) == "Sessions"


def test_a_site_without_translations_has_english_names():
    said = speak("dj_sessions", ["de"], INSTALLED_APPS=["dj_sessions"], USE_I18N=False)
    assert said["de"] == ENGLISH


def test_a_language_changes_no_migration():
    run(
        """
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    call_command("makemigrations", check_changes=True, dry_run=True)
    """,
        INSTALLED_APPS=["dj_sessions"],
        LANGUAGE_CODE="de",
    )


@contextmanager
def catalogues_in(path, monkeypatch):
    """Have Django's catalogues there, and forget what was read of others."""
    monkeypatch.setattr(_translations, "CATALOGUES", str(path))
    monkeypatch.setattr(_translations, "_read", {})
    yield


def test_without_django_s_catalogues_on_the_disk_the_names_are_english(monkeypatch, tmp_path):
    with catalogues_in(tmp_path / "missing", monkeypatch), translation.override("de"):
        assert names().items() <= ENGLISH.items()


def test_a_model_of_one_s_own_is_translated_too():
    with isolate_apps("tests"):

        class Own(AbstractBaseSession):
            account = models.IntegerField("account")

            class Meta(AbstractBaseSession.Meta):
                app_label = "tests"

    with translation.override("de"):
        assert names(Own) == names() | {"account": "account"}
        assert names(Own)["model"] == "Sitzung"


@pytest.mark.parametrize("app", ["other", DJANGO])
def test_a_model_of_one_s_own_is_translated_without_the_app(tmp_path, app):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/__init__.py").touch()
    (tmp_path / "other/models.py").write_text(
        "from dj_sessions.base_session import AbstractBaseSession\n\n"
        "class Own(AbstractBaseSession):\n    pass\n"
    )
    said = run(
        """
    from django.utils.translation import override
    from other.models import Own
    with override("de"):
        print(*(field.verbose_name for field in Own._meta.fields))
    """,
        path=tmp_path,
        INSTALLED_APPS=[*{"other": None, app: None}],
    )
    assert said.split() == ["Sitzungs-ID", "Sitzungsdaten", "Verfallsdatum"]


# What was read is kept as long as Django keeps its own


def test_the_catalogues_of_a_language_are_read_once(monkeypatch):
    class Counted(_translations.Catalogue):
        languages = []

        def __init__(self, language):
            self.languages.append(language)
            super().__init__(language)

    monkeypatch.setattr(_translations, "Catalogue", Counted)
    with catalogues_in(_translations.CATALOGUES, monkeypatch):
        for language in ("de", "fr", "de", "fr"):
            with translation.override(language):
                names()
    assert [language for language in Counted.languages if language != "en-us"] == ["de", "fr"]


def test_another_directory_of_the_site_is_seen_at_once(tmp_path):
    catalogue(tmp_path, "de", model="Besuch")
    with translation.override("de"):
        assert str(Session._meta.verbose_name) == "Sitzung"
    with override_settings(LOCALE_PATHS=[tmp_path]), translation.override("de"):
        assert str(Session._meta.verbose_name) == "Besuch"
    with translation.override("de"):
        assert str(Session._meta.verbose_name) == "Sitzung"
