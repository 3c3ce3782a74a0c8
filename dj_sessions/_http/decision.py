"""What a response owes the session, from flags and numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple


class State(NamedTuple):
    """What the middleware sees when the response comes back.

    ``accessed``, ``modified`` and ``empty`` are the session's; ``has_cookie`` tells whether the
    request brought its cookie; ``save_every_request`` is the setting; ``status`` the response's;
    ``moved`` tells whether another request has given the session another key meanwhile.
    """

    accessed: bool
    modified: bool
    empty: bool
    has_cookie: bool
    save_every_request: bool
    status: int
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do: save the session, set or delete its cookie, add ``Vary: Cookie``."""

    save: bool = False
    set_cookie: bool = False
    delete_cookie: bool = False
    vary: bool = False


#: What is owed to a session that nobody touched.
NOTHING: Final = Decision()
#: To one that was only read.
READ: Final = Decision(vary=True)
#: To one that was changed, or is renewed.
CHANGED: Final = Decision(save=True, set_cookie=True, vary=True)


def decide(state: State) -> Decision:
    """Return what a response owes the session.

    - An ended session takes its cookie along; but the cookie of one that has moved may be the new
      one by now, which the other request's response has brought.
    - A changed one is saved and its cookie renewed, and so is an unchanged one where the site
      renews on every request; but not by a response of 5xx, whose changes may be half done.
    - Whatever depended on the session, or touches its cookie, varies on the cookie.
    """
    if state.empty:
        return Decision(
            delete_cookie=state.has_cookie and not state.moved,
            vary=state.has_cookie or state.accessed,
        )
    if (state.modified or state.save_every_request) and state.status < 500:
        return CHANGED
    return READ if state.accessed else NOTHING
