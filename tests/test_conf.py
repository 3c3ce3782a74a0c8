"""`conf`: every setting that this package reads."""

import ast
import types
import typing
from pathlib import Path

import pytest
from django.conf import UserSettingsHolder, global_settings, settings
from django.test import override_settings

import dj_sessions
from dj_sessions._defaults import fill_in_defaults
from dj_sessions.conf import SessionSettings, conf, has_limits
from dj_sessions.user_sessions.conf import UserSessionSettings
from dj_sessions.user_sessions.conf import conf as conf_of_the_list

# Ours, with their defaults.
OWN = {
    "SESSION_FILE_FSYNC": False,
    "SESSION_CONFLICT_TIMEOUT": 10,
    "SESSION_COPY_FORMAT": "django",
    "SESSION_REDIS": None,
    "SESSION_MOVE": None,
    "SESSION_IDLE_AGE": None,
    "SESSION_ABSOLUTE_AGE": None,
    "SESSION_ANONYMOUS_AGE": None,
    "SESSION_RENEW_AFTER": None,
    "SESSION_PASSIVE_PATHS": (),
    "SESSION_KEY_STORAGE": ["plain"],
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_COOKIE_ALSO_EXPIRE": (),
    "SESSION_COOKIE_NO_STORE": False,
    "SESSION_COOKIE_TOO_LARGE": "error",
    "SESSION_CLEAR_SITE_DATA": None,
    "SESSION_HEALTH_FULL": False,
    "SESSION_ADMIN_PANEL": False,
    "SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.JSONSerializer",
    "SESSION_ENCRYPTION_KEYS": None,
    "SESSION_ENCRYPTION_ACCEPT_PLAIN": False,
    "SESSION_SECURITY_LOG": False,
    "SESSION_METRICS": None,
    "SESSION_IP_ADDRESS": "truncated",
    "SESSION_CLIENT_ADDRESS": None,
}

# Of the app dj_sessions.user_sessions, with their defaults.
OF_THE_LIST = {
    "SESSION_SEEN_AFTER": 300,
    "SESSION_HISTORY_DAYS": 0,
    "SESSION_LIMIT_PER_USER": None,
    "SESSION_LIMIT_ACTION": "end-oldest",
    "SESSION_END_ON": ("password-change", "deactivation", "deletion"),
    "SESSION_REAUTH_AGE": None,
    "SESSION_DEVICES_BASE_TEMPLATE": "dj_user_sessions/base.html",
    "SESSION_PLACE_OF_ADDRESS": None,
}

DEFINITIONS = vars(SessionSettings) | vars(UserSessionSettings)
NAMES = [name for name, value in DEFINITIONS.items() if isinstance(value, property)]

# Another value than the default, of the documented type.
OTHER = {
    "SESSION_ENGINE": "dj_sessions.backends.file",
    "SESSION_SERIALIZER": "dj_sessions.serializers.PickleSerializer",
    "SESSION_CACHE_ALIAS": "sessions",
    "SESSION_FILE_PATH": Path("/var/sessions"),
    "SESSION_FILE_FSYNC": True,
    "SESSION_CONFLICT_TIMEOUT": 2.5,
    "SESSION_COPY_FORMAT": "compact",
    "SESSION_REDIS": {"URL": "redis://127.0.0.1/1"},
    "SESSION_MOVE": {"FROM": "dj_sessions.backends.db", "TO": "dj_sessions.backends.file"},
    "SESSION_IDLE_AGE": 900,
    "SESSION_ABSOLUTE_AGE": 43200,
    "SESSION_ANONYMOUS_AGE": 3600,
    "SESSION_RENEW_AFTER": 30,
    "SESSION_PASSIVE_PATHS": ["/poll/"],
    "SESSION_KEY_STORAGE": ["hashed", "plain"],
    "SESSION_COOKIE_PARTITIONED": True,
    "SESSION_COOKIE_ALSO_EXPIRE": [{"domain": ".example.com"}],
    "SESSION_COOKIE_NO_STORE": True,
    "SESSION_COOKIE_TOO_LARGE": "warning",
    "SESSION_CLEAR_SITE_DATA": ["cookies", "storage"],
    "SESSION_HEALTH_FULL": True,
    "SESSION_ADMIN_PANEL": True,
    "SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.TypedJSONSerializer",
    "SESSION_ENCRYPTION_KEYS": ["a text of at least thirty-two characters"],
    "SESSION_ENCRYPTION_ACCEPT_PLAIN": True,
    "SESSION_SECURITY_LOG": ["started", "ended"],
    "SESSION_METRICS": "tests.test_metrics.note",
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
    "SESSION_SEEN_AFTER": 60,
    "SESSION_HISTORY_DAYS": 30,
    "SESSION_IP_ADDRESS": "full",
    "SESSION_CLIENT_ADDRESS": "mysite.addresses.client_address",
    "SESSION_LIMIT_PER_USER": 3,
    "SESSION_LIMIT_ACTION": "refuse",
    "SESSION_END_ON": ["permissions"],
    "SESSION_REAUTH_AGE": 600,
    "SESSION_DEVICES_BASE_TEMPLATE": "base.html",
    "SESSION_PLACE_OF_ADDRESS": "mysite.places.place_of",
}


def test_every_session_setting_of_django_is_here_and_our_own():
    documented = {name for name in dir(global_settings) if name.startswith("SESSION_")}
    assert set(NAMES) == documented | {"USE_TZ", *OWN, *OF_THE_LIST}


def default(name):
    ours = OWN | OF_THE_LIST
    return ours[name] if name in ours else getattr(global_settings, name)


def settings_of(name):
    """The object that has a setting."""
    return conf_of_the_list if name in OF_THE_LIST else conf


def test_nothing_but_settings_is_public():
    both = {*dir(conf), *dir(conf_of_the_list)}
    assert sorted(name for name in both if not name.startswith("_")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_default_is_the_documented_one(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_wrapped", UserSettingsHolder(global_settings))
        assert getattr(settings_of(name), name) == default(name)


@pytest.mark.parametrize(
    ("idle", "after", "effective"),
    [
        (None, None, None),
        (None, 30, 30),
        (900, None, 60),
        (100, None, 10),
        (5, None, 0),
        (900, 0, 0),
    ],
)
def test_a_renewal_is_due_after_a_tenth_of_the_idle_age_at_most_a_minute(idle, after, effective):
    with override_settings(SESSION_IDLE_AGE=idle, SESSION_RENEW_AFTER=after):
        assert effective == conf.SESSION_RENEW_AFTER


@pytest.mark.parametrize("name", OWN)
def test_the_app_fills_in_what_the_site_leaves_out(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_wrapped", UserSettingsHolder(global_settings))
        assert not hasattr(settings, name)
        fill_in_defaults()
        assert getattr(settings, name) == OWN[name]


def test_the_app_leaves_what_the_site_has_set():
    with override_settings(SESSION_IDLE_AGE=900):
        fill_in_defaults()
        assert settings.SESSION_IDLE_AGE == 900


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_is_read_each_time(name):
    before = getattr(settings_of(name), name)
    assert OTHER[name] != before
    with override_settings(**{name: OTHER[name]}):
        assert getattr(settings_of(name), name) == OTHER[name]
    assert getattr(settings_of(name), name) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_has_a_type_that_holds_its_default_and_other_values(name):
    annotation = typing.get_type_hints(DEFINITIONS[name].fget)["return"]
    assert annotation is not typing.Any
    for value in (default(name), OTHER[name]):
        assert _holds(annotation, value), (annotation, value)


def _holds(annotation, value):
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_holds(part, value) for part in typing.get_args(annotation))
    return type(value) is annotation or (
        annotation not in (int, bool) and isinstance(value, origin or annotation)
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_says_what_it_is_for(name):
    assert DEFINITIONS[name].fget.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_cannot_be_set_here(name):
    with pytest.raises(AttributeError):
        setattr(settings_of(name), name, OTHER[name])


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
        "checks/cookie.py": {"CSRF_COOKIE_NAME", "CSRF_USE_SESSIONS", "LANGUAGE_COOKIE_NAME"},
        "checks/security.py": {"INSTALLED_APPS"},
        "checks/stores.py": {"CACHES"},
        "checks/switch.py": {"CSRF_USE_SESSIONS", "MESSAGE_STORAGE", "is_overridden"},
        "user_sessions/models.py": {"AUTH_USER_MODEL"},
        "user_sessions/relogin.py": {"LOGIN_REDIRECT_URL", "LOGIN_URL"},
        "user_sessions/views.py": {"LOGIN_URL", "LOGOUT_REDIRECT_URL"},
        "user_sessions/migrations/0001_initial.py": {"AUTH_USER_MODEL"},
    }


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith("_AGE")])
@pytest.mark.parametrize("is_installed", [True, False])
def test_limits_are_looked_for_in_one_step(name, is_installed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_wrapped", UserSettingsHolder(global_settings))
        if is_installed:
            fill_in_defaults()
        assert not has_limits()
        with override_settings(**{name: 900}):
            assert has_limits()
        with override_settings(SESSION_RENEW_AFTER=0):
            assert has_limits()
        assert not has_limits()
