"""The browser and the system that a user agent names, with ua-parser and without it."""

import pytest

from dj_sessions.user_sessions import user_agents
from dj_sessions.user_sessions.in_words import name_of

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
CHROME = "Chrome/140.0.0.0 Safari/537.36"
KNOWN = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0": "Firefox on Linux",
    "Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0": "Firefox on Android",
    f"{IPHONE}Gecko) FxiOS/142.0 Mobile/15E148 Safari/605.1.15": "Firefox on iOS",
    f"{IPHONE}Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1": "Chrome on iOS",
    f"{IPHONE}Gecko) Version/18.5 Mobile/15E148 Safari/604.1": "Safari on iOS",
    f"{MAC}605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15": "Safari on macOS",
    f"{MAC}537.36 (KHTML, like Gecko) {CHROME}": "Chrome on macOS",
    f"{WINDOWS}{CHROME} Edg/140.0.0.0": "Edge on Windows",
    f"{WINDOWS}{CHROME} OPR/122.0.0.0": "Opera on Windows",
    f"{ANDROID}SamsungBrowser/28.0 {CHROME}": "Samsung Internet on Android",
    f"{ANDROID}Chrome/140.0.0.0 Mobile Safari/537.36": "Chrome on Android",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    + CHROME: "Chrome on ChromeOS",
    "": "Unknown browser",
}


@pytest.fixture(params=[True, False], ids=["ua-parser", "by itself"])
def has_parser(request, monkeypatch):
    if request.param:
        pytest.importorskip("ua_parser")
    else:
        monkeypatch.setattr(user_agents, "parse", None)
    return request.param


@pytest.mark.parametrize("user_agent", KNOWN, ids=KNOWN.get)
def test_a_common_browser_has_the_same_name_either_way(has_parser, user_agent):
    assert name_of(user_agent) == KNOWN[user_agent]


def test_the_parser_knows_more(has_parser):
    assert name_of("curl/8.5.0") == ("curl" if has_parser else "Unknown browser")


def test_a_system_alone_is_named(has_parser):
    assert name_of("Something (Windows NT 10.0)") == "Unknown browser on Windows"
