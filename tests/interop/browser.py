"""A browser: it keeps its cookies and takes them to every server that it visits."""

import json
from http.cookiejar import Cookie, CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.patience import PATIENCE


class Browser:
    def __init__(self) -> None:
        self.jar = CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.jar))

    def visit(self, address: str, view: str, sent: Any = None) -> Any:
        request = Request(address + view, data=json.dumps(sent).encode())
        with self.opener.open(request, timeout=PATIENCE) as response:
            return json.load(response)

    @property
    def session_cookie(self) -> Cookie | None:
        return next((cookie for cookie in self.jar if cookie.name == "sessionid"), None)
