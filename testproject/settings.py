"""Settings of the demo site.

The environment chooses the stores:

SESSION_ENGINE  db (default), cache, cached_db, file or signed_cookies
DATABASE_URL    sqlite:///…, postgresql://… or mariadb://…; a SQLite file in VAR_DIR by default
CACHE_URL       locmem:// (default), redis://…, django-redis://… or memcached://…
SESSION_IDLE_AGE, SESSION_ABSOLUTE_AGE, SESSION_ANONYMOUS_AGE
                the limits of each session in seconds; none by default
SESSION_REAUTH_AGE
                seconds after a login for which one may end other sessions; no limit by default
VAR_DIR         the folder that holds all that the site writes; testproject/var by default
SECRET_KEY      the secret; made at the first start and kept in VAR_DIR by default
ALLOWED_HOSTS   host names, separated by commas; this machine's own by default
DEBUG           1 (default) or 0
"""

import os
from pathlib import Path
from urllib.parse import quote

from django.core.management.utils import get_random_secret_key

from testproject import environment

BASE_DIR = Path(__file__).resolve().parent
VAR_DIR = Path(os.environ.get("VAR_DIR") or BASE_DIR / "var").absolute()
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
SESSION_FILE_PATH = VAR_DIR / "sessions"
SESSION_FILE_PATH.mkdir(mode=0o700, exist_ok=True)

DEBUG = environment.flag("DEBUG", default="1")
SECRET_KEY = os.environ.get("SECRET_KEY") or environment.kept(
    VAR_DIR / "secret_key", get_random_secret_key
)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS") or [".localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "dj_sessions",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "testproject",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dj_sessions.middleware.SessionMiddleware",
    "testproject.middleware.note_last_write",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

SESSION_ENGINE = "dj_sessions.backends." + environment.choice(
    "SESSION_ENGINE",
    accepted=("db", "cache", "cached_db", "file", "signed_cookies"),
    default="db",
    prefix="dj_sessions.backends.",
)
if not SESSION_ENGINE.endswith("signed_cookies"):  # sessions in browsers cannot be listed
    INSTALLED_APPS.append("dj_sessions.user_sessions")
SESSION_DEVICES_BASE_TEMPLATE = "testproject/base.html"
SESSION_REAUTH_AGE = environment.seconds("SESSION_REAUTH_AGE")
SESSION_IDLE_AGE = environment.seconds("SESSION_IDLE_AGE")
SESSION_ABSOLUTE_AGE = environment.seconds("SESSION_ABSOLUTE_AGE")
SESSION_ANONYMOUS_AGE = environment.seconds("SESSION_ANONYMOUS_AGE")
# Use renews each session, also one to which its visitor has given a minute.
SESSION_RENEW_AFTER = 5 if SESSION_IDLE_AGE is None else min(5, SESSION_IDLE_AGE // 10)
DATABASES = {
    "default": environment.database(
        os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str(VAR_DIR / 'db.sqlite3'))}"
    )
}
CACHES = {
    "default": environment.cache(os.environ.get("CACHE_URL") or "locmem://"),
    "dying": {"BACKEND": "testproject.dying_cache.DyingCache", "LOCATION": "dying"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "outages_that_nobody_asked_for": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "cache_alias", None) != "dying",
        }
    },
    "loggers": {"django.contrib.sessions": {"filters": ["outages_that_nobody_asked_for"]}},
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "testproject.error_reports.WithoutPasswords"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROOT_URLCONF = "testproject.urls"
WSGI_APPLICATION = "testproject.wsgi.application"
ASGI_APPLICATION = "testproject.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "testproject.context_processors.site",
            ]
        },
    }
]
STATIC_URL = "static/"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "visits"
LOGOUT_REDIRECT_URL = "inspector"

USE_TZ = True
TIME_ZONE = "UTC"
