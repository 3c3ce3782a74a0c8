"""The warning before a session ends, in a browser on a site that the test plays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.scripted import HOME, WARNED_AT, Site, Tab
from tests.docs.pages import docs
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = 1_800_000_000
SHOWN_CSP = re.search("Content-Security-Policy: ([^`]+)", docs("warning").text)[1]
DOWN = "The site cannot be reached. Trying again."


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def tabs(
    browser: Browser, browser_thread: ThreadPoolExecutor, site: Site
) -> Iterator[Callable[..., Tab]]:
    """Opens tabs of one browser, whose first tab decides what kind of browser it is."""
    opened: list[Tab] = []

    def tab(real_time: bool = False, **options: Any) -> Tab:
        if not opened:
            context = browser.new_context(reduced_motion="reduce", **options)
            context.set_default_timeout(1000 * PATIENCE)
            context.route("**/*", site.answer)
            if not real_time:
                context.clock.install(time=START)
        else:
            context = opened[0].page.context
        opened.append(Tab(site, context))
        return opened[-1]

    yield tab
    for tab in opened[:1]:
        browser_thread.submit(tab.page.context.close).result()
    assert [problem for tab in opened for problem in tab.problems] == []


# It appears, and the visitor stays


def test_it_appears_two_minutes_before_the_end(tabs, site):
    tab = tabs()
    tab.passes(WARNED_AT - 1)
    assert not tab.is_warned()
    assert site.asked == []
    site.idle = 120
    tab.passes(1)
    tab.waits_for_warning()
    assert site.asked == ["GET"]
    assert tab.part("text").endswith("You will be signed out in 2 minutes.")


def test_one_presses_enter_and_stays(tabs, site):
    tab = tabs()
    tab.page.get_by_label("A note").focus()
    tab.goes_idle()
    assert tab.focused == "Stay signed in"
    tab.page.keyboard.press("Enter")
    tab.waits_for_no_warning()
    assert site.asked == ["GET", "POST"]
    assert list(site.posted[0]) == ["csrfmiddlewaretoken"]
    assert tab.focused == "input"
    assert tab.part("outcome") == "You stay signed in."
    tab.goes_idle()
    assert tab.part("outcome") == ""


@pytest.fixture
def warned(tabs, browser_thread) -> Tab:
    """A tab with the warning, two minutes before the end."""

    def warn() -> Tab:
        tab = tabs()
        tab.goes_idle()
        return tab

    return browser_thread.submit(warn).result()


def test_escape_stays_too(warned, site):
    warned.page.keyboard.press("Escape")
    warned.waits_for_no_warning()
    assert site.asked[-1] == "POST"


def test_the_keyboard_reaches_both_buttons_and_nothing_behind_them(warned):
    seen = []
    for _ in range(6):
        seen.append(warned.focused)
        warned.page.keyboard.press("Tab")
    assert {"Stay signed in", "Sign out"} <= set(seen)
    assert "input" not in seen


def test_it_counts_down_in_words(warned):
    warned.passes(75)
    assert warned.part("text").endswith("in 45 seconds.")
    warned.passes(44)
    assert warned.part("text").endswith("in 1 second.")


def test_it_is_said_each_minute_and_then_at_30_and_10_seconds(warned):
    said = []
    for _ in range(119):
        if warned.part("spoken") not in ("", *said):
            said.append(warned.part("spoken"))
        warned.passes(1)
    times = [sentence.rpartition(" in ")[2] for sentence in said]
    assert times == ["1 minute.", "30 seconds.", "10 seconds."]


def test_one_signs_out(warned, site):
    site.is_over = True
    warned.page.get_by_role("button", name="Sign out").click()
    warned.waits_for("Nobody is logged in")
    assert site.visited == ["GET /", "POST /logout/"]


def test_a_token_that_is_too_old_is_said(warned, site):
    site.trouble = lambda route: route.fulfill(status=403, body="Forbidden")
    warned.page.keyboard.press("Enter")
    warned.waits_for("This page is too old to keep you signed in. Reload it.")
    assert site.visited == ["GET /"]


# The end


def test_when_it_is_over_the_page_is_loaded_again(warned, site):
    site.is_over = True
    warned.later(120)
    warned.waits_for("Nobody is logged in")
    assert site.asked == ["GET", "GET"]
    assert site.visited == ["GET /", "GET /"]


@pytest.mark.parametrize("site", [Site(arguments="ended_url='/bye/'")], ids=["url"])
def test_or_the_browser_goes_where_the_site_wants_it(tabs, site):
    tab = tabs()
    site.is_over = True
    tab.later(600)
    tab.waits_for("Nobody is logged in")
    assert site.visited == ["GET /", "GET /bye/"]


@pytest.mark.parametrize("status", [401, 302])
def test_a_site_that_turns_strangers_away_says_that_it_is_over(warned, site, status):
    if status == 302:  # the browser follows, and the test cannot answer what it then asks
        warned.page.evaluate(REDIRECTED)
    site.trouble = lambda route: route.fulfill(status=status)
    site.is_over = True
    warned.later(120)
    warned.waits_for("Nobody is logged in")
    assert site.visited == ["GET /", "GET /"]


REDIRECTED = """window.fetch = async () => Object.defineProperty(
  new Response("Log in", { headers: { "Content-Type": "text/html" } }),
  "redirected", { value: true })"""


def test_a_fragment_does_not_keep_the_page(tabs, site):
    tab = tabs()
    tab.page.evaluate("location.hash = 'part'")
    site.is_over = True
    tab.later(600)
    tab.waits_for("Nobody is logged in")


def test_one_who_comes_back_from_a_pause_is_told_at_once(tabs, site):
    tab = tabs()
    site.is_over = True
    # As in a laptop that sleeps: the clock goes on, and nothing else does.
    tab.page.clock.set_system_time(START + 3600)
    tab.settle()
    assert site.asked == []
    tab.page.evaluate("window.dispatchEvent(new Event('focus'))")
    tab.waits_for("Nobody is logged in")


def test_one_who_comes_back_at_once_asks_nothing(tabs, site):
    tab = tabs()
    tab.passes(30)
    tab.page.evaluate("window.dispatchEvent(new Event('focus'))")
    tab.settle()
    assert site.asked == []


def test_a_page_out_of_the_history_is_not_believed(tabs, site):
    tab = tabs(real_time=True)  # the test's own hides where a page comes from
    tab.page.goto(f"{HOME}/elsewhere/")
    tab.page.go_back()
    tab.settle()
    assert site.asked == ["GET"]


def test_a_page_that_the_browser_has_kept_is_not_believed(warned, site):
    site.is_over = True
    kept = "new PageTransitionEvent('pageshow', { persisted: true })"
    warned.page.evaluate(f"window.dispatchEvent({kept})")
    warned.waits_for("Nobody is logged in")


# The absolute end


@pytest.mark.parametrize("site", [Site(idle=600, absolute=600)], ids=["absolute"])
def test_nobody_is_offered_to_stay_beyond_the_absolute_end(tabs, site):
    tab = tabs()
    site.idle = site.absolute = 120
    tab.later(WARNED_AT)
    tab.waits_for("Your session cannot be prolonged any further and ends in 2 minutes.")
    assert tab.page.get_by_role("button", name="Stay signed in").count() == 0
    assert tab.focused == "Close"
    tab.page.keyboard.press("Escape")
    tab.waits_for_no_warning()
    tab.passes(60)
    assert not tab.is_warned()
    site.idle = site.absolute = 60
    tab.page.reload()
    assert not tab.is_warned()
    assert site.asked == ["GET"]
    site.is_over = True
    tab.later(120)
    tab.waits_for("Nobody is logged in")


@pytest.mark.parametrize("site", [Site(idle=600, absolute=660)], ids=["both"])
def test_one_who_stays_until_the_absolute_end_is_told_of_it(tabs, site):
    tab = tabs()
    site.idle, site.absolute = 90, 110
    tab.later(510)
    tab.waits_for("You will be signed out in 1 minute, 30 seconds.")
    tab.page.keyboard.press("Enter")
    tab.waits_for("ends in 1 minute, 50 seconds.")
    assert "cannot be prolonged" in tab.part("spoken")


@pytest.mark.parametrize("key", ["Enter", "Escape"])
@pytest.mark.parametrize(
    ("limits", "pause", "left"), [((70, 110), 60, 50), ((24, 40), 20, 20)], ids=["50s", "20s"]
)
def test_what_is_said_of_the_absolute_end_is_what_is_seen(tabs, site, limits, pause, left, key):
    site.idle, site.absolute = limits
    site.renewed = site.idle
    tab = tabs()
    site.idle, site.absolute = site.idle - pause, site.absolute - pause
    tab.later(pause)
    tab.waits_for_warning()
    tab.page.keyboard.press(key)
    tab.waits_for(f"cannot be prolonged any further and ends in {left} seconds.")
    assert f"ends in {left} seconds." in tab.part("spoken")
    for later in (step for step in (30, 10) if step < left):
        tab.passes(left - later)
        left = later
        assert f"ends in {left} seconds." in tab.part("spoken")


def test_an_end_that_does_not_move_is_no_end_to_stay_beyond(warned, site):
    site.renewed = 100
    warned.page.keyboard.press("Enter")
    warned.waits_for(
        "Your session cannot be prolonged any further and ends in 1 minute, 40 seconds."
    )
    assert warned.focused == "Close"


# The network


def test_nobody_is_sent_away_because_the_network_is_down(warned, site):
    site.trouble = lambda route: route.abort()
    warned.later(120)
    warned.waits_for("Your session may be over.")
    warned.waits_for(DOWN)
    for _ in range(4):
        warned.passes(5)
        warned.settle()
    assert 4 <= len(site.asked) <= 8
    assert site.visited == ["GET /"]
    site.trouble = None
    site.idle = 500
    warned.passes(5)
    warned.waits_for_no_warning()


@pytest.mark.parametrize(
    "answer",
    [{"status": 500}, {"status": 503}, {"status": 404}, {"body": "<html>"}, {"json": {"error": 1}}],
    ids=str,
)
def test_nor_because_something_else_answers(warned, site, answer):
    site.trouble = lambda route: route.fulfill(**answer)
    warned.later(121)
    warned.waits_for(DOWN)
    assert site.visited == ["GET /"]


def test_the_wish_to_stay_is_sent_when_the_network_is_there_again(warned, site):
    site.trouble = lambda route: route.abort()
    warned.page.keyboard.press("Enter")
    warned.waits_for(DOWN)
    site.trouble = None
    warned.passes(5)
    warned.waits_for_no_warning()
    assert site.asked == ["GET", "POST", "POST"]


def test_it_appears_without_the_network(tabs, site):
    tab = tabs()
    site.trouble = lambda route: route.abort()
    tab.later(WARNED_AT)
    tab.waits_for(DOWN)
    assert tab.part("text").endswith("in 2 minutes.")


# Other tabs


def test_a_session_that_was_renewed_elsewhere_is_not_warned_of(tabs, site):
    tab = tabs()
    site.idle = 400  # as by a page without the warning
    tab.later(WARNED_AT)
    assert not tab.is_warned()
    assert site.asked == ["GET"]


def test_a_page_in_another_tab_renews_for_both_without_a_question(tabs, site):
    first = tabs()
    first.later(300)
    second = tabs()
    first.later(WARNED_AT - 300)
    for tab in first, second:
        assert not tab.is_warned()
    assert site.asked == []


@pytest.fixture
def both(tabs, browser_thread) -> list[Tab]:
    """Two tabs with the warning."""

    def warn() -> list[Tab]:
        both = [tabs(), tabs()]
        both[0].goes_idle()
        both[1].waits_for_warning()
        return both

    return browser_thread.submit(warn).result()


def test_one_may_say_so_in_both(both, site):
    for tab in both:
        tab.page.evaluate("document.querySelector('[data-part=stay]').click()")
    for tab in both:
        tab.waits_for_no_warning()
    both[0].goes_idle()
    for tab in both:
        tab.waits_for("You have not used this site for a while.")


def test_to_stay_in_one_tab_is_to_stay_in_both(both, site):
    both[0].page.keyboard.press("Enter")
    for tab in both:
        tab.waits_for_no_warning()
    assert site.asked.count("POST") == 1


def test_the_end_is_the_end_in_both(both, site):
    site.is_over = True
    both[0].later(120)
    for tab in both:
        tab.waits_for("Nobody is logged in")


def test_to_sign_out_in_one_tab_is_seen_in_the_other(both, site):
    site.is_over = True
    both[0].page.get_by_role("button", name="Sign out").click()
    both[0].waits_for("Nobody is logged in")
    both[1].passes(2)
    both[1].waits_for("Nobody is logged in")


# Short sessions


@pytest.mark.parametrize("site", [Site(idle=60, renewed=60)], ids=["short"])
def test_a_session_shorter_than_the_lead_is_warned_of_in_its_second_half(tabs, site):
    tab = tabs()
    assert not tab.is_warned()
    site.idle = 30
    tab.later(30)
    tab.waits_for_warning()
    tab.page.keyboard.press("Enter")
    tab.waits_for_no_warning()


@pytest.mark.parametrize("site", [Site(arguments="lead=60 logout_url=''")], ids=["options"])
def test_the_lead_and_the_sign_out_are_the_site_s(tabs, site):
    tab = tabs()
    tab.passes(539)
    assert not tab.is_warned()
    site.idle = 60
    tab.passes(1)
    tab.waits_for("in 1 minute.")
    assert tab.page.get_by_role("button").count() == 1


# How it looks


@pytest.mark.parametrize("site", [Site(csp=SHOWN_CSP)], ids=["documented"])
def test_the_documented_policy_is_enough(warned, site):
    """A refusal would be an error in the console, which no test here allows."""
    assert warned.dialog.bounding_box()["width"] == 480
    warned.page.keyboard.press("Enter")
    warned.waits_for_no_warning()
    assert site.asked[-1] == "POST"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_in_dark(tabs, site, scheme):
    tab = tabs(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    tab.goes_idle()
    box = tab.dialog.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    buttons = tab.page.get_by_role("button").all()
    assert [button.bounding_box()["height"] >= 44 for button in buttons] == [True, True]
    colours = [tab.page.evaluate(LIGHT, part.element_handle()) for part in (tab.dialog, *buttons)]
    dialog, stay, leave = ((ink, paper) for ink, paper in colours)
    assert (dialog[1] < 0.1) == (scheme == "dark")
    for ink, paper in dialog, stay, (leave[0], dialog[1]):
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5


#: How light the text and the background of an element are, as WCAG counts.
LIGHT = """element => ["color", "backgroundColor"].map(name => getComputedStyle(element)[name]).map(
  colour => colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0))"""


def test_it_moves_only_where_motion_is_welcome(warned):
    def animation() -> str:
        look = "element => getComputedStyle(element).animationName"
        return warned.page.evaluate(look, warned.dialog.element_handle())

    assert animation() == "none"
    warned.page.emulate_media(reduced_motion="no-preference")
    assert animation() != "none"


@pytest.mark.parametrize(
    ("site", "text", "button"),
    [
        (Site(language="de"), "in 1 Minute, 45 Sekunden", "Angemeldet bleiben"),
        (Site(language="fr"), "dans 1 minute et 45\u00a0secondes", "Maintenir la session"),
        (Site(language="es"), "1 minuto y 45 segundos", "Mantener la sesión"),
        (Site(language="it"), "in 1 minute, 45 seconds", "Stay signed in"),
    ],
    ids=["de", "fr", "es", "it"],
)
def test_it_speaks_one_language_in_its_sentences_and_its_numbers(tabs, site, text, button):
    tab = tabs()
    site.idle = 105
    tab.later(495)
    tab.waits_for_warning()
    assert text in tab.part("text")
    assert tab.page.get_by_role("button", name=button).is_visible()


def test_without_javascript_nothing_is_shown(tabs, site):
    tab = tabs(java_script_enabled=False)
    assert tab.page.locator("body").inner_text().split() == ["A", "page", "A", "note"]
