"""Whether a response saves the session and sets its cookie, from flags and numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple


class State(NamedTuple):
    """What the middleware sees when the response comes back.

    ``accessed``, ``modified`` and ``empty`` are those of the session. ``has_cookie`` tells whether
    the request had the session cookie. ``save_every_request`` is SESSION_SAVE_EVERY_REQUEST, and
    ``status`` that of the response. ``moved`` tells whether another request has given the session a
    new key meanwhile. ``passive`` tells whether the request does not count as use, and
    ``renewal_due`` whether the session was used so long after its last save that it is saved again.
    ``ended`` tells whether the request has ended the session, and logged nobody in since.
    """

    accessed: bool
    modified: bool
    empty: bool
    has_cookie: bool
    save_every_request: bool
    status: int
    moved: bool = False
    passive: bool = False
    renewal_due: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do: save the session, set or delete its cookie, add ``Vary: Cookie``.

    ``clear_site_data`` is to add ``Clear-Site-Data``, if SESSION_CLEAR_SITE_DATA says with what.
    """

    save: bool = False
    set_cookie: bool = False
    delete_cookie: bool = False
    vary: bool = False
    clear_site_data: bool = False


#: For a session that nobody touched.
NOTHING: Final = Decision()
#: For one that was only read.
READ: Final = Decision(vary=True)
#: For one that was changed, or is renewed.
CHANGED: Final = Decision(save=True, set_cookie=True, vary=True)


def decide(state: State) -> Decision:
    """Return what to do with the session and its cookie.

    - The cookie of a session that has ended is deleted. If the session has a new key, the cookie
      stays: another request's response may have replaced it already.
    - A changed session is saved and its cookie renewed. So is an unchanged one if its renewal is
      due, or with SESSION_SAVE_EVERY_REQUEST; a passive request renews nothing. A response of 5xx
      saves nothing, as its changes may be half done.
    - A response that depends on the session, or touches its cookie, gets ``Vary: Cookie``.
    - The response to a logout, whatever its status, may have the browser clear the site's data.
    """
    if state.empty:
        return Decision(
            delete_cookie=state.has_cookie and not state.moved,
            vary=state.has_cookie or state.accessed,
            clear_site_data=state.ended,
        )
    renews = (state.save_every_request or state.renewal_due) and not state.passive
    if (state.modified or renews) and state.status < 500:
        decision = CHANGED
    else:
        decision = READ if state.accessed else NOTHING
    return replace(decision, clear_site_data=True) if state.ended else decision
