"""The sessions on the admin's index: for whom, which figures, how often, and what if not."""

import io
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Event
from types import ModuleType

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import AnonymousUser, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections, models, transaction
from django.template import engines
from django.test import Client, RequestFactory, override_settings
from django.test.utils import isolate_apps
from django.urls import path
from django.utils import translation

from dj_sessions._statistics import panel as panels_of_the_process
from dj_sessions._statistics.panel import Panel, may_be_seen_by
from dj_sessions.backends import db
from dj_sessions.base_session import AbstractBaseSession
from dj_sessions.checks.admin_panel import check_admin_panel
from dj_sessions.templatetags.dj_sessions import KEYS
from tests import panels
from tests.counters import statements
from tests.fresh import run
from tests.patience import PATIENCE

INDEX = "/admin/"
TAG = "{% load dj_sessions %}{% session_statistics %}"
#: An address of the index of the site `own`, and of one with a template of its own.
OWN, STYLED = "/own/", "/styled/"

own = admin.AdminSite("own")
styled = admin.AdminSite("styled")
styled.index_template = "styled/index.html"
urlpatterns = [path("admin/", admin.site.urls), path("own/", own.urls)]


class urls_of_one_site:
    urlpatterns = [path("styled/", styled.urls)]


class urls_of_all_sites:
    urlpatterns = [*urlpatterns, path("styled/", styled.urls)]


sqlite = pytest.mark.stores("db", database="sqlite")


@pytest.fixture
def boss(store):
    return get_user_model().objects.create_superuser("boss")


@pytest.fixture
def shown(store):
    with panels.shown():
        yield


@pytest.fixture(autouse=True)
def whoever_waits_is_patient(monkeypatch):
    """A busy machine may take its time."""
    monkeypatch.setattr(panels_of_the_process, "PATIENCE", PATIENCE)


def visitor(user):
    client = Client()
    client.force_login(user)
    return client


def staff(*permissions, **more):
    """Somebody with these permissions alone."""
    user = get_user_model().objects.create_user("clerk", is_staff=True, **more)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def index(user, address=INDEX):
    return page(visitor(user), address)


def page(client, address=INDEX):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def same(text):
    """A page without what is another one each time."""
    return re.sub(r'(csrfmiddlewaretoken" value=)"\w+"', r"\1", text)


def part(text):
    """The panel of a page."""
    [found] = re.findall(r'<section class="module clear".*</section>', text, re.DOTALL)
    return found


def figures(text):
    rows = re.findall(r'<th scope="row">(.+?)</th><td>(.+?)</td>', part(text))
    return {unescape(label): unescape(figure).replace("\xa0", " ") for label, figure in rows}


def save(store, **data):
    session = store.SessionStore()
    session.update(data)
    session.save()
    return session


# For whom


@sqlite
def test_who_may_view_sessions_sees_it(shown, boss):
    assert "Live, of users" in index(boss)
    assert "Live, of users" in index(staff("view_session"))


@sqlite
def test_nobody_else_sees_it_and_nothing_is_asked_for_them(shown):
    clerk = staff("view_user")
    with override_settings(SESSION_ADMIN_PANEL=False), statements() as before:
        without = index(clerk)
    with statements() as asked:
        assert same(index(clerk)) == same(without)
    assert len(asked) == len(before)
    assert "session-statistics" not in Client().get(INDEX, follow=True).content.decode()


def rendered(**context):
    return engines["django"].from_string(TAG).render(context)


@sqlite
@pytest.mark.parametrize("is_staff", [True, False])
def test_the_tag_alone_asks_for_the_permission(shown, is_staff):
    request = RequestFactory().get("/")
    assert rendered() == rendered(request=request) == ""
    request.user = AnonymousUser()
    assert rendered(request=request) == ""
    request.user = get_user_model().objects.create_user("eve", is_staff=is_staff)
    assert rendered(request=request) == ""
    request.user.is_superuser = True
    assert "session-statistics" in rendered(request=request)
    request.user.is_active = False
    assert rendered(request=request) == ""


@sqlite
def test_a_model_of_the_engine_s_own_has_a_permission_of_its_own(store, monkeypatch):
    with isolate_apps("tests"):

        class Visit(AbstractBaseSession):
            account = models.IntegerField()

            class Meta(AbstractBaseSession.Meta):
                app_label = "tests"

    class SessionStore(db.SessionStore):
        @classmethod
        def get_model_class(cls):
            return Visit

    module = ModuleType("engine_of_visits")
    module.SessionStore = SessionStore
    monkeypatch.setitem(sys.modules, module.__name__, module)
    kind = ContentType.objects.create(app_label="tests", model="visit")
    Permission.objects.create(codename="view_visit", content_type=kind)
    try:
        viewer = staff("view_session")
        assert may_be_seen_by(viewer)
        with override_settings(SESSION_ENGINE=module.__name__):
            assert not may_be_seen_by(viewer)
            viewer.delete()
            assert may_be_seen_by(staff("view_visit"))
    finally:
        kind.delete()


# Off


@sqlite
def test_off_the_page_is_django_s_to_the_byte_and_costs_nothing(boss):
    client = visitor(boss)
    with statements() as before:
        django_s = page(client)
    with panels.above_the_admin(), statements() as asked:
        ours = page(client)
    assert same(ours) == same(django_s)
    assert asked == before


# Which figures


def counted():
    """What the command says."""
    out = io.StringIO()
    call_command("sessionstats", stdout=out, json=True)
    return json.loads(out.getvalue())


@pytest.mark.stores("db", "cached_db", "file", "redis")
def test_the_figures_are_those_of_sessionstats(store, boss, shown):
    save(store, **{SESSION_KEY: "987654321", "cart": "x" * 3000})
    save(store, colour="green")
    seen = figures(index(boss))
    assert seen["Live"] == str(counted()["live"]) == "3"
    assert (seen["Live, of users"], seen["Live, anonymous"], seen["Expired"]) == ("2", "1", "0")
    assert (seen["In the last hour"], seen["Longer ago"]) == ("3", "0")
    assert {"cart", "Mean size", "Median size, at most"} <= set(seen)


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_sessions_that_do_not_tell_when_they_were_saved_are_counted_all_the_same(
    store, boss, shown
):
    save(store, colour="green")
    seen = figures(index(boss))
    assert seen["Live"] == seen["Unknown"] == str(counted()["without_age"]) == "2"
    assert "In the last hour" not in seen


@sqlite
def test_it_says_how_old_and_how_large_they_are(store, boss, shown, clock):
    save(store, cart="x" * 600_000)
    clock.move(2 * 86400)
    save(store, colour="green", _session_expiry=60)
    clock.move(2 * 86400 + 61)
    seen = figures(index(boss))
    assert (seen["Live"], seen["Expired"]) == ("2", "1")
    ages = ("In the last hour", "In the last 24 hours", "In the last 7 days", "Longer ago")
    assert [seen[age] for age in ages] == ["1", "1", "2", "0"]
    assert seen["cart"] == "585.9 KB"


@sqlite
def test_of_a_large_store_it_reads_a_sample_and_says_so(store, boss, shown, monkeypatch):
    monkeypatch.setattr(panels_of_the_process, "SAMPLE", 20)
    for number in range(59):
        save(store, number=number)
    client = visitor(boss)
    with statements() as asked:
        text = page(client)
    assert "Estimated from 20 of 60 sessions." in text
    assert figures(text)["Live"] == "60"
    # Rows from a random one on, of which the first may come last; counts of two forms, and of the
    # expired ones.
    assert len([each for each in asked if "session_key" in each and "LIMIT" in each]) <= 3
    assert len([each for each in asked if "COUNT" in each]) == 3


@sqlite
def test_it_names_no_user_and_few_keys_and_makes_them_harmless(store, boss, shown):
    save(store, **{SESSION_KEY: "987654321"})
    save(store, **{"<script>": "x" * 500, "&amp": "y" * 400, "k" * 90: "z" * 300, "small": 1})
    text = index(boss)
    assert "987654321" not in text
    assert "<script>" not in part(text)
    largest = ["<script>", "&amp", "k" * 39 + "…"]
    assert list(figures(text))[-KEYS:] == largest


@sqlite
def test_what_cannot_be_read_is_counted(store, boss, shown):
    save(store)
    key = save(store, colour="red").session_key
    store.SessionStore().model.objects.filter(session_key=key).update(session_data="broken")
    seen = figures(index(boss))
    assert (seen["Live"], seen["Unreadable"]) == ("2", "1")


# What if not


@pytest.mark.stores("cache", "signed_cookies", cache=(None, "locmem", "memcached"))
def test_a_store_without_a_list_is_named(store, boss, shown):
    text = part(index(boss))
    assert f"The engine {store.engine} has no list of its sessions" in text
    assert "<table" not in text


@sqlite
def test_sessions_that_move_are_not_counted(store, boss):
    move = {"FROM": store.engine, "TO": "dj_sessions.backends.cache"}
    moving = "dj_sessions.backends.moving"
    with panels.shown(SESSION_ENGINE=moving, SESSION_MOVE=move):
        assert f"The engine {moving} has no list of its sessions" in part(index(boss))


@pytest.fixture
def without_the_table(store):
    """The table of sessions is gone, and who is in the cache is still logged in."""
    connection = connections[store.database]

    def rename(old, new):
        quoted = map(connection.ops.quote_name, (old, new))
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE {} RENAME TO {}".format(*quoted))

    def lose():
        rename("django_session", "lost")
        lost.append(True)

    lost = []
    yield lose
    if lost:
        rename("lost", "django_session")


@pytest.mark.stores("cached_db")
def test_a_store_that_fails_is_said_and_logged(store, boss, shown, without_the_table, caplog):
    client = visitor(boss)
    client.get("/sync/read/")  # the copy is in the cache
    without_the_table()
    response = client.get(INDEX)
    assert response.status_code == 200
    assert "The store does not answer" in part(response.content.decode())
    [record] = [each for each in caplog.records if each.name == "django.contrib.sessions"]
    assert (record.levelname, record.getMessage()) == ("ERROR", "Sessions cannot be counted")
    assert "django_session" in str(record.exc_info[1])
    client.get(INDEX)  # nor is it asked again at once
    assert len([each for each in caplog.records if each.name == "django.contrib.sessions"]) == 1


@pytest.mark.stores("cached_db", database="postgres")
def test_a_store_that_hangs_does_not_hang_the_page(store, boss, shown, monkeypatch):
    client = visitor(boss)
    client.get("/sync/read/")
    monkeypatch.setattr(panels_of_the_process, "PATIENCE", 0.01)
    with transaction.atomic(using=store.database):
        with connections[store.database].cursor() as cursor:
            cursor.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as thread:
            text = thread.submit(seen_by, client).result()
    assert "still being counted" in part(text)
    monkeypatch.setattr(panels_of_the_process, "PATIENCE", PATIENCE)
    assert figures(page(client))["Live"] == "1"


def seen_by(client):
    try:
        return page(client)
    finally:
        connections.close_all()


# How often


@sqlite
def test_it_is_counted_once_a_minute(store, boss, shown, clock):
    client = visitor(boss)
    assert figures(page(client))["Live"] == "1"
    with override_settings(SESSION_ADMIN_PANEL=False), statements() as unavoidable:
        page(client)
    save(store)
    for moment, live in ((59, "1"), (60, "2"), (0, "2")):  # the last: the clock was put back
        clock.move(moment)
        with statements() as asked:
            assert figures(page(client))["Live"] == live
        assert (asked == unavoidable) == (moment == 59)
    assert "As of" in page(client)


class Counting:
    """A count for a panel, which waits for the test from the second one on."""

    def __init__(self, clock=None, seconds=0):
        self.calls = 0
        self.begun, self.go_on = Event(), Event()
        self._clock, self._seconds = clock, seconds

    def __call__(self):
        self.calls += 1
        if self.calls > 1:
            self.begun.set()
            assert self.go_on.wait(PATIENCE)
        if self._clock:
            self._clock.move(self._seconds)
        return f"figures {self.calls}"


def test_one_counts_and_the_others_get_the_last(clock):
    count = Counting()
    panel = Panel(count)
    first = panel.latest()
    assert first.summary == "figures 1"
    clock.move(60)
    with ThreadPoolExecutor(1) as thread:
        counting = thread.submit(panel.latest)
        assert count.begun.wait(PATIENCE)
        assert panel.latest() is panel.latest() is first
        count.go_on.set()
        assert counting.result().summary == "figures 2"
    assert count.calls == 2


def test_the_first_ones_wait_together():
    count = Counting()
    count.calls = 1
    panel = Panel(count)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(panel.latest) for _ in range(4)]
        assert count.begun.wait(PATIENCE)
        count.go_on.set()
        [outcome] = {each.result() for each in waiting}
    assert (outcome.summary, count.calls) == ("figures 2", 2)


def test_counting_takes_a_tenth_of_the_time_at_most(clock):
    count = Counting(clock, seconds=20)
    count.go_on.set()
    panel = Panel(count)
    first = panel.latest()
    clock.move(20 + 199)
    assert panel.latest() is first
    clock.move(20 + 200)
    assert panel.latest() is not first


def test_a_count_that_never_ends_is_given_up(clock, caplog, monkeypatch):
    monkeypatch.setattr(panels_of_the_process, "PATIENCE", 0)
    count = Counting()
    count.calls = 1
    panel = Panel(count)
    assert panel.latest() is None
    assert count.begun.wait(PATIENCE)
    hanging = panel._run
    clock.move(601)
    outcome = panel.latest()
    assert (outcome.summary, outcome.is_unlistable) == (None, False)
    assert "longer than 600 seconds" in caplog.text
    count.go_on.set()
    assert hanging.over.wait(PATIENCE)
    assert panel.latest() is outcome  # what came too late is not taken
    monkeypatch.setattr(panels_of_the_process, "PATIENCE", PATIENCE)
    clock.move(601 + 600)
    assert panel.latest().summary == "figures 3"


# Where


def said():
    return [(message.id, message.msg, message.hint) for message in check_admin_panel(None)]


@pytest.fixture
def templates(tmp_path):
    """Writes templates of the site."""

    def write(name, text):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
        return str(place)

    here = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]
    with override_settings(TEMPLATES=here, ROOT_URLCONF=__name__):
        yield write


@sqlite
@pytest.mark.parametrize("address", [INDEX, OWN])
def test_each_site_of_the_admin_has_it(templates, shown, boss, address):
    assert "Live, of users" in index(boss, address)
    assert said() == []


@sqlite
def test_below_the_admin_it_is_not_seen_and_a_check_says_so(store, boss):
    with override_settings(SESSION_ADMIN_PANEL=True):
        assert "session-statistics" not in index(boss)
        [(id_, message, hint)] = said()
    assert id_ == "dj_sessions.W112"
    assert "Its template is Django's own admin/index.html." in message
    assert hint == "Move 'dj_sessions' above 'django.contrib.admin' in INSTALLED_APPS."


def test_without_an_admin_a_check_says_so():
    said_there = run(
        """
    from dj_sessions.checks.admin_panel import check_admin_panel
    print(*(message.id for message in check_admin_panel(None)))
    """,
        INSTALLED_APPS=["dj_sessions"],
        SESSION_ADMIN_PANEL=True,
    )
    assert said_there.split() == ["dj_sessions.W113"]


def test_off_nothing_is_said():
    assert said() == []


#: What a site may have as its admin/index.html, and whether the panel is seen with it.
EXTENDS = '{% extends "admin/index.html" %}'
HIDES = "{% block sidebar %}{% endblock %}"
INDEXES = {
    EXTENDS: True,
    EXTENDS + "{% block sidebar %}<hr>{{ block.super }}{% endblock %}": True,
    EXTENDS + HIDES: False,
    EXTENDS
    + "{% block sidebar %}{% endblock %}{% block pretitle %}"
    + TAG
    + "{% endblock %}": True,
    EXTENDS + "{% block sidebar %}{% if 1 %}" + TAG + "{% endif %}{% endblock %}": True,
    '{% extends "admin/base_site.html" %}': False,
    '{% extends "admin/base_site.html" %}{% block content %}' + TAG + "{% endblock %}": True,
    '{% extends "admin/base_site.html" %}{% block content %}{% include "part.html" %}'
    "{% endblock %}": True,
    TAG: True,
    "bare": False,
}


@sqlite
@pytest.mark.parametrize("text", INDEXES)
def test_a_site_may_have_an_index_of_its_own(templates, shown, boss, text):
    templates("part.html", TAG)
    place = templates("admin/index.html", text)
    is_seen = "session-statistics" in index(boss)
    assert is_seen == INDEXES[text]
    if is_seen:
        assert said() == []
    else:
        [(id_, message, hint)] = said()
        assert id_ == "dj_sessions.W112"
        assert place in message
        assert TAG in hint


@sqlite
def test_a_site_with_an_index_template_needs_the_tag(templates, shown, boss):
    place = templates("styled/index.html", EXTENDS + HIDES)
    with override_settings(ROOT_URLCONF=urls_of_one_site):
        [(_, message, _)] = said()
        assert place in message
    with override_settings(ROOT_URLCONF=urls_of_all_sites):
        assert said() == []  # other sites have it


@sqlite
def test_a_site_with_an_index_template_shows_the_tag(templates, shown, boss):
    templates("styled/index.html", "{% block content %}" + TAG + "{% endblock %}")
    with override_settings(ROOT_URLCONF=urls_of_one_site):
        assert said() == []
        assert "Live, of users" in index(boss, STYLED)


@sqlite
@pytest.mark.parametrize("text", ["{% extends base %}", "{% broken %}", '{% extends "none" %}'])
def test_a_template_that_cannot_be_followed_is_not_judged(templates, shown, text):
    templates("admin/index.html", text)
    assert said() == []


# In which language


@sqlite
@pytest.mark.parametrize(
    ("language", "lang", "live"),
    [
        *[("en", "en", "Live"), ("de", "de", "Aktiv"), ("fr", "fr", "Actives")],
        *[("es", "es", "Activas"), ("ja", "en", "Live")],
    ],
)
def test_it_speaks_the_language_of_the_page(shown, boss, language, lang, live):
    request = RequestFactory().get("/")
    request.user = boss
    with translation.override(language):
        text = rendered(request=request)
    assert f'lang="{lang}"' in text
    assert live in figures(text)
