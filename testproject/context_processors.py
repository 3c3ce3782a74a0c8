import platform
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """What the frame of every page shows."""
    return {
        "fav_color": request.session.get("fav_color"),
        "engine": settings.SESSION_ENGINE.rpartition(".")[2],
        "interface": "ASGI" if isinstance(request, ASGIRequest) else "WSGI",
        "versions": f"Django {django.get_version()}, Python {platform.python_version()}",
    }
