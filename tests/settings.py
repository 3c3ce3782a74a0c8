"""Django settings of the test-suite: every database and cache for which there is a server.

SESSIONS_ROOT=django.contrib.sessions in the environment runs the contract tests on Django's own
package instead, to see which of them it fails.
"""

import os

from tests import services
from tests.patience import PATIENCE

RUN = services.run()
SESSIONS_ROOT = os.environ.get("SESSIONS_ROOT", "dj_sessions")

SECRET_KEY = "a key for tests, which is long enough to be no weakness of its own: 0123456789"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DEBUG = False
USE_TZ = True
TIME_ZONE = "Asia/Kathmandu"  # 5:45 off UTC: a naive time anywhere shows
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    SESSIONS_ROOT,
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
if SESSIONS_ROOT == "dj_sessions":
    # Its table; its registry is told in tests that ask for it, or of all sessions: see conftest.py.
    INSTALLED_APPS.append("dj_sessions.user_sessions")
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    f"{SESSIONS_ROOT}.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
SESSION_ENGINE = f"{SESSIONS_ROOT}.backends.db"
SESSION_SERIALIZER = f"{SESSIONS_ROOT}.serializers.JSONSerializer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# SQLite in a file, as sites have it: each thread opens a connection of its own and waits for
# locks. An in-memory database would share one connection between the threads, or with a shared
# cache raise "table is locked" where a file waits.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": RUN.directory / "unused.sqlite3",
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF", "timeout": PATIENCE},
        "TEST": {"NAME": str(RUN.directory / f"{RUN.database_name}.sqlite3")},
    },
    # What a router may read from instead; here it is never up to date by itself.
    "replica": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": RUN.directory / "unused-replica.sqlite3",
        "OPTIONS": {"timeout": PATIENCE},
        "TEST": {
            "NAME": str(RUN.directory / f"{RUN.database_name}-replica.sqlite3"),
            "DEPENDENCIES": [],
        },
    },
}
DATABASE_ROUTERS = ["tests.router.Router"]


def _server_database(engine: str, service: services.Service, **options: object) -> dict:
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": "dj_sessions_tests",  # does not exist: only the test database is ever used
        "HOST": service.host,
        "PORT": service.port,
        "USER": service.user,
        "PASSWORD": service.password,
        "OPTIONS": options,
        # Each is made alone, when a test needs it.
        "TEST": {"NAME": RUN.database_name, "DEPENDENCIES": []},
    }


if service := RUN.services["postgres"]:
    DATABASES["postgres"] = _server_database(
        "postgresql", service, options="-c synchronous_commit=off"
    )
if service := RUN.services["mariadb"]:
    import pymysql

    pymysql.install_as_MySQLdb()
    DATABASES["mariadb"] = _server_database("mysql", service, charset="utf8mb4")
    DATABASES["mariadb"]["TEST"]["CHARSET"] = "utf8mb4"

# The tests give each test a prefix of its own (see conftest.py), so this one is seldom used.
KEY_PREFIX = RUN.database_name
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "dummy": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}
if service := RUN.services["redis"]:
    login = f"{service.user}:{service.password}@" if service.password else ""
    location = f"redis://{login}{service.host}:{service.port}/{services.REDIS_DB}"
    CACHES["redis"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": location,
    }
    CACHES["django_redis"] = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": location,
        "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
    }
if service := RUN.services["memcached"]:
    CACHES["memcached"] = {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": f"{service.host}:{service.port}",
    }
for _configuration in CACHES.values():
    _configuration["KEY_PREFIX"] = KEY_PREFIX

# What is on beside the defaults, as in SESSIONS_WITH=limits,encryption
WITH = {name for name in os.environ.get("SESSIONS_WITH", "").split(",") if name}
if unknown := WITH - {
    "limits",
    "encryption",
    "hashed",
    "cookie",
    "user_sessions",
    "metrics",
    "redis-cluster",
    "redis-sentinel",
}:
    raise ValueError(f"SESSIONS_WITH names {', '.join(sorted(unknown))}, which nobody knows")
# Encryption, hashed keys and the list of users' sessions are on in tests/contract alone: see its
# conftest.py.
if "limits" in WITH:
    # Longer than any test has a session last, so that what the limits add is all that differs.
    SESSION_IDLE_AGE = SESSION_ABSOLUTE_AGE = SESSION_ANONYMOUS_AGE = 10**9
if "metrics" in WITH:
    SESSION_METRICS = ["prometheus", "opentelemetry"]
if "cookie" in WITH:
    SESSION_COOKIE_PARTITIONED = SESSION_COOKIE_NO_STORE = True
    SESSION_COOKIE_ALSO_EXPIRE = [{"domain": ".example.com"}]
    SESSION_CLEAR_SITE_DATA = ["cookies", "storage"]
