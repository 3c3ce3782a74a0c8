"""What a side measures: `subject(name)` of each module gives something to sample.

These modules run in the worker processes, after Django is set up.
"""

from collections.abc import Callable
from typing import Any

#: What closes what a subject has opened, called when the side is done.
closers: list[Callable[[], Any]] = []

#: What a signed-in visitor with a small basket has in the session.
DATA = {
    "_auth_user_id": "1842",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "_csrftoken": "Zk3vQ9xLr0TnB7yWd2HsJ5mCf8GpK1aE",
    "basket": [{"article": 40173, "pieces": 2}, {"article": 40991, "pieces": 1}],
    "language": "de",
}
