"""Whatever can be imported from a module of Django's sessions can be imported from ours."""

import logging
from importlib import import_module
from pkgutil import walk_packages

import pytest
from django.contrib import sessions as django_sessions

import dj_sessions

DJANGO = "django.contrib.sessions"

#: What Django's modules import for their own use, from libraries where everybody finds it. A test
#: that patches it there would patch nothing of ours: our code looks elsewhere, or needs none.
FOR_ITS_OWN_USE = {
    "django": "the package itself, by its migration",
    "datetime": "the standard library",
    "logging": "the standard library",
    "shutil": "the standard library",
    "string": "the standard library",
    "time": "the standard library",
    "timedelta": "the standard library, datetime",
    "sync_to_async": "asgiref",
    "caches": "django.core.cache",
    "get_random_string": "django.utils.crypto",
    "http_date": "django.utils.http",
    "IntegrityError": "django.db",
    "import_string": "django.utils.module_loading",
    "settings": "django.conf",
    "signing": "django.core",
    "timezone": "django.utils",
    "transaction": "django.db",
}


def names(module):
    """The public names of a module, without the modules below it."""
    below = {name.rpartition(".")[2] for name in MODULES}
    return {name for name in vars(module) if not name.startswith("_")} - below


def modules(package):
    found = walk_packages(package.__path__, f"{package.__name__}.")
    return sorted(module.name.removeprefix(f"{package.__name__}.") for module in found)


MODULES = modules(django_sessions)
# Django's own models.py cannot be imported here: that name leads to ours (see test_alias.py).
COMPARED = [name for name in MODULES if name != "models"]


def test_every_module_of_django_s_has_a_counterpart():
    assert set(MODULES) <= set(modules(dj_sessions))
    assert {"backends.base", "middleware", "management.commands.clearsessions"} <= set(MODULES)


@pytest.mark.parametrize("name", COMPARED)
def test_every_public_name_of_django_s_module_is_in_ours(name):
    theirs, ours = import_module(f"{DJANGO}.{name}"), import_module(f"dj_sessions.{name}")
    assert names(theirs) - names(ours) <= set(FOR_ITS_OWN_USE)


def test_the_models_have_the_names_that_django_s_module_has():
    ours = import_module("dj_sessions.models")
    named = {"AbstractBaseSession", "BaseSessionManager", "Session", "SessionManager"}
    assert named <= names(ours)
    assert import_module(f"{DJANGO}.models") is ours


@pytest.mark.parametrize("name", FOR_ITS_OWN_USE)
def test_what_is_left_out_is_somewhere_in_django_s_modules_and_not_in_all_of_ours(name):
    with_it = [module for module in COMPARED if name in names(import_module(f"{DJANGO}.{module}"))]
    assert with_it
    assert not all(name in names(import_module(f"dj_sessions.{module}")) for module in with_it)


@pytest.mark.parametrize("name", COMPARED)
def test_what_is_no_class_of_the_module_s_own_is_the_same_in_both(name):
    theirs, ours = import_module(f"{DJANGO}.{name}"), import_module(f"dj_sessions.{name}")
    for key in names(theirs) & names(ours):
        value = getattr(theirs, key)
        if isinstance(value, str | logging.Logger):
            assert getattr(ours, key) == value, key
        elif isinstance(value, type) and not value.__module__.startswith(DJANGO):
            assert getattr(ours, key) is value, key


@pytest.mark.parametrize("name", COMPARED)
def test_what_sessions_define_is_exported_by_each_module_that_has_it(name):
    """Type checkers tell users that a name which is merely imported is not theirs to import."""
    theirs, ours = import_module(f"{DJANGO}.{name}"), import_module(f"dj_sessions.{name}")
    exported = {*getattr(ours, "__all__", ())}
    for key in names(theirs) & names(ours):
        defined = str(getattr(getattr(theirs, key), "__module__", ""))
        if defined.startswith(DJANGO) and getattr(ours, key).__module__ != ours.__name__:
            assert key in exported, key
