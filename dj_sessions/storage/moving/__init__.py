"""A storage made of two: sessions move from one to the other while they are in use.

The two stores have no transaction in common. So at each time one place alone decides what a session
is, and each step is one comparison there. A session moves in four steps:

1. A *ticket*, which is a random word and no session, is inserted in the target.
2. In the source a *claim*, with that word and the data, takes the place of the session that was
   expected there. At this moment it has moved, and the save that moves it counts.
3. In the target the session takes the place of the ticket.
4. The claim is removed.

A claim counts only beside its ticket, and then the ticket decides: whoever saves or ends the
session replaces or removes the ticket, by comparison. No word is used twice, a claim is made only
of a session that stands in the source, and no session is inserted in the target by whoever moves
it: it takes a ticket's place. So whoever was slow finds no ticket, or not the session that it
expected, and brings nothing back. A crash leaves the session in one place, and besides perhaps a
ticket without a claim, or a claim without a ticket, which are nothing.

Where a site has turned round, half a move of the other direction may be left by a process that was
stopped, with its ticket in the source and its claim in the target. A save takes the place of that
ticket, and whoever carries the session ends that move first.

``moves=False`` is for servers beside which others know the source alone: new sessions go there, and
what is in the target already is saved where it is.
"""

from dj_sessions.storage.moving.places import Carried, Place
from dj_sessions.storage.moving.storage import MovingStorage

__all__ = ["Carried", "MovingStorage", "Place"]
