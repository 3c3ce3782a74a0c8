"""The texts of the app in German, French and Spanish: each, and none that is gone."""

import ast
import re
from gettext import GNUTranslations
from pathlib import Path

import pytest

from dj_sessions import user_sessions

APP = Path(user_sessions.__file__).parent
LANGUAGES = ("de", "es", "fr")
#: What Python files call a text by, and its arguments: the context, the text, that of several.
CALLS = {
    "_": ("text",),
    "gettext": ("text",),
    "ngettext": ("text", "plural"),
    "pgettext": ("context", "text"),
    "npgettext": ("context", "text", "plural"),
}
#: For whoever administers the site; not translated.
LEFT_OUT = {"admin", "management", "checks.py"}
ENTRY = re.compile(
    r'(?:msgctxt "(?P<context>.+)"\n)?msgid "(?P<text>.+)"\n(?:msgid_plural "(?P<plural>.+)"\n)?'
    r'(?P<translated>(?:msgstr(?:\[\d\])? ".+"\n)+)'
)
PLACEHOLDER = re.compile(r"\{\w+\}|%\(\w+\)d")


def of_python():
    for path in APP.rglob("*.py"):
        if LEFT_OUT.isdisjoint(path.relative_to(APP).parts) and "admin" not in path.name:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) in CALLS:
                    given = dict(zip(CALLS[node.func.id], node.args, strict=False))
                    said = {name: ast.literal_eval(value) for name, value in given.items()}
                    yield said.get("context"), said["text"], said.get("plural")


def of_templates():
    for path in APP.rglob("dj_user_sessions/*.html"):
        found = re.findall(r"{% translate '([^']+)' context '([^']+)' %}", path.read_text())
        assert len(found) == path.read_text().count("{% translate")
        yield from ((context, text, None) for text, context in found)


def entries(language):
    """What is translated, and the translations."""
    source = (APP / f"locale/{language}/LC_MESSAGES/django.po").read_text()
    found = list(ENTRY.finditer(source))
    assert len(found) == source.count("msgid ") - 1  # one is the head
    assert "fuzzy" not in source
    texts = [(entry["context"], entry["text"], entry["plural"]) for entry in found]
    translated = [re.findall('"(.+)"', entry["translated"]) for entry in found]
    return dict(zip(texts, translated, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_none_that_is_gone(language):
    translated = entries(language)
    assert set(translated) == {*of_python(), *of_templates()}
    assert translated["sessions of a user", "en", None] == [language]
    for (_, text, plural), forms in translated.items():
        assert len(forms) == (2 if plural else 1)
        for form in forms:
            assert set(PLACEHOLDER.findall(form)) == set(PLACEHOLDER.findall(text))
            assert form.endswith(".") == text.endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_button_is_called_begins_with_what_one_sees_of_it(language):
    """Who speaks to the computer says what stands there."""
    translated = entries(language)
    [seen] = translated["sessions of a user", "End the session", None]
    [called] = translated["sessions of a user", "End the session: {device}, last seen {when}", None]
    assert called.startswith(seen)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_says_the_same(language):
    with (APP / f"locale/{language}/LC_MESSAGES/django.mo").open("rb") as file:
        catalogue = GNUTranslations(file)
    for (context, text, plural), forms in entries(language).items():
        if plural is None:
            said = [catalogue.pgettext(context, text) if context else catalogue.gettext(text)]
        elif context:
            said = [catalogue.npgettext(context, text, plural, n) for n in (1, 2)]
        else:
            said = [catalogue.ngettext(text, plural, n) for n in (1, 2)]
        assert said == forms
