"""The documentation says what is so: its examples run, its tables are compared with the code."""

import argparse
import doctest
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
from django.template import engines
from django.test import override_settings
from django.utils.module_loading import import_string
from gunicorn.config import Config

import dj_sessions
from dj_sessions import _keys, checks, security_log
from dj_sessions._codec import forwards, log_rate
from dj_sessions._defaults import DEFAULTS
from dj_sessions._statistics import panel
from dj_sessions.backends import signed_cookies
from dj_sessions.checks import encryption
from dj_sessions.checks.versions import TESTED
from dj_sessions.conf import SessionSettings, conf
from dj_sessions.storage import clearing
from dj_sessions.storage.files.storage import ORPHAN_AGE
from dj_sessions.templatetags.dj_sessions import KEYS
from dj_sessions.user_sessions.conf import UserSessionSettings
from dj_sessions.user_sessions.conf import conf as conf_of_the_list
from testproject import environment
from tests.conftest import MARKS
from tests.differential.differences import DELIBERATE_DIFFERENCES
from tests.docs.pages import DOCS, ROOT, docs, example_site, page, pages
from tests.stores import CASES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = pages()
CHECKS_PAGE = docs("checks")
#: Named as `git clone` names it; pip takes it for a path, and never for a name on the index.
CLONE = f"./{PROJECT['urls']['Homepage'].rpartition('/')[2]}"
ENGINES = {"db", "cache", "cached_db", "file", "redis", "signed_cookies"}

everywhere = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture
def site(tmp_path):
    with example_site(tmp_path) as write:
        yield write


def fences(language, without=""):
    found = [fence for page in PAGES if page.name != without for fence in page.all(language)]
    return pytest.mark.parametrize("fence", found, ids=lambda fence: fence.place)


# -- code


@everywhere
def test_every_fence_is_of_a_kind_that_is_tested(page):
    languages = {"python", "pycon", "sh", "diff", "html", "css", "json"}
    languages |= {"text"} if page.name in ("docs/checks.md", "docs/security-log.md") else set()
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


@fences("html")
def test_a_template_can_be_compiled(fence):
    loads = "" if re.search("{% (load|extends) ", fence.text) else "{% load dj_sessions %}"
    assert engines["django"].from_string(loads + fence.text)


@fences("css")
def test_custom_properties_are_those_of_the_style_sheet(fence):
    shown = set(re.findall(r"(--[\w-]+):", fence.text))
    [sheet] = Path(dj_sessions.__file__).parent.rglob("*.css")
    assert shown == set(re.findall(r"var\((--dj[\w-]+)", sheet.read_text()))


#: The settings that the package and its apps read, each with what reads it.
READ = {
    name: (value, settings_of)
    for kind, settings_of in ((SessionSettings, conf), (UserSessionSettings, conf_of_the_list))
    for name, value in vars(kind).items()
    if isinstance(value, property)
}
#: The settings that Django does not have.
OWN = {name for name in READ if name not in dir(global_settings)}


@everywhere
def test_settings_in_examples_exist_and_pass_the_checks(page, site, no_limits):
    site(page)
    for fence in page.settings:
        chosen = fence.settings()
        assert chosen, f"{fence.place} sets nothing"
        assert {name for name in chosen if not hasattr(global_settings, name)} <= OWN
        if page != CHECKS_PAGE or "SILENCED" in fence.text:  # the others are there to fail
            with override_settings(**chosen):
                said = [message.id for message in run_checks(tags=[checks.TAG])]
                assert set(said) <= {"dj_sessions.I044"}, fence.place  # of this run's Django


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


#: What is made of a variable that a command sets, by the demo site above all.
CHOICES = {
    "PROMETHEUS_MULTIPROC_DIR": lambda value: value.startswith("/"),
    "SESSION_ENGINE": lambda value: value in ENGINES,
    "DATABASE_URL": environment.database,
    "CACHE_URL": environment.cache,
    "REDIS_PORT": str.isdecimal,
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
            project, _, extras = name.rstrip("]").partition("[")
            assert project in (PROJECT["name"], ".", CLONE)
            assert set(filter(None, extras.split(","))) <= set(PROJECT["optional-dependencies"])
        case ["gunicorn", "shop.wsgi", *options]:
            Config().parser().parse_args(options)
        case ["python", "-m", "venv", ".venv"] | ["mkdir", "-p", _] | ["rm", "-f", _]:
            pass
        case ["python", "-c", code]:
            made = subprocess.check_output([sys.executable, "-c", code], text=True)
            assert len(made.strip()) >= encryption.SHORTEST
        case ["python", "-m", "pytest", *arguments]:
            assert_selects_tests(arguments)
        case ["python", "-m", module, *arguments] if module.startswith("tests."):
            shown = subprocess.check_output([sys.executable, "-m", module, "--help"], text=True)
            assert {word for word in arguments if word.startswith("-")} <= set(shown.split())
        case ["sphinx-build", "-W", "-b", "html", source, _]:
            assert (ROOT / source / "conf.py").exists()
        case ["pre-commit", "install"]:
            assert (ROOT / ".pre-commit-config.yaml").exists()
        case ["git", "clone", address]:
            assert address == PROJECT["urls"]["Homepage"]
        case ["git", "grep", "-n", "contrib.sessions"] | ["redis-cli", "MEMORY", "USAGE", _]:
            pass
        case _:
            pytest.fail(f"nobody has checked the command {words}")


def assert_selects_tests(arguments):
    """The paths are there, the options are known, and the words of -k are in the tests' files."""
    options = argparse.ArgumentParser(exit_on_error=False)
    options.add_argument("paths", nargs="*", type=Path)
    options.add_argument("--no-cov", action="store_true")
    options.add_argument("-k", default="")
    options.add_argument("-m", choices=[*MARKS, *(f"not {mark}" for mark in MARKS)])
    options.add_argument("-n", type=int)
    chosen = options.parse_args(arguments)
    texts = ""
    for path in chosen.paths:
        assert (ROOT / path).exists(), path
        files = [ROOT / path] if path.suffix else (ROOT / path).rglob("*.py")
        texts += "".join(file.read_text() for file in files)
    texts += " ".join(case.name for case in CASES)
    words = set(re.findall(r"[\w-]+", chosen.k)) - {"and", "or", "not"}
    assert all(word in texts for word in words), words


@fences("diff", without="docs/choosing.md")  # whose steps tests/docs/test_choosing.py takes
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
    assert list(SETTINGS) == list(READ)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_type_and_the_default_that_its_section_says(name):
    line = SETTINGS[name].text.splitlines()[2]
    said = re.fullmatch(r"`(.+?)`.* · default `(.+?)`.* · (all engines|.*`\w+`)", line)
    assert said, line
    definition, settings_of = READ[name]
    assert said[1] == definition.fget.__annotations__["return"]
    default = DEFAULTS[name] if name in DEFAULTS else getattr(settings_of, name)
    assert said[2] == repr(getattr(global_settings, name, default))
    assert set(re.findall(r"`(\w+)`", said[3])) <= ENGINES | {"moving"}


# -- checks


CHECKS = {
    heading: section
    for heading, section in CHECKS_PAGE.sections.items()
    if heading.startswith(("dj_sessions.", "security."))
}


def test_the_documented_checks_are_those_of_the_package():
    source = "".join(path.read_text() for path in Path(dj_sessions.__file__).parent.rglob("*.py"))
    assert set(CHECKS) == set(re.findall(r'"((?:dj_sessions|security)\.[EIW]\d{3})"', source))


def test_the_checks_stand_in_order_of_their_ids_and_in_the_table():
    order = sorted(CHECKS, key=lambda name: (name.startswith("security"), int(name[-3:])))
    assert list(CHECKS) == order
    anchors = [f"[`{name}`](#{name.replace('.', '').lower()})" for name in order]
    assert [row["Id"] for row in CHECKS_PAGE.rows] == anchors


@everywhere
def test_every_check_that_a_page_names_exists(page):
    assert set(re.findall(r"(?:dj_sessions|security)\.[EIW]\d{3}", page.text)) <= set(CHECKS)


@pytest.mark.parametrize("name", [name for name in CHECKS if CHECKS[name].settings])
def test_a_check_says_what_its_section_shows(name, site):
    section = CHECKS[name]
    if any(fence.is_too_new for fence in section.fences):
        pytest.skip("its example needs a newer Django")
    site(section)
    [chosen] = section.settings
    with override_settings(**chosen.settings()):
        assert_is_said(name)


def assert_is_said(name):
    [message] = CHECKS[name].all("text")
    said = run_checks(tags=[checks.TAG, "security"], include_deployment_checks=True)
    assert [f"{m.id}: {m.msg} HINT: {m.hint}" for m in said if m.id == name] == [
        " ".join(message.text.split())
    ]


def test_a_missing_client_of_the_counters_is_said_as_its_section_shows(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "dj_sessions._metrics.prometheus", raising=False)
    with override_settings(SESSION_METRICS="prometheus"):
        [message] = [each for each in run_checks(tags=[checks.TAG]) if each.id[-4:] == "E115"]
    shown = " ".join(CHECKS["dj_sessions.E115"].text.split())
    assert f"HINT: {message.hint}" in shown
    assert message.msg.partition(" (")[0] in shown


def test_the_check_of_the_version_says_what_its_section_shows(monkeypatch):
    on_demand = ["dj_sessions.E077", "dj_sessions.W078", "dj_sessions.W079"]
    assert [name for name in CHECKS if not CHECKS[name].settings] == [
        "dj_sessions.I044",
        *on_demand,
        "dj_sessions.E115",
        "dj_sessions.E120",
    ]
    newest = tuple(map(int, TESTED[1].split(".")))
    monkeypatch.setattr("django.VERSION", (newest[0], newest[1] + 1, 0, "final", 0))
    assert_is_said("dj_sessions.I044")


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
        ("watching", f"Up to {panel.SAMPLE:,} sessions are read"),
        ("watching", f"counts once in {panel.FRESH:.0f} seconds"),
        ("watching", f"longer than {panel.FRESH / panel.FRESH_TIMES:.0f} seconds"),
        ("watching", {10: "ten times as long"}[panel.FRESH_TIMES]),
        ("watching", f"for {panel.LONGEST / 60:.0f} minutes at most"),
        ("watching", f"not ended after {panel.LONGEST / 60:.0f} minutes"),
        ("watching", f"a page waits {panel.PATIENCE:.0f} seconds"),
        ("watching", {3: "the three largest keys"}[KEYS]),
        ("security-log", f"the first {log_rate.MOST} in {log_rate.SECONDS} seconds"),
        ("security-log", f"longer than {security_log.LONGEST} characters"),
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
    assert f"\n## {dj_sessions.__version__}" in page(ROOT / "CHANGELOG.md").text


def test_every_page_builds_and_every_link_in_it_leads_somewhere(tmp_path):
    for package in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(package, reason=f"{package} is missing: pip install -e '.[docs]'")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*build, str(DOCS), str(tmp_path / "html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
