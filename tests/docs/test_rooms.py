"""`docs/contributing.md`: each question has an answer that is there."""

import re
from pathlib import Path

import pytest

import dj_sessions
from tests.docs.pages import docs

PACKAGE = Path(dj_sessions.__file__).parent
#: An example of something new, which is not there yet.
NEW = "dynamodb"


def questions():
    text = docs("contributing").text
    section = text.partition("## Where is …?")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)
    return [row for row in rows if row[0].strip() != "---"]


def rooms():
    return re.findall(r"`([a-z_/]+/[a-z_/]*(?:\.py)?)`", docs("contributing").text)


def test_twenty_questions_are_answered():
    assert len(questions()) >= 20


@pytest.mark.parametrize("answer", [answer for _, answer in questions()])
def test_an_answer_names_what_there_is(answer):
    named = re.findall(r"`([\w/]+(?:\.py|/))`", answer)
    assert named
    for path in named:
        assert (PACKAGE / path).exists() or NEW in path


@pytest.mark.parametrize("room", rooms())
def test_a_room_is_there(room):
    assert (PACKAGE / room).exists() or (PACKAGE.parent / room).exists() or NEW in room
