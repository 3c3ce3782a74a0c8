"""The documentation as the tests read it: pages, their sections, code fences and tables.

A Python fence is a file of an example site; a comment in its first line names the file. The file
`settings.py` stands for lines of a site's settings. Everything else that is code is either a
session of the interpreter (`pycon`), commands (`sh`) or a change (`diff`).
"""

from __future__ import annotations

import gc
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.contrib import admin

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^( *)```([a-z]+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_FILE = re.compile(r"# ([\w/]+\.py)$", re.MULTILINE)
_SINCE = re.compile(r"  # since Django (\d+)\.(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A block of code: where it stands, in which language, and its text."""

    place: str
    language: str
    text: str

    @property
    def file(self) -> str | None:
        named = _FILE.match(self.text) if self.language == "python" else None
        return named[1] if named else None

    @property
    def is_too_new(self) -> bool:
        """Whether it imports what the Django of this run does not have."""
        return any(tuple(map(int, since)) > django.VERSION for since in _SINCE.findall(self.text))

    def settings(self) -> dict[str, Any]:
        """What the lines of this fence set on top of the settings in force."""
        names = _Settings()
        exec(compile(self.text, self.place, "exec"), {}, names)
        return {name: value for name, value in names.items() if name.isupper()}


class _Settings(dict[str, Any]):
    """The names of a settings file: what it has not set itself is as it is in force."""

    def __missing__(self, name: str) -> Any:
        if not name.isupper() or not hasattr(settings, name):
            raise KeyError(name)
        return copy(getattr(settings, name))


@dataclass(frozen=True)
class Page:
    """A page, or a section of one."""

    name: str
    text: str
    first_line: int = 1

    @property
    def fences(self) -> Iterator[Fence]:
        for found in _FENCE.finditer(self.text):
            indent, language, text = found.groups()
            line = self.first_line + self.text.count("\n", 0, found.start())
            yield Fence(f"{self.name}:{line}", language, re.sub(f"^{indent}", "", text, flags=re.M))

    def all(self, language: str) -> list[Fence]:
        return [fence for fence in self.fences if fence.language == language]

    @property
    def files(self) -> dict[str, str]:
        """The files of the example site, without its settings."""
        shown = [fence for fence in self.fences if not fence.is_too_new]
        files = {fence.file: fence.text for fence in shown if fence.file}
        return {path: text for path, text in files.items() if path != "settings.py"}

    @property
    def settings(self) -> list[Fence]:
        return [fence for fence in self.fences if fence.file == "settings.py"]

    @property
    def prose(self) -> str:
        """The text with its code blanked out, so that a comment in code is no heading."""
        return _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), self.text)

    @property
    def sections(self) -> dict[str, Page]:
        """The sections by heading; each goes on to the next heading of its level or above."""
        headings = list(_HEADING.finditer(self.prose))
        sections = {}
        for place, heading in enumerate(headings):
            later = (h for h in headings[place + 1 :] if len(h[1]) <= len(heading[1]))
            end = next((h.start() for h in later), len(self.text))
            line = self.first_line + self.text.count("\n", 0, heading.start())
            text = self.text[heading.start() : end]
            sections[heading[2]] = Page(self.name, text, line)
        return sections

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of the first table, each by its columns' headings."""
        table = re.search(r"(?:^\|.*\|$\n?)+", self.prose, re.MULTILINE)
        assert table, f"{self.name}:{self.first_line} has no table"
        head, _, *body = [_cells(line) for line in table[0].splitlines()]
        return [dict(zip(head, cells, strict=True)) for cells in body]


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    return [cell.replace(r"\|", "|").strip() for cell in cells]


def page(path: Path) -> Page:
    return Page(str(path.relative_to(ROOT)), path.read_text())


def docs(name: str) -> Page:
    return page(DOCS / f"{name}.md")


def pages() -> list[Page]:
    return [page(path) for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))]


@contextmanager
def example_site(directory: Path) -> Iterator[Callable[[Page], list[str]]]:
    """Inside the block, calling with a page makes its files importable; it returns their names."""

    def write(page: Page) -> list[str]:
        for name, text in page.files.items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text)
        importlib.invalidate_caches()
        return [name.removesuffix(".py").replace("/", ".") for name in page.files]

    registered = dict(admin.site._registry)
    sys.path.insert(0, str(directory))
    try:
        yield write
    finally:
        admin.site._registry = registered
        sys.path.remove(str(directory))
        for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
            del sys.modules[name]
        gc.collect()  # receivers that an example connected hear of nothing any more
        apps.all_models.pop("shop", None)
        apps.clear_cache()
