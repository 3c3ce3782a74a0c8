"""`conf`: every setting that this package reads."""

import ast
import os
import typing
from pathlib import Path

import pytest
from django.conf import UserSettingsHolder, global_settings, settings
from django.test import override_settings

import dj_sessions
from dj_sessions.conf import SessionSettings, conf

# Ours, with their defaults.
OWN = {
    "SESSION_FILE_FSYNC": False,
    "SESSION_CONFLICT_TIMEOUT": 10,
    "SESSION_COPY_FORMAT": "django",
}

NAMES = [name for name, value in vars(SessionSettings).items() if isinstance(value, property)]

# Another value than the default, of the documented type.
OTHER = {
    "SESSION_ENGINE": "dj_sessions.backends.file",
    "SESSION_SERIALIZER": "dj_sessions.serializers.PickleSerializer",
    "SESSION_CACHE_ALIAS": "sessions",
    "SESSION_FILE_PATH": Path("/var/sessions"),
    "SESSION_FILE_FSYNC": True,
    "SESSION_CONFLICT_TIMEOUT": 2.5,
    "SESSION_COPY_FORMAT": "compact",
    "SESSION_COOKIE_AGE": 60,
    "SESSION_COOKIE_DOMAIN": "example.com",
    "SESSION_COOKIE_HTTPONLY": False,
    "SESSION_COOKIE_NAME": "visitor",
    "SESSION_COOKIE_PATH": "/shop/",
    "SESSION_COOKIE_SAMESITE": "Strict",
    "SESSION_COOKIE_SECURE": True,
    "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
    "SESSION_SAVE_EVERY_REQUEST": True,
    "USE_TZ": False,
}


def test_every_session_setting_of_django_is_here_and_our_own():
    documented = {name for name in dir(global_settings) if name.startswith("SESSION_")}
    assert set(NAMES) == documented | {"USE_TZ", *OWN}


def default(name):
    return OWN[name] if name in OWN else getattr(global_settings, name)


def test_nothing_but_settings_is_public():
    assert [name for name in dir(conf) if not name.startswith("_")] == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_default_is_the_documented_one(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_wrapped", UserSettingsHolder(global_settings))
        assert getattr(conf, name) == default(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_is_read_each_time(name):
    before = getattr(conf, name)
    assert OTHER[name] != before
    with override_settings(**{name: OTHER[name]}):
        assert getattr(conf, name) == OTHER[name]
    assert getattr(conf, name) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_has_a_type_that_holds_its_default_and_other_values(name):
    annotation = typing.get_type_hints(vars(SessionSettings)[name].fget)["return"]
    assert annotation is not typing.Any
    for value in (default(name), OTHER[name]):
        assert _holds(annotation, value), (annotation, value)


def _holds(annotation, value):
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    if parts := (() if origin in (None, os.PathLike) else typing.get_args(annotation)):
        return any(_holds(part, value) for part in parts)
    return type(value) is annotation or (
        annotation not in (int, bool) and isinstance(value, origin or annotation)
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_says_what_it_is_for(name):
    assert vars(SessionSettings)[name].fget.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_cannot_be_set_here(name):
    with pytest.raises(AttributeError):
        setattr(conf, name, OTHER[name])


def test_other_modules_take_their_settings_from_here():
    """Only what concerns the site as a whole is read elsewhere, where it is needed."""
    elsewhere = {}
    package = Path(dj_sessions.__file__).parent
    for path in package.rglob("*.py"):
        read = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "settings"
        }
        if read and path.name != "conf.py":
            elsewhere[path.relative_to(package).as_posix()] = read
    assert elsewhere == {
        "apps.py": {"INSTALLED_APPS"},
        "_codec/signed_text.py": {"SECRET_KEY", "SECRET_KEY_FALLBACKS"},
        "_translations.py": {"LANGUAGE_CODE", "USE_I18N"},
        "checks/_shared.py": {"MIDDLEWARE"},
        "checks/security.py": {"INSTALLED_APPS"},
        "checks/stores.py": {"CACHES"},
        "checks/switch.py": {"CSRF_USE_SESSIONS", "MESSAGE_STORAGE", "is_overridden"},
        "checks/values.py": {"CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME"},
    }
