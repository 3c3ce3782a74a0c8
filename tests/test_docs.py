"""The documentation says what is so: its examples run, its tables are compared with the code."""

import doctest
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from itertools import takewhile
from math import log2
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import global_settings, settings
from django.core.checks import run_checks
from django.core.management import get_commands, load_command_class
from django.test import override_settings
from django.utils.module_loading import import_string

import dj_sessions
from dj_sessions import _keys, checks
from dj_sessions._codec import forwards, log_rate
from dj_sessions.backends import signed_cookies
from dj_sessions.conf import SessionSettings, conf
from dj_sessions.storage import clearing
from dj_sessions.storage.files.storage import ORPHAN_AGE
from testproject import environment
from tests.differential.differences import DELIBERATE_DIFFERENCES
from tests.docs.pages import DOCS, ROOT, docs, example_site, page, pages

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = pages()
CHECKS_PAGE = docs("checks")
ENGINES = {"db", "cache", "cached_db", "file", "signed_cookies"}

everywhere = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture
def site(tmp_path):
    with example_site(tmp_path) as write:
        yield write


def fences(language):
    found = [fence for page in PAGES for fence in page.all(language)]
    return pytest.mark.parametrize("fence", found, ids=lambda fence: fence.place)


# -- code


@everywhere
def test_every_fence_is_of_a_kind_that_is_tested(page):
    languages = {"python", "pycon", "sh", "diff"} | ({"text"} if "checks" in page.name else set())
    for fence in page.fences:
        assert fence.language in languages, fence.place
        assert fence.language != "python" or fence.file, f"{fence.place} names no file"
    assert page.text.count("```") == 2 * (len(list(page.fences)) + page.text.count("```{"))


@everywhere
def test_every_example_file_can_be_imported(page, site):
    modules = site(page)
    installed = settings.INSTALLED_APPS + ["shop"] * bool(modules)
    with override_settings(INSTALLED_APPS=installed):
        for name in modules:
            import_module(name)


#: The settings that Django does not have.
OWN = {name for name in dir(SessionSettings) if not name.startswith("_")} - set(
    dir(global_settings)
)


@everywhere
def test_settings_in_examples_exist_and_pass_the_checks(page, site):
    site(page)
    for fence in page.settings:
        chosen = fence.settings()
        assert chosen, f"{fence.place} sets nothing"
        assert {name for name in chosen if not hasattr(global_settings, name)} <= OWN
        if page != CHECKS_PAGE or "SILENCED" in fence.text:  # the others are there to fail
            with override_settings(**chosen):
                assert run_checks(tags=[checks.TAG]) == [], fence.place


@everywhere
def test_sessions_of_the_interpreter_print_what_they_show(page, databases):
    for fence in page.all("pycon"):
        example = doctest.DocTestParser().get_doctest(fence.text, {}, fence.place, None, 0)
        report = []
        failed, tried = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
        assert tried
        assert not failed, "".join(report)


@fences("sh")
def test_commands_exist_with_the_options_shown(fence):
    for line in fence.text.splitlines():
        for command in line.split(" && "):
            assert_is_command(
                shlex.split(command.replace(".venv/bin/", "").replace("python3", "python"))
            )


#: What the demo site makes of a variable that a command sets.
CHOICES = {
    "SESSION_ENGINE": lambda value: value in ENGINES,
    "DATABASE_URL": environment.database,
    "CACHE_URL": environment.cache,
}


def assert_is_command(words):
    chosen = dict(word.split("=", 1) for word in takewhile(lambda word: "=" in word, words))
    for name, value in chosen.items():
        understood = CHOICES[name](value)
        assert understood, f"{name}={value}"
    match words[len(chosen) :]:
        case ["python", "manage.py", name, *options]:
            app = "testproject" if name == "demo" else get_commands()[name]
            load_command_class(app, name).create_parser("manage.py", name).parse_args(options)
        case ["python", "-m", "pip", "install", name] | ["pip", "install", "-q", "-e", name]:
            project, _, extra = name.rstrip("]").partition("[")
            assert project in (PROJECT["name"], ".", "path/to/the/clone")
            assert not extra or extra in PROJECT["optional-dependencies"]
        case ["python", "-m", ("venv" | "pytest") as module, *arguments]:
            assert importlib.util.find_spec(module)
            assert arguments in ([], [".venv"])
        case ["python", "-m", module, *arguments] if module.startswith("tests."):
            shown = subprocess.check_output([sys.executable, "-m", module, "--help"], text=True)
            assert {word for word in arguments if word.startswith("-")} <= set(shown.split())
        case ["sphinx-build", "-W", "-b", "html", source, _]:
            assert (ROOT / source / "conf.py").exists()
        case ["git", "grep", "-n", "contrib.sessions"] | ["redis-cli", "MEMORY", "USAGE", _]:
            pass
        case _:
            pytest.fail(f"nobody has checked the command {words}")


@fences("diff")
def test_the_four_names_are_django_s_before_and_ours_after(fence):
    names = {
        sign: re.findall(rf'^\{sign}.*"([\w.]+)",?$', fence.text, re.MULTILINE) for sign in "-+"
    }
    assert [name.replace("django.contrib.sessions", "dj_sessions") for name in names["-"]] == names[
        "+"
    ]
    app, middleware, engine, serializer = names["+"]
    assert app == apps.get_app_config("sessions").name
    assert isinstance(import_string(middleware), type)
    assert isinstance(import_string(f"{engine}.SessionStore"), type)
    assert isinstance(import_string(serializer), type)


# -- settings


SETTINGS = {name: text for name, text in docs("settings").sections.items() if name.isupper()}


def test_the_documented_settings_are_those_that_the_package_reads():
    read = [name for name, value in vars(SessionSettings).items() if isinstance(value, property)]
    assert list(SETTINGS) == read


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_type_and_the_default_that_its_section_says(name):
    line = SETTINGS[name].text.splitlines()[2]
    said = re.fullmatch(r"`(.+?)`.* · default `(.+?)`.* · (all engines|.*`\w+`)", line)
    assert said, line
    assert said[1] == vars(SessionSettings)[name].fget.__annotations__["return"]
    assert said[2] == repr(getattr(global_settings, name, getattr(conf, name)))
    assert set(re.findall(r"`(\w+)`", said[3])) <= ENGINES


# -- checks


CHECKS = {
    heading: section
    for heading, section in CHECKS_PAGE.sections.items()
    if heading.startswith(("dj_sessions.", "security."))
}


def test_the_documented_checks_are_those_of_the_package():
    source = "".join(path.read_text() for path in Path(dj_sessions.__file__).parent.rglob("*.py"))
    assert set(CHECKS) == set(re.findall(r'"((?:dj_sessions|security)\.[EIW]\d{3})"', source))


@everywhere
def test_every_check_that_a_page_names_exists(page):
    assert set(re.findall(r"(?:dj_sessions|security)\.[EIW]\d{3}", page.text)) <= set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_says_what_its_section_shows(name, site):
    section = CHECKS[name]
    if any(fence.is_too_new for fence in section.fences):
        pytest.skip("its example needs a newer Django")
    site(section)
    [chosen], [message] = section.settings, section.all("text")
    with override_settings(**chosen.settings()):
        said = run_checks(tags=[checks.TAG, "security"], include_deployment_checks=True)
    assert [f"{m.id}: {m.msg} HINT: {m.hint}" for m in said if m.id == name] == [
        " ".join(message.text.split())
    ]


# -- differences


def test_the_documented_differences_are_those_that_the_differential_tests_allow():
    part = docs("differences").sections["What a session does"]
    [_, *headings] = part.sections
    assert headings == [difference.sentence.rstrip(".") for difference in DELIBERATE_DIFFERENCES]
    for difference, heading in zip(DELIBERATE_DIFFERENCES, headings, strict=True):
        section = part.sections[heading]
        text = " ".join(section.text.split())
        assert f" Django : {difference.django} dj_sessions : {difference.ours} Why : " in text


# -- numbers


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("concurrency", f"for {forwards.AGE} seconds"),
        ("concurrency", f"by default {SessionSettings().SESSION_CONFLICT_TIMEOUT} seconds"),
        ("engines", f"more than {signed_cookies.COOKIE_LIMIT:,} bytes"),
        ("differences", f"removes {clearing.PURGE_BATCH} at a time"),
        ("differences", f"more than {log_rate.MOST} in a minute"),
        ("security", f"the first {log_rate.MOST} in {log_rate.SECONDS} seconds"),
        ("differences", f"more than {signed_cookies.COOKIE_LIMIT:,} bytes"),
        ("differences", {3600: "an hour ago"}[ORPHAN_AGE]),
        ("security", f"{len(_keys.new_key())} characters of `0-9a-z`"),
        ("security", f"{int(len(_keys.new_key()) * log2(len(_keys.VALID_KEY_CHARS)))} bits"),
        ("security", f"{_keys.MIN_LENGTH} to {_keys.MAX_LENGTH} characters of `0-9a-z`"),
        ("security", {6: "first six characters"}[len(_keys.shorten("a" * 32)) - 1]),
    ],
)
def test_numbers_are_those_of_the_code(name, phrase):
    assert phrase in " ".join(docs(name).text.split())


# -- pages


def test_the_readme_leads_to_files_that_exist():
    for name in ("README.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page(ROOT / name).prose):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_the_changelog_knows_this_version():
    assert PROJECT["version"] in page(ROOT / "CHANGELOG.md").text


def test_every_page_builds_and_every_link_in_it_leads_somewhere(tmp_path):
    for package in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(package, reason=f"{package} is missing: pip install -e '.[docs]'")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*build, str(DOCS), str(tmp_path / "html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
