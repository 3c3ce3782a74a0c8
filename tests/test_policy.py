"""`_http.decision`: the whole truth table of what a response owes the session."""

from dataclasses import replace
from itertools import product

import pytest
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import override_settings

from dj_sessions._http.decision import Decision, State, decide

STATUSES = (200, 204, 302, 404, 499, 500, 503, 599)
STATES = [State(*flags, status) for *flags, status in product(*[(False, True)] * 5, STATUSES)]

# accessed, modified, empty, has_cookie, save_every_request, 5xx -> the decision; "-" is either.
TABLE = """
    0 - 1 0 - -    nothing
    1 - 1 0 - -    vary
    - - 1 1 - -    delete_cookie vary
    0 0 0 - 0 -    nothing
    1 0 0 - 0 -    vary
    - 1 0 - - 0    save set_cookie vary
    - 0 0 - 1 0    save set_cookie vary
    0 1 0 - - 1    nothing
    1 1 0 - - 1    vary
    0 0 0 - 1 1    nothing
    1 0 0 - 1 1    vary
"""


def rows():
    for line in TABLE.strip().splitlines():
        *pattern, words = line.split(maxsplit=6)
        yield pattern, Decision(**dict.fromkeys(words.replace("nothing", "").split(), True))


def flags(state):
    return (
        state.accessed,
        state.modified,
        state.empty,
        state.has_cookie,
        state.save_every_request,
        state.status >= 500,
    )


def fits(pattern, state):
    return all(
        wanted in ("-", str(int(flag))) for wanted, flag in zip(pattern, flags(state), strict=True)
    )


def test_each_state_has_one_line_in_the_table_and_gets_what_it_says():
    for state in STATES:
        said = [decision for pattern, decision in rows() if fits(pattern, state)]
        assert said == [decide(state)], state


class SessionOfState:
    """A session that is in a given state, and notes whether it is saved."""

    session_key = "abcdefgh" * 4

    def __init__(self, state):
        self.accessed, self.modified, self.empty = state.accessed, state.modified, state.empty
        self.saved = False

    def is_empty(self):
        return self.empty

    def get_expire_at_browser_close(self):
        return True

    def save(self):
        self.saved = True


def decided_by_django(state):
    request = HttpRequest()
    request.COOKIES = {"sessionid": "abcdefgh" * 4} if state.has_cookie else {}
    request.session = SessionOfState(state)
    response = HttpResponse(status=state.status)
    with override_settings(SESSION_SAVE_EVERY_REQUEST=state.save_every_request):
        DjangoSessionMiddleware(lambda request: response).process_response(request, response)
    cookie = response.cookies.get("sessionid")
    return Decision(
        save=request.session.saved,
        set_cookie=cookie is not None and cookie.value != "",
        delete_cookie=cookie is not None and cookie.value == "",
        vary=response.get("Vary") == "Cookie",
    )


def test_each_decision_is_django_s():
    for state in STATES:
        assert decide(state) == decided_by_django(state), state


def test_a_cookie_is_never_sent_without_vary_nor_set_and_deleted_at_once():
    for state in STATES:
        decision = decide(state)
        assert decision.vary or not (decision.set_cookie or decision.delete_cookie), state
        assert not (decision.set_cookie and decision.delete_cookie), state
        assert decision.save == decision.set_cookie, state


def test_what_was_decided_cannot_be_changed():
    with pytest.raises(AttributeError):
        decide(STATES[0]).save = True


def test_a_session_that_was_ended_adds_what_is_told_to_the_browser_and_nothing_else():
    for state in STATES:
        ended = decide(state._replace(ended=True))
        assert ended.clear_site_data
        assert replace(ended, clear_site_data=False) == decide(state), state
        assert not decide(state).clear_site_data


def test_the_cookie_of_a_session_under_a_new_key_stays_and_nothing_else_changes():
    for state in STATES:
        moved = decide(state._replace(moved=True))
        assert moved == replace(decide(state), delete_cookie=False), state


def test_a_renewal_that_is_due_is_one_that_each_request_makes():
    for state in STATES:
        every = state._replace(save_every_request=True)
        assert decide(state._replace(renewal_due=True)) == decide(every), state


def test_a_passive_request_renews_nothing_and_saves_what_was_changed():
    for state in STATES:
        passive = state._replace(passive=True, renewal_due=True)
        assert decide(passive) == decide(state._replace(save_every_request=False)), state
