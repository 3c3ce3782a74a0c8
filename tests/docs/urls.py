"""URLs for the views of an example."""

from django.urls import re_path


def urls(*views):
    """A URLconf that has each view under its name, and the last one everywhere."""
    patterns = [re_path(f"^{view.__name__}/$", view) for view in views]
    return type("urls", (), {"urlpatterns": [*patterns, re_path("", views[-1])]})
