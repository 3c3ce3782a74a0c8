"""Shares of the parameter sets: together they are all, and each has some of every test."""

import os
import re
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from tests.sampling import SEED, Share, share

ROOT = Path(__file__).parents[1]
TESTS = """\
import pytest

def test_without_parameters():
    pass

@pytest.mark.parametrize("colour", ["red", "green"])
@pytest.mark.parametrize("number", range(10))
def test_with_many(number, colour):
    pass

@pytest.mark.parametrize("number", range(2))
def test_with_few(number):
    pass

@pytest.mark.slow
@pytest.mark.parametrize("number", range(6))
def test_of_much(number):
    pass
"""


def sets(count):
    return [f"tests/test_it.py::test_it[{number}]" for number in range(count)]


def shares(count):
    return [Share(number, count) for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [3, 4, 5, 20, 100])
@pytest.mark.parametrize("seed", ["1", "another"])
def test_shares_are_alike_in_size_disjoint_and_together_all(count, seed):
    parts = [one.of(sets(count), seed) for one in shares(3)]
    assert sorted(name for part in parts for name in part) == sorted(sets(count))
    assert {len(part) for part in parts} <= {count // 3, count // 3 + 1}


@pytest.mark.parametrize("count", [1, 2])
def test_each_share_has_one_where_there_are_fewer_sets_than_shares(count):
    parts = [one.of(sets(count), "1") for one in shares(3)]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert set().union(*parts) == set(sets(count))


def test_one_share_of_one_is_all():
    assert Share(1, 1).of(sets(7), "1") == set(sets(7))


def test_the_order_of_the_tests_decides_nothing():
    assert Share(2, 3).of(sets(20), "1") == Share(2, 3).of(reversed(sets(20)), "1")


def test_another_seed_draws_others():
    assert Share(1, 3).of(sets(20), "1") != Share(1, 3).of(sets(20), "2")


def test_a_seed_draws_the_same_in_every_process_and_version():
    drawn = Share(1, 3).of(sets(9), "20080903")
    assert drawn == {f"tests/test_it.py::test_it[{number}]" for number in (0, 5, 8)}


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", ""])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="no share such as 1/3"):
        share(text)


# -- in a run


def run(directory, *arguments, **environment):
    (directory / "test_it.py").write_text(TESTS)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = slow\n    thorough\n")
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("PYTEST_")}
    inherited.pop(SEED, None)
    command = [sys.executable, "-m", "pytest", "-p", "tests.sampling", "-p", "no:django"]
    done = subprocess.run(
        [*command, "-c", str(directory / "pytest.ini"), "-v", str(directory), *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, sorted(set(re.findall(r"::(test_(?:with|of)\w+(?:\[\S+\])?)", done.stdout)))


def test_a_run_says_how_to_have_the_same_share_again(tmp_path):
    text, first = run(tmp_path, "--share=1/3", "-n", "2", "-p", "randomly")
    [again] = re.findall(r"--share=1/3 --share-seed=\d+", text)
    text, second = run(tmp_path, *again.split())
    assert "11 passed, 18 deselected" in text
    assert first == second
    assert [name.partition("[")[0] for name in first] == [
        *["test_of_much"] * 2,
        "test_with_few",
        *["test_with_many"] * 7,
        "test_without_parameters",
    ]


def test_the_environment_names_the_seed_and_the_run_draws_after_the_selection(tmp_path):
    text, _ = run(tmp_path, "--share=2/3", "-k", "many and green", **{SEED: "77"})
    assert "--share=2/3 --share-seed=77" in text
    assert "3 passed, 26 deselected" in text


@pytest.mark.parametrize(
    ("options", "slow", "others"),
    [
        (["--slow-share=1/3"], 2, 23),
        (["--slow-share=1/6", "--share=2/2"], 1, 12),
        (["--slow-share=1/6", "-m", "not slow"], 0, 23),
    ],
)
def test_the_slow_tests_may_have_a_share_of_their_own(tmp_path, options, slow, others):
    text, names = run(tmp_path, *options)
    [told] = re.findall("parameter sets: (.*) --share-seed", text)
    assert set(told.split()) == {option for option in options if "share" in option}
    assert sum("of_much" in name for name in names) == slow
    assert len(names) == slow + others


def test_without_the_option_all_tests_run(tmp_path):
    text, names = run(tmp_path)
    assert len(names) == 29
    assert "share" not in text
