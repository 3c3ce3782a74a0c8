"""The site that gunicorn and uvicorn serve; its settings come in the environment."""

import json
import os
from pathlib import Path

from tests.interop.wire import unpack
from tests.interop.worker import configure
from tests.metrics.notes import DIRECTORY

configure(unpack(json.loads(os.environ["DJ_SESSIONS_TEST_SITE"])))

from django.core.asgi import get_asgi_application  # noqa: E402 - after the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402

wsgi = get_wsgi_application()
asgi = get_asgi_application()

(Path(os.environ[DIRECTORY]) / str(os.getpid())).touch()  # this process is up
