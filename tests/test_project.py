"""What is said of the project in several files is said alike: versions, tools, addresses."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import dj_sessions
from dj_sessions._metrics import switch
from dj_sessions.checks.versions import TESTED
from tests.conftest import MARKS, TESTS
from tests.docs.pages import ROOT, pages
from tests.sampling import share

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, TOX = PYPROJECT["project"], PYPROJECT["tool"]["tox"]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
FORMS = [path for path in (GITHUB / "ISSUE_TEMPLATE").iterdir() if path.name != "config.yml"]
DJANGO, PYTHON = "Framework :: Django", "Programming Language :: Python"


def read(name):
    return yaml.safe_load((ROOT / name).read_text())


def classified(kind):
    """The versions in the classifiers of a kind, as texts."""
    found = (re.fullmatch(rf"{kind} :: (\d+\.\d+)", line) for line in PROJECT["classifiers"])
    return [match[1] for match in found if match]


# -- the top level


def test_the_top_level_has_nothing_else():
    found = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = {line.partition("/")[0] for line in found.stdout.splitlines()}
    if not names:
        pytest.skip("it is no checkout of git")
    assert {name for name in names if not name.startswith(".")} == {
        *("dj_sessions", "testproject", "tests", "docs", "manage.py", "pyproject.toml"),
        *("README.md", "LICENSE", "CHANGELOG.md"),
    }


# -- versions


def test_the_oldest_and_the_newest_django_are_those_of_the_check():
    assert (classified(DJANGO)[0], classified(DJANGO)[-1]) == TESTED
    assert PROJECT["dependencies"] == [f"django>={TESTED[0]}"]


def test_the_matrix_has_every_version_that_is_classified():
    names = [re.fullmatch(r"py3(\d+)-django(\d)(\d)", name) for name in TOX["env_list"]]
    pairs = [(f"3.{found[1]}", f"{found[2]}.{found[3]}") for found in names if found]
    assert sorted({python for python, _ in pairs}) == classified(PYTHON)
    assert sorted({django for _, django in pairs}) == classified(DJANGO)
    upstream = [name for name in TOX["env_list"] if name.startswith("upstream")]
    assert upstream == [f"upstream-django{v.replace('.', '')}" for v in classified(DJANGO)]
    assert PROJECT["requires-python"] == f">={classified(PYTHON)[0]}"


def test_pages_name_the_versions_that_are_classified():
    text = " ".join(" ".join(page.text for page in pages()).split())
    several = r"Django (\d\.\d(?:, \d\.\d)* (?:and|or) \d\.\d)"
    named = [re.findall(r"\d\.\d", found) for found in re.findall(several, text)]
    assert named
    assert all(versions == classified(DJANGO) for versions in named)
    ranges = re.findall(r"Python (3\.\d+) to (3\.\d+)", text)
    assert set(ranges) == {(classified(PYTHON)[0], classified(PYTHON)[-1])}


def test_the_workflow_has_every_python_that_is_classified():
    text = (GITHUB / "workflows" / "tests.yml").read_text()
    image, others = (
        re.findall(r"python:(3\.\d+)-", text),
        re.findall(r"uv python install (.*)", text),
    )
    assert len(image) == len(others) == 1
    assert sorted([*image, *others[0].split()]) == classified(PYTHON)


# -- tests that are left out


def test_what_has_a_mark_is_there():
    for name in (name for names in MARKS.values() for name in names):
        place = TESTS / name
        assert place.is_file() or list(place.glob("test_*.py")), name
    assert not MARKS["slow"] & MARKS["thorough"]


def test_no_parameter_set_runs_in_two_of_the_runs_that_share_the_slow_tests():
    asked = re.findall(r"--share=\{env:(\w+):1/1\}", (ROOT / "pyproject.toml").read_text())
    script = (ROOT / ".ci/run").read_text()
    given = dict(re.findall(r"\b(SHARE_\d)=(\d+/\d+)", script))
    assert sorted(asked) == sorted(given)
    [of_slow] = re.findall(r"--slow-share=(\d/\d)", script)
    # The wheel's run has no slow tests.
    shares = [share(text) for text in (of_slow, given["SHARE_1"], given["SHARE_2"])]
    parts = [one.of([str(n) for n in range(24)], "1") for one in shares]
    assert all(parts)
    assert len(set().union(*parts)) == sum(map(len, parts))


# -- tools


EXTRAS = PROJECT["optional-dependencies"]


def pins():
    return [tool for extra in ("docs", "lint", "dev") for tool in EXTRAS[extra]]


def test_tools_are_pinned_in_one_place():
    pinned = [tool for tool in pins() if not tool.startswith(PROJECT["name"])]
    assert all(re.fullmatch(r"[a-z-]+==[\d.]+", tool) for tool in pinned)
    written = "".join(path.read_text() for path in (ROOT / "pyproject.toml", ROOT / ".ci/run"))
    for tool in (tool.split("==")[0] for tool in pinned):
        assert len(re.findall(rf"\b{tool}[=>~]=", written)) == 1, tool


def test_pre_commit_has_the_pinned_ruff():
    [rev] = [
        repository["rev"]
        for repository in read(".pre-commit-config.yaml")["repos"]
        if repository["repo"].endswith("/ruff-pre-commit")
    ]
    assert f"ruff=={rev.removeprefix('v')}" in pins()


def test_what_a_message_says_to_install_is_what_an_extra_installs():
    """The packages by their own names: those are on the package index, whoever has which index."""
    installed = {re.split("[>=]", tool)[0] for tools in EXTRAS.values() for tool in tools}
    named = {
        name
        for path in Path(dj_sessions.__file__).parent.rglob("*.py")
        for name in re.findall(r"pip install ([a-z-]+)", path.read_text())
    }
    assert named >= {"redis", "cryptography"}
    assert {*named, *switch.PACKAGES.values()} <= installed


# -- addresses

HOME = PROJECT["urls"]["Homepage"]


def test_every_address_of_the_project_is_below_its_home():
    files = [*(path for path in GITHUB.rglob("*") if path.is_file()), ROOT / "CHANGELOG.md"]
    text = "".join(path.read_text() for path in files) + "".join(page.text for page in pages())
    ours = re.findall(r"https://[\w.-]*github[\w.-]*/[\w.-]+/dj.sessions[^\s)>\"]*", text)
    assert ours
    below = {"", "/issues", "/security/policy", "/security/advisories/new"}
    for place in {address.removeprefix(HOME).rstrip("/") for address in ours}:
        _, is_file, path = place.partition("/blob/main/")
        assert (ROOT / path).is_file() if is_file else place in below, place


def test_the_addresses_lead_to_what_there_is():
    places = {name: url.removeprefix(HOME) for name, url in PROJECT["urls"].items()}
    assert (ROOT / places.pop("Changelog").removeprefix("/blob/main/")).is_file()
    assert (GITHUB / "SECURITY.md").is_file()
    assert places.pop("Security") == "/security/policy"
    assert places.pop("Documentation") == "https://dj-sessions.readthedocs.io/"
    assert places == {"Homepage": "", "Issues": "/issues"}


def test_on_the_package_index_the_readme_leads_to_the_files_of_the_tag():
    hook = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    here = there = (ROOT / "README.md").read_text()
    for change in hook["substitutions"]:
        there = re.sub(change["pattern"], change["replacement"], there)
    before, after = (re.findall(r"\]\(([^)#]+)", text) for text in (here, there))
    changed = [(a, b) for a, b in zip(before, after, strict=True) if not a.startswith("https:")]
    assert changed
    for path, address in changed:
        shown = "raw" if path.endswith(".png") else "blob"
        assert address == f"{HOME}/{shown}/v$HFPR_VERSION/{path}"


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md"])
def test_links_of_the_pages_of_the_forge_lead_to_files(name):
    targets = re.findall(r"\]\((?!https:)([^)#]+)", (GITHUB / name).read_text())
    assert targets
    for target in targets:
        assert (GITHUB / target).exists(), target


# -- what the forge reads


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_what_it_uses_and_may_only_read(path):
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert all(re.search(r"@[0-9a-f]{40}$", name) or name.startswith("./") for name, _ in used)
    assert all(re.fullmatch(r" # v[\d.]+", version) for name, version in used if "@" in name)
    assert read(path)["permissions"] == {"contents": "read"}


def test_only_the_job_that_publishes_may_say_who_it_is():
    jobs = {
        (path.name, name): job["permissions"]
        for path in WORKFLOWS
        for name, job in read(path)["jobs"].items()
        if "permissions" in job
    }
    assert jobs == {("publish.yml", "publish"): {"id-token": "write"}}
    publish = read(GITHUB / "workflows" / "publish.yml")["jobs"]["publish"]
    assert publish["needs"] == ["tests", "build"]
    assert PROJECT["name"] in publish["environment"]["url"]


def test_the_nights_run_whole_what_no_run_before_a_change_has_whole():
    job = read(GITHUB / "workflows" / "nightly.yml")["jobs"]["tests"]
    listed = job["strategy"]["matrix"]["environments"]
    environments = [name for names in listed for name in names.split(",")]
    newest = classified(DJANGO)[-1].replace(".", "")
    whole = {"lint", "types", "docs", f"upstream-django{newest}"}
    assert sorted(environments) == sorted(set(TOX["env"]) - whole)


def test_the_form_for_bugs_names_every_engine():
    fields = {field.get("id"): field for field in read(GITHUB / "ISSUE_TEMPLATE/bug.yml")["body"]}
    backends = Path(dj_sessions.__file__).parent / "backends"
    names = {path.stem for path in backends.glob("[a-z]*.py")}
    options = set(fields["engine"]["attributes"]["options"])
    assert options == names - {"base", "stored"} | {"one of my own"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_has_what_the_forge_asks_of_one(path):
    form = read(path)
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown"}
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)
    for field in fields:
        options = field["attributes"].get("options", [""])
        assert (field["type"] == "dropdown") is (options != [""])
        assert all(isinstance(option, str) for option in options), "No and Yes need quotes"


def test_the_docs_are_built_as_here():
    config = read(".readthedocs.yaml")
    assert (ROOT / config["sphinx"]["configuration"]).is_file()
    for step in config["python"]["install"]:
        assert set(step["extra_requirements"]) <= set(PROJECT["optional-dependencies"])
    assert config["build"]["tools"]["python"] in classified(PYTHON)


def test_the_list_of_tests_names_files_that_are_there():
    text = (TESTS / "README.md").read_text()
    named = re.findall(r"`([\w/]+/|\w+\.py)`", text) + re.findall(r"pytest tests/([\w./]+)", text)
    assert named
    for name in named:
        assert (TESTS / name).exists(), name
    directories = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert directories <= {name.rstrip("/") for name in named}
