"""The texts of the app in German, French and Spanish: each, and none that is gone."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.utils.translation import override

import dj_sessions
from dj_sessions.admin import SessionAdmin
from dj_sessions.models import Session

PACKAGE = Path(dj_sessions.__file__).parent
LANGUAGES = ("de", "es", "fr")
#: The templates with texts, each with the context of its texts.
CONTEXTS = {
    "dj_sessions/session_expiry_warning.html": "session expiry warning",
    "dj_sessions/admin/session_statistics.html": "session statistics",
}
#: The texts that stand in code, by context.
OF_CODE = {"admin of sessions": ["public id"]}
TEXT = re.compile(
    r"{% translate '(?P<text>[^']+)' context '(?P<of_text>[^']+)' %}"
    r"|{% blocktranslate with [^%]+ context '(?P<of_block>[^']+)' %}"
    r"(?P<block>.+?){% endblocktranslate %}"
)
PLACEHOLDER = re.compile(r"\{\w+\}|%\(\w+\)s")


def texts(context: str) -> list[str]:
    """What the template, or the code, of that context has translated."""
    if context in OF_CODE:
        return OF_CODE[context]
    [name] = [name for name, each in CONTEXTS.items() if each == context]
    template = (PACKAGE / "templates" / name).read_text()
    found = list(TEXT.finditer(template))
    assert len(found) == len(re.findall("{% (?:block)?translate", template))
    assert {each["of_text"] or each["of_block"] for each in found} == {context}
    blocks = [re.sub(r"{{ (\w+) }}", r"%(\1)s", each["block"] or "") for each in found]
    return [each["text"] or block for each, block in zip(found, blocks, strict=True)]


def entries(language: str, context: str) -> dict[str, str]:
    """The texts of a .po file that have that context, and their translations."""
    source = (PACKAGE / f"locale/{language}/LC_MESSAGES/django.po").read_text()
    found = re.findall(r'(.*)\nmsgctxt "(.+)"\nmsgid "(.+)"\nmsgstr "(.+)"\n', source)
    assert len(found) == source.count("msgid ") - 1  # one is the head
    assert not [comment for comment, *_ in found if "fuzzy" in comment]
    assert {each for _, each, _, _ in found} == {*CONTEXTS.values(), *OF_CODE}
    return {text: translated for _, each, text, translated in found if each == context}


everywhere = pytest.mark.parametrize("context", [*CONTEXTS.values(), *OF_CODE])
in_each_language = pytest.mark.parametrize("language", LANGUAGES)


def test_the_languages_are_those_that_there_are():
    assert sorted(path.name for path in (PACKAGE / "locale").iterdir()) == list(LANGUAGES)


def test_every_template_with_texts_is_looked_at():
    templates = PACKAGE / "templates"
    found = {path for path in templates.rglob("*.html") if "translate" in path.read_text()}
    assert {str(path.relative_to(templates)) for path in found} == set(CONTEXTS)


@everywhere
@in_each_language
def test_every_text_is_translated_and_none_that_is_gone(language, context):
    translated = entries(language, context)
    assert list(translated) == texts(context)
    assert context in OF_CODE or translated["en"] == language
    for text, translation in translated.items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(translation))
        assert not re.search(r"""["<>&\\]""", translation), "it may stand in an attribute"
        assert text.endswith(".") == translation.endswith(".")


@everywhere
@in_each_language
def test_what_is_compiled_says_the_same(language, context):
    with (PACKAGE / f"locale/{language}/LC_MESSAGES/django.mo").open("rb") as file:
        catalogue = GNUTranslations(file)
    said = {text: catalogue.pgettext(context, text) for text in texts(context)}
    assert said == entries(language, context)


@in_each_language
def test_the_columns_of_the_admin_are_in_the_language_of_the_model(language):
    columns = SessionAdmin.shown_key, SessionAdmin.shown_public_id
    with override(language):
        shown = [str(column.short_description) for column in columns]
        assert shown[0] == str(Session._meta.get_field("session_key").verbose_name)
        assert shown[1] == entries(language, "admin of sessions")["public id"]
