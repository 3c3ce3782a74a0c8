"""The runs of other packages' tests themselves: what is swapped, and what counts as the same."""

import xml.etree.ElementTree as ElementTree

import pytest

from tests.third_party import site
from tests.third_party.__main__ import judge
from tests.third_party.packages import PACKAGES

REPORT = """<testsuites><testsuite>
  <testcase classname="tests.test_a.A" name="test_one" />
  <testcase classname="tests.test_a.A" name="test_two"><failure message="1 != 2" /></testcase>
  <testcase classname="tests.test_a.A" name="test_three"><skipped /></testcase>
</testsuite></testsuites>"""


def test_outcomes_are_read_from_the_report():
    assert site.outcomes(ElementTree.fromstring(REPORT)) == {
        "tests.test_a.A::test_one": "passed",
        "tests.test_a.A::test_two": "failure",
        "tests.test_a.A::test_three": "skipped",
    }


@pytest.mark.parametrize(
    ("theirs", "ours", "complaints"),
    [
        ({"a": "passed", "b": "failure"}, {"a": "passed", "b": "failure"}, []),
        (
            {"a": "passed", "b": "passed"},
            {"a": "passed", "b": "error"},
            ["b: passed on Django's, er"],
        ),
        ({"a": "passed", "b": "passed"}, {"a": "passed"}, ["b: passed on Django's, not run"]),
        ({"a": "passed", "b": "failure"}, {"a": "passed", "b": "passed"}, ["b: failure on Django"]),
        ({}, {}, ["no test has passed"]),
        ({"a": "error"}, {"a": "error"}, ["no test has passed"]),
    ],
)
def test_only_what_comes_out_otherwise_counts(theirs, ours, complaints):
    found = judge("name", theirs, ours)
    assert [complaint in said for complaint, said in zip(complaints, found, strict=True)] == [
        True for _ in complaints
    ]


@pytest.mark.parametrize("root", [site.DJANGO, site.OURS])
def test_the_names_of_sessions_are_swapped_and_nothing_else(tmp_path, monkeypatch, root):
    (tmp_path / "their_settings.py").write_text(
        'INSTALLED_APPS = ("django.contrib.auth", "django.contrib.sessions")\n'
        'MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = {}
    exec(site.SETTINGS.format(settings="their_settings", root=root), names)
    listed = ["dj_sessions.user_sessions"] * (root == site.OURS)
    assert names["INSTALLED_APPS"] == ["django.contrib.auth", root, *listed]
    assert names["MIDDLEWARE"] == [f"{root}.middleware.SessionMiddleware"]
    assert names["SESSION_ENGINE"] == f"{root}.backends.db"


def test_each_package_is_of_one_version_of_the_index():
    assert all(package.version in package.requirement for package in PACKAGES)
    assert len({package.name for package in PACKAGES}) == 5
