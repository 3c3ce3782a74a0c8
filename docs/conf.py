"""Sphinx builds the pages with: sphinx-build -W -b html docs docs/_build/html"""

import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parents[1]))

import dj_sessions

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "dj_sessions",
        "dj_sessions.user_sessions",
    ]
)
django.setup()  # autodoc imports the models

project = "dj_sessions"
project_copyright = "the dj_sessions team"
release = version = dj_sessions.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"dj_sessions {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"


def skip_twins(app, what, name, obj, skip, options):
    """Leave out async twins: the page says once that every method has one."""
    return skip or hasattr(obj, "_twin_of")


def setup(app):
    app.connect("autodoc-skip-member", skip_twins)
