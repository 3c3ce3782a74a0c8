"""`_alias`: django.contrib.sessions.models is dj_sessions.models while this app is installed.

Each registry is fresh: what one import leaves behind would decide the next.
"""

import sys
from importlib import import_module

import pytest
from django.test import modify_settings

from dj_sessions import _alias
from tests.fresh import Failed, run

SAME = """
    import sys
    import django.contrib.sessions.models
    import dj_sessions.models
    from django.apps import apps
    from django.contrib.sessions import models
    from django.contrib.sessions.models import Session, SessionManager

    assert django.contrib.sessions.models is dj_sessions.models is models
    assert sys.modules["django.contrib.sessions.models"] is sys.modules["dj_sessions.models"]
    assert Session is dj_sessions.models.Session is apps.get_model("sessions.Session")
    assert [model.__name__ for model in apps.get_app_config("sessions").get_models()] == ["Session"]
"""

AUTH = ["django.contrib.auth", "django.contrib.contenttypes"]

# How people import it, one app each
IMPORTS = {
    "plain": "from django.contrib.sessions.models import Session",
    "whole": "import django.contrib.sessions.models as m\nSession = m.Session",
    "submodule": "from django.contrib.sessions import models as m\nSession = m.Session",
    "by_name": (
        "from importlib import import_module\n"
        "Session = import_module('django.contrib.sessions.models').Session"
    ),
}
BOOKMARK = """
from django.db import models

class Bookmark(models.Model):
    session = models.ForeignKey(Session, models.CASCADE, related_name="+")
"""


@pytest.fixture
def path(tmp_path):
    """Where those apps are, whose models have a foreign key to Django's Session."""
    for name, statement in IMPORTS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "models.py").write_text(statement + BOOKMARK)
    return tmp_path


@pytest.mark.parametrize("entry", ["dj_sessions", "dj_sessions.apps.SessionsConfig"])
def test_both_names_are_one_module_with_one_model(entry):
    run(SAME, INSTALLED_APPS=[entry])


POINT_TO_OURS = """
    for name in ("plain", "whole", "submodule", "by_name"):
        bookmark = apps.get_model(name, "Bookmark")
        assert bookmark._meta.get_field("session").related_model is Session, name
"""


@pytest.mark.parametrize("first", IMPORTS)
def test_apps_that_stand_earlier_import_our_model(path, first):
    earlier = [first, *(name for name in IMPORTS if name != first)]
    run(SAME + POINT_TO_OURS, path=path, INSTALLED_APPS=[*earlier, "dj_sessions"])


def test_apps_that_stand_later_import_our_model(path):
    run(SAME + POINT_TO_OURS, path=path, INSTALLED_APPS=["dj_sessions", *IMPORTS])


def test_the_app_of_a_subclass_of_the_config_has_the_alias_too(tmp_path):
    (tmp_path / "site_apps.py").write_text(
        "from dj_sessions.apps import SessionsConfig\n\n"
        "class RenamedConfig(SessionsConfig):\n"
        "    verbose_name = 'Visitors'\n"
    )
    run(
        SAME + '    assert apps.get_app_config("sessions").verbose_name == "Visitors"\n',
        path=tmp_path,
        INSTALLED_APPS=["site_apps.RenamedConfig"],
    )


def test_importlib_finds_the_alias_before_and_after_its_import():
    run(
        """
    from importlib.util import find_spec
    before = find_spec("django.contrib.sessions.models")
    assert before is not None
    import dj_sessions.models
    import django.contrib.sessions.models as alias
    assert find_spec("django.contrib.sessions.models") is dj_sessions.models.__spec__
    assert find_spec("dj_sessions.models") is alias.__spec__
    assert alias.__spec__.name == alias.__name__ == "dj_sessions.models"
    assert alias.__spec__.origin == alias.__file__
    assert alias.__package__ == "dj_sessions"
    """,
        INSTALLED_APPS=["dj_sessions"],
    )


@pytest.mark.parametrize("name", ["dj_sessions.models", "django.contrib.sessions.models"])
def test_a_reload_under_either_name_leaves_one_module(name):
    run(
        f"""
    import importlib, sys, warnings
    module = importlib.import_module({name!r})
    before = module.Session
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model 'sessions.session' was already")
        assert importlib.reload(module) is module
    assert module.Session is not before
    import dj_sessions.models, django.contrib.sessions.models
    assert django.contrib.sessions.models is dj_sessions.models is module
    """,
        INSTALLED_APPS=["dj_sessions"],
    )


@pytest.mark.parametrize("name", ["dj_sessions.models", "django.contrib.sessions.models"])
def test_a_patch_under_either_name_is_seen_under_both_and_undone(name):
    run(
        f"""
    from unittest import mock
    with mock.patch("{name}.Session") as patched:
        from dj_sessions.models import Session as ours
        from django.contrib.sessions.models import Session as alias
        assert ours is alias is patched
    with mock.patch("{name}.Session.objects") as objects:
        from django.contrib.sessions.models import Session
        assert Session.objects is objects
    from dj_sessions.models import Session
    assert Session.objects is not objects and Session is not patched
    """,
        INSTALLED_APPS=["dj_sessions"],
    )


def test_a_pickle_that_names_django_s_model_is_read():
    run(
        """
    import pickle
    from dj_sessions.models import Session
    assert pickle.loads(b"cdjango.contrib.sessions.models\\nSession\\n.") is Session
    session = pickle.loads(pickle.dumps(Session(session_key="abcdefgh" * 4)))
    assert type(session) is Session and session.pk == "abcdefgh" * 4
    """,
        INSTALLED_APPS=["dj_sessions"],
    )


def test_without_this_app_the_import_still_raises_django_s_error():
    run(
        """
    import dj_sessions.apps, dj_sessions.base_session, dj_sessions.middleware
    import dj_sessions.backends.cached_db, dj_sessions.backends.file
    for _ in range(2):
        try:
            import django.contrib.sessions.models
        except RuntimeError as error:
            assert "sessions.models.Session doesn't declare an explicit app_label" in str(error)
        else:
            raise AssertionError("imported")
    """,
        INSTALLED_APPS=AUTH,
    )


def test_before_the_registry_is_ready_the_import_raises_django_s_error():
    with pytest.raises(Failed, match="AppRegistryNotReady"):
        run("import django.contrib.sessions.models", setup=False, INSTALLED_APPS=["dj_sessions"])


def test_while_this_app_is_taken_out_of_the_settings_the_import_raises_django_s_error(monkeypatch):
    monkeypatch.delitem(sys.modules, _alias.ALIAS, raising=False)
    with (
        modify_settings(INSTALLED_APPS={"remove": ["dj_sessions", "django.contrib.admin"]}),
        pytest.raises(RuntimeError, match="doesn't declare an explicit app_label"),
    ):
        import_module(_alias.ALIAS)
    assert import_module(_alias.ALIAS) is import_module(_alias.TARGET)


# The finder


def test_the_finder_knows_one_name():
    finder = _alias.AliasFinder(lambda: True)
    assert finder.find_spec(_alias.ALIAS, None).origin == _alias.TARGET
    for name in ("django.contrib.sessions", "django.contrib.auth.models", "dj_sessions.models"):
        assert finder.find_spec(name, None) is None


def test_the_finder_finds_nothing_where_it_does_not_apply():
    assert _alias.AliasFinder(lambda: False).find_spec(_alias.ALIAS, None) is None


def test_the_finder_is_installed_once():
    def finders():
        return [finder for finder in sys.meta_path if isinstance(finder, _alias.AliasFinder)]

    before = finders()
    assert len(before) == 1
    _alias.install(lambda: True)
    assert finders() == before
