"""`{% session_expiry_warning %}`: what it puts into a page, and for whom."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.template import Context, Template, engines
from django.test import RequestFactory, override_settings
from django.urls import NoReverseMatch, include, path, reverse_lazy
from django.utils import translation

import dj_sessions
from dj_sessions.backends.base import Remaining
from dj_sessions.backends.db import SessionStore
from tests.counters import statements
from tests.fresh import run
from tests.test_texts import CONTEXTS, LANGUAGES, entries

PACKAGE = Path(dj_sessions.__file__).parent
TEMPLATE = "dj_sessions/session_expiry_warning.html"
CONTEXT = CONTEXTS[TEMPLATE]
FILES = ("dj_sessions/session_expiry_warning.css", "dj_sessions/session_expiry_warning.js")


def page(request):
    template = "{% load dj_sessions %}{% session_expiry_warning %}"
    return HttpResponse(engines["django"].from_string(template).render({}, request))


included = path("session/", include("dj_sessions.urls"))
logout = path("bye/", page, name="logout")
urlpatterns = [included, logout, path("", page)]


class urls_without_logout:
    urlpatterns = [included]


class urls_without_ours:
    urlpatterns = [logout]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=__name__):
        yield


def member(idle=900, absolute=None):
    """A request of a visitor who is logged in."""
    request = RequestFactory().get("/")
    request.session = SimpleNamespace(get_remaining=lambda: Remaining(idle, absolute))
    request.user = SimpleNamespace(is_authenticated=True)
    return request


def rendered(request, arguments="", **context):
    template = Template(f"{{% load dj_sessions %}}{{% session_expiry_warning {arguments} %}}")
    return template.render(Context({"request": request, **context}))


class Elements(HTMLParser):
    """The elements of a page, each with its attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def warning(*arguments, **context):
    [attributes] = Elements(rendered(*arguments, **context)).all("dj-session-expiry-warning")
    return attributes


# What is in it


def test_the_element_has_what_the_script_needs():
    element = warning(member(900, 3600))
    texts = {name for name in element if name.startswith(("data-text-", "data-label-"))}
    assert len(texts) == 9
    assert all(element[name] for name in texts)
    assert {name: value for name, value in element.items() if name not in texts} == {
        "lang": "en",
        "data-status-url": "/session/remaining/",
        "data-lead": "120",
        "data-idle": "900",
        "data-absolute": "3600",
        "data-ended-url": "",
    }


@pytest.mark.parametrize(("idle", "absolute"), [(900, None), (None, 900)])
def test_an_end_that_there_is_not_is_left_out(idle, absolute):
    element = warning(member(idle, absolute))
    assert ("data-idle" in element, "data-absolute" in element) == (idle == 900, absolute == 900)


def test_the_script_reads_what_the_template_writes():
    script = (PACKAGE / "static" / FILES[1]).read_text()
    template = (PACKAGE / "templates" / TEMPLATE).read_text()

    def camel(name):
        return re.sub("-(.)", lambda found: found[1].upper(), name)

    written = {camel(name) for name in re.findall(r"data-([a-z-]+)=", template)}
    assert all(re.search(rf"\b{name}\b", script) for name in written - {"part"})
    parts = set(re.findall(r'data-part="(\w+)"', template))
    assert parts == {"text", "notice", "spoken", "form", "stay", "outcome"}
    assert all(re.search(rf"\b{part}\b", script) for part in parts)


def test_a_large_number_is_written_without_separators():
    with override_settings(USE_THOUSAND_SEPARATOR=True), translation.override("de"):
        assert warning(member(1209600))["data-idle"] == "1209600"


@pytest.mark.parametrize(("lead", "seconds"), [("'300'", "300"), ("300.5", "300"), ("300", "300")])
def test_the_lead_is_any_number(lead, seconds):
    assert warning(member(), f"lead={lead}")["data-lead"] == seconds


@pytest.mark.parametrize("lead", ["'soon'", "missing", "None", "0", "0.9", "-1", "'1e999'", "huge"])
@pytest.mark.parametrize("is_logged_in", [True, False], ids=["member", "stranger"])
def test_another_lead_is_an_error_as_no_warning_would_come(lead, is_logged_in):
    request = member()
    request.user.is_authenticated = is_logged_in
    with pytest.raises(
        ValueError, match=r"lead=.* is not a number of seconds above 0\. .* lead=120"
    ):
        rendered(request, f"lead={lead}", huge=float("inf"))


@pytest.mark.parametrize("option", ["ended_url", "logout_url"])
@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("logout", "/bye/"),
        ("dj_sessions:remaining", "/session/remaining/"),
        ("/a/?b=1#c", "/a/?b=1#c"),
        ("https://elsewhere.test/bye", "https://elsewhere.test/bye"),
        ("//elsewhere.test", "//elsewhere.test"),
        (reverse_lazy("logout"), "/bye/"),
        ("", ""),
    ],
)
def test_a_place_is_the_name_of_a_url_or_an_address(option, given, address):
    elements = Elements(rendered(member(), f"{option}=given", given=given))
    [element], [form] = elements.all("dj-session-expiry-warning"), elements.all("form")
    found = element["data-ended-url"] if option == "ended_url" else form.get("action", "")
    assert found == address


@pytest.mark.parametrize("option", ["ended_url", "logout_url"])
@pytest.mark.parametrize(
    "given",
    [
        "goodbye",
        "javascript:alert(1)",
        "javascript:alert('/.')",
        " JavaScript:alert('/.')",
        "\x01javascript:alert('/.')",
        "java\nscript:alert('/.')",
        "data:text/html,.",
        "/\\elsewhere.test",
    ],
)
def test_what_is_neither_is_an_error(option, given):
    with pytest.raises(ValueError, match=f"{option}=.* is neither .* nor an address"):
        rendered(member(), f"{option}=given", given=given)


def test_arguments_are_escaped_also_where_a_page_escapes_nothing():
    where = """/"><script>'"""
    template = Template(
        "{% load dj_sessions %}{% autoescape off %}"
        "{% session_expiry_warning ended_url=where logout_url=where %}{% endautoescape %}"
    )
    context = Context({"request": member(), "where": where, "csp_nonce": where})
    elements = Elements(template.render(context))
    [element], [script] = elements.all("dj-session-expiry-warning"), elements.all("script")
    assert element["data-ended-url"] == script["nonce"] == where
    assert ("form", {"method": "post", "action": where, "data-part": "form"}) in elements.found


def test_options():
    element = warning(member(), "lead=60 ended_url=where", where="/a?b=1&c=<2>")
    assert element["data-lead"] == "60"
    assert element["data-ended-url"] == "/a?b=1&c=<2>"


@pytest.mark.parametrize(
    ("urls", "arguments", "action"),
    [
        (__name__, "", "/bye/"),
        (__name__, "logout_url='/out/'", "/out/"),
        (__name__, "logout_url=''", None),
        (urls_without_logout, "", None),
    ],
)
def test_one_signs_out_where_there_is_a_url_for_it(urls, arguments, action):
    with override_settings(ROOT_URLCONF=urls):
        elements = Elements(rendered(member(), arguments))
    [form] = elements.all("form")
    assert form["method"] == "post"
    assert form.get("action") == action
    kinds = [button["type"] for button in elements.all("button")]
    assert kinds == ["button", "submit"][: 1 if action is None else 2]
    [field] = elements.all("input")
    assert field["name"] == "csrfmiddlewaretoken"
    assert len(field["value"]) == 64


def test_nothing_is_inline():
    elements = Elements(rendered(member()))
    for tag, attributes in elements.found:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert elements.all("script") == [{"type": "module", "src": f"/static/{FILES[1]}"}]
    assert elements.all("link") == [{"rel": "stylesheet", "href": f"/static/{FILES[0]}"}]


def test_the_nonce_of_a_policy_is_on_both_files():
    class Nonce:
        """As Django's, which is made when it is first written, and is false until then."""

        def __bool__(self):
            return False

        def __str__(self):
            return "abc"

    elements = Elements(rendered(member(), csp_nonce=Nonce()))
    assert [elements.all(tag)[0]["nonce"] for tag in ("script", "link")] == ["abc", "abc"]


def test_the_files_are_those_of_the_manifest(tmp_path):
    storages = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    with override_settings(STORAGES=storages, STATIC_ROOT=tmp_path):
        call_command("collectstatic", verbosity=0, interactive=False)
        elements = Elements(rendered(member()))
    for attributes, name in (elements.all("link")[0], "href"), (elements.all("script")[0], "src"):
        address = attributes[name]
        assert re.search(r"_warning\.[0-9a-f]{12}\.(css|js)$", address)
        assert (tmp_path / address.removeprefix("/static/")).exists()


def test_a_site_may_have_a_template_of_its_own(tmp_path):
    own = tmp_path / TEMPLATE
    own.parent.mkdir()
    own.write_text("{{ remaining.idle }} of {{ request.path }} {{ brand }}")
    templates = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]
    with override_settings(TEMPLATES=templates):
        page = engines["django"].from_string("{% load dj_sessions %}{% session_expiry_warning %}")
        assert page.render({"brand": "mine"}, member()) == "900 of / mine"


# Whom it is for


def test_a_visitor_who_is_logged_in_gets_it(mode, user):
    client = mode.client()
    client.force_login(user)
    with override_settings(SESSION_IDLE_AGE=900):
        response = client.get("/")
    [element] = Elements(response.content.decode()).all("dj-session-expiry-warning")
    assert 840 <= int(element["data-idle"]) <= 900  # a busy machine takes its time
    assert "no-store" not in response.headers.get("Cache-Control", "")


def test_a_stranger_gets_nothing_and_asks_nothing(mode, databases):
    with statements() as seen:
        response = mode.client().get("/")
    assert response.content == b""
    assert not response.cookies
    assert seen == []


@pytest.mark.parametrize("lacks", ["request", "session", "user", "login", "end", "get_remaining"])
def test_nothing_is_rendered_without_a_request_a_session_a_login_or_an_end(lacks):
    request = member(None if lacks == "end" else 900)
    if lacks in ("session", "user"):
        delattr(request, lacks)
    elif lacks == "login":
        request.user.is_authenticated = False
        request.session = None  # whoever touches it fails
    elif lacks == "get_remaining":  # Django's own session
        request.session = object()
    assert rendered(None if lacks == "request" else request) == ""


@pytest.mark.parametrize("is_logged_in", [True, False], ids=["member", "stranger"])
def test_a_site_that_does_not_include_our_urls_is_told_what_to_add(is_logged_in):
    request = member()
    request.user.is_authenticated = is_logged_in
    line = 'path("session/", include("dj_sessions.urls")),'
    with (
        override_settings(ROOT_URLCONF=urls_without_ours),
        pytest.raises(NoReverseMatch, match=re.escape(line)),
    ):
        rendered(request)


def test_it_reads_the_session_that_the_page_has_read(user, databases):
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.session["colour"] = "green"
    request.session.save()
    request.user = user
    with statements() as seen:
        assert rendered(request)
    assert seen == []
    assert request.session.modified


def test_it_works_without_the_app_for_static_files():
    said = run(
        """
    from types import ModuleType, SimpleNamespace
    from django.template import Context, Engine
    from django.test import RequestFactory
    from django.urls import include, path
    from dj_sessions.backends.base import Remaining

    urls = ModuleType("urls")
    urls.urlpatterns = [path("", include("dj_sessions.urls"))]
    sys.modules["urls"] = urls
    request = RequestFactory().get("/")
    request.session = SimpleNamespace(get_remaining=lambda: Remaining(60, None))
    request.user = SimpleNamespace(is_authenticated=True)
    engine = Engine(app_dirs=True, libraries={
        name: f"{package}.templatetags.{name}"
        for name, package in (
            ("dj_sessions", "dj_sessions"), ("static", "django"), ("i18n", "django")
        )
    })
    template = engine.from_string("{% load dj_sessions %}{% session_expiry_warning %}")
    print(template.render(Context({"request": request})))
    """,
        INSTALLED_APPS=["dj_sessions"],
        ROOT_URLCONF="urls",
        STATIC_URL="/assets/",
    )
    assert f'src="/assets/{FILES[1]}"' in said
    assert "<button" in said


# Its texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_warning_speaks_the_language_of_the_page(language):
    with translation.override(language):
        element = warning(member())
    assert element["lang"] == language
    assert element["data-label-stay"] == entries(language, CONTEXT)["Stay signed in"]


def test_a_language_that_we_do_not_speak_gets_english_and_says_so():
    with translation.override("it"):
        element = warning(member())
    assert element["lang"] == "en"
    assert element["data-label-stay"] == "Stay signed in"


def test_our_texts_are_not_those_of_the_site():
    """The site's own "Close" is translated by the site, or by Django, as before."""
    with translation.override("de"):
        assert translation.gettext("Stay signed in") == "Stay signed in"
