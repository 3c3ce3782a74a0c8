"""Whether the admin's index shows the sessions where SESSION_ADMIN_PANEL says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import Warning  # noqa: A004
from django.template import Context, TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import Template, VariableNode
from django.template.loader import select_template
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from django.urls import get_resolver

from dj_sessions.checks._shared import APP, AppConfigs, Messages
from dj_sessions.conf import conf

ADMIN: Final = "django.contrib.admin"
INDEX: Final = "admin/index.html"
TAG: Final = "session_statistics"
#: The names of the blocks around a tag.
Blocks = frozenset[str]


def check_admin_panel(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a panel that no page shows."""
    if not conf.SESSION_ADMIN_PANEL:
        return
    if not apps.is_installed(ADMIN):
        yield Warning(
            f"SESSION_ADMIN_PANEL is on, but INSTALLED_APPS has no {ADMIN!r}: there is no page "
            "that could show the sessions.",
            hint=f"Add {ADMIN!r} to INSTALLED_APPS, below {APP!r}; or leave SESSION_ADMIN_PANEL "
            "out.",
            id="dj_sessions.W113",
        )
        return
    firsts = [_first_without_panel(site.index_template or INDEX) for site in _sites()]
    if firsts and None not in firsts:
        yield _not_shown(firsts[0])


def _not_shown(first: Any) -> Warning:
    path = str(first.origin.name)
    hint = (
        f"Put '{{% load dj_sessions %}}{{% {TAG} %}}' into a block of that template; or leave "
        "SESSION_ADMIN_PANEL out."
    )
    if Path(path).is_relative_to(apps.get_app_config("admin").path):
        path = f"Django's own {first.origin.template_name}"
        hint = f"Move {APP!r} above {ADMIN!r} in INSTALLED_APPS."
    return Warning(
        "SESSION_ADMIN_PANEL is on, but the admin's index does not show the sessions. Its template "
        f"is {path}.",
        hint=hint,
        id="dj_sessions.W112",
    )


def _sites() -> list[Any]:
    """Return the sites of the admin that have URLs, or else all."""
    from django.contrib.admin.sites import all_sites

    has_urls = getattr(settings, "ROOT_URLCONF", None)
    namespaces = get_resolver().namespace_dict if has_urls else {}
    sites = sorted(all_sites, key=lambda site: site.name)
    return [site for site in sites if site.name in namespaces] or sites


def _first_without_panel(name: Any) -> Any:
    """Return the template of that name if it shows no panel; None also if it cannot be told."""
    try:
        found: Any = select_template([name] if isinstance(name, str) else name)
        first = getattr(found, "template", None)
        return first if isinstance(first, Template) and not _shows(first) else None
    except (TemplateDoesNotExist, TemplateSyntaxError):  # its page fails, and says so
        return None


def _shows(template: Any) -> bool:
    """Return whether a page of the template has the tag: itself, or by what it extends."""
    replaced: set[str] = set()
    for each in _with_parents(template):
        if any(blocks.isdisjoint(replaced) for blocks in _around_tags(each.nodelist)):
            return True
        replaced.update(
            block.name
            for block in each.nodelist.get_nodes_by_type(BlockNode)
            if not any(map(_is_super, block.get_nodes_by_type(VariableNode)))
        )
    return False


def _with_parents(template: Any) -> Iterator[Any]:
    context = Context()
    context.template = template  # which knows the engine, and remembers what was found
    found = template
    while found is not None:
        yield found
        extends = found.nodelist.get_nodes_by_type(ExtendsNode)
        found = extends[0].get_parent(context) if extends else None


def _around_tags(nodes: Iterable[Any], blocks: Blocks = frozenset()) -> Iterator[Blocks]:
    """Yield for each tag the blocks that it is in."""
    for node in nodes:
        if getattr(getattr(node, "func", None), "__name__", "") == TAG or _includes_it(node):
            yield blocks
        inside = blocks | {node.name} if isinstance(node, BlockNode) else blocks
        children = (getattr(node, name, ()) for name in node.child_nodelists)
        yield from _around_tags(chain.from_iterable(children), inside)


def _includes_it(node: Any) -> bool:
    name = node.template.var if isinstance(node, IncludeNode) else None
    return isinstance(name, str) and TAG in select_template([name]).template.source


def _is_super(node: Any) -> bool:
    return bool(node.filter_expression.token.startswith("block.super"))
