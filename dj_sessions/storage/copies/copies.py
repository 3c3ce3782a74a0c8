"""Copies of sessions in a cache, which must never say what the database would not.

Three entries of the cache take part:

- the *copy*, under the name and in the form that Django's own engine uses;
- its *voucher*: a fingerprint of the generation, the name and the copy, and what the database's
  payload has beyond the data. A copy without a fitting voucher counts for nothing, and the
  database is asked;
- the *generation* of all vouchers, a random word. Another word, and none of them counts.

Whoever read the session writes its copy only if the voucher still is as it was before reading.
Whoever changes the session stores a new voucher, or a mark in its place: DOUBT, which the next
reader may replace, BUSY while a transaction is open, ENDED before the row is deleted; the last two
stay until their time is over. So a copy made from an old row is refused, whatever the order.

A change that could not be told to the cache is told as soon as the cache answers again; if there
are many of them, by a new generation.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, cast

from dj_sessions._codec import signed_text
from dj_sessions._codec.payloads import UNREADABLE
from dj_sessions.storage.caches import CacheSwap, MadeNames, Names, digest, swap_of
from dj_sessions.storage.copies import outage

#: Seconds for which a request may be stuck between reading a session and copying it.
ENDED_AGE: Final = 3600
#: Seconds for which a transaction that changed a session may be open.
BUSY_AGE: Final = 600

ENDED: Final = "ended"
BUSY: Final = "busy"


class Sight(NamedTuple):
    """What the cache said about a session: the copy, if it counts, and what to compare with.

    ``remainder`` is what the payload has beyond the data, so that it can be made again from the
    copy. ``generation`` is the fingerprint of the one that was seen.
    """

    raw: Any = None
    remainder: str = ""
    voucher: Any = None
    may_write: bool = True
    generation: str = ""


class Generation(NamedTuple):
    """The word for all vouchers, raw, and its fingerprint: clients write one word variously."""

    raw: Any
    fingerprint: str


#: The generations as last seen, by where they were seen (alias, adapter, name, prefix, version) and
#: the secret that their fingerprints are made with.
_generations: dict[tuple[Any, ...], Generation | None] = {}


#: A session of which the cache cannot know.
UNSEEN: Final = Sight()
#: A session that must not be copied.
HIDDEN: Final = Sight(may_write=False)


class Copies:
    """The copies in one cache; ``generation`` names the entry with the word for all of them."""

    def __init__(self, cache: Any, alias: str, generation: str) -> None:
        self.cache = cache
        self.alias = alias
        self.swap: CacheSwap = swap_of(cache)
        self.outage = outage.of(alias)
        self.generation = generation

    def look(self, name: str) -> Sight:
        """Return what the cache has; one that cannot be read has nothing to copy to."""
        names = self._names(name)
        # Asked first: a cache that answers again is told, but after it has said what it had.
        is_behind = self.outage.is_behind(name)
        found = self.outage.guard("reading from", self.cache, self.swap.read_copy, names)
        if found is None or is_behind:
            return HIDDEN
        copy, voucher, generation = found
        known = self._remember(generation)
        said = self._text(voucher)
        if said in (ENDED, BUSY):
            return HIDDEN
        if known is None:
            return Sight(voucher=voucher)
        nothing = Sight(voucher=voucher, generation=known.fingerprint)
        if copy is None:
            return nothing
        vouched = self._vouched(known, name, copy)
        if not said.startswith(vouched):
            return nothing
        return Sight(copy, said.removeprefix(vouched), voucher, generation=known.fingerprint)

    def _vouched(self, generation: Generation, name: str, copy: Any) -> str:
        """Return what a voucher says of them; of the name, so that it vouches for no other's."""
        parts = generation.fingerprint, name, self.swap.fingerprint(copy)
        return f"{digest(' '.join(parts).encode())} "

    def write(
        self, name: str, data: dict[str, Any], remainder: str, age: int, sight: Sight
    ) -> Sight | None:
        """Store a copy if the voucher is as in ``sight``; return what is to be seen then.

        That is HIDDEN if the copy was refused, and None if the cache has failed.
        """
        if not sight.may_write or age <= 0:
            return HIDDEN
        guard = self.outage.guard
        return guard("saving to", self.cache, self._write, name, data, remainder, age, sight)

    def replace(
        self, name: str, data: dict[str, Any], remainder: str, age: int, sight: Sight
    ) -> Sight:
        """Store a copy as ``write()`` does, or else leave none that might be old."""
        written = self.write(name, data, remainder, age, sight)
        if written is HIDDEN:
            self.doubt(name)
        elif written is None:  # to try again at once would take as long
            self._tell_later(name, *_doubt())
        return written or HIDDEN

    def _write(
        self, name: str, data: dict[str, Any], remainder: str, age: int, sight: Sight
    ) -> Sight:
        swap, raw = self.swap, self.swap.encode(data)
        for _ in range(2):  # the generation as remembered, and as it is
            generation = self._generation()
            if sight.generation not in ("", generation.fingerprint):
                return HIDDEN  # what began it may have been the end of this session
            voucher = swap.encode(self._vouched(generation, name, raw) + remainder)
            entries = raw, voucher, generation.raw
            wrote = swap.write_copy(self._names(name), entries, sight.voucher, age)
            if wrote is not None:
                seen = generation.fingerprint
                return Sight(voucher=voucher, generation=seen) if wrote else HIDDEN
            self._remember(None)
        return HIDDEN

    def doubt(self, name: str) -> None:
        """Have the next reader ask the database; a session that has ended stays so."""
        self._tell(name, *_doubt())

    def busy(self, name: str) -> None:
        """Have every reader ask the database until the transaction is over."""
        self._tell(name, BUSY, BUSY_AGE, ENDED)

    def end(self, name: str) -> None:
        """Have every reader ask the database, and who is asking it already keep no copy."""
        self._tell(name, ENDED, ENDED_AGE)

    def end_one_of_many(self, name: str) -> None:
        """Do so; a cache that has just failed is not waited for once more."""
        if self.outage.has_just_failed():
            self._tell_later(name, ENDED, ENDED_AGE)
        else:
            self.end(name)

    def _tell(self, name: str, mark: str, age: int, *keep: str) -> None:
        void = partial(_void, self._names(name), mark, age, keep)
        if not self.outage.guard("saving to", self.cache, void, self.cache):
            self._tell_later(name, mark, age, *keep)

    def _tell_later(self, name: str, mark: str, age: int, *keep: str) -> None:
        names = self._names(name)
        made = MadeNames(self.cache, names)
        message = outage.Message(
            name,
            _with(made, partial(_void, names, mark, age, keep)),
            made[names.generation],
            _with(made, partial(_renew, names.generation)),
            is_final=mark == ENDED,
        )
        self.outage.tell_later(message)

    def _generation(self) -> Generation:
        known = _generations.get(self._memory)
        if known is None:
            word = self.swap.encode(secrets.token_hex(8))
            added = self.swap.insert(self.generation, word, None)
            raw = None if added else self.swap.read(self.generation)
            known = self._remember(word if raw is None else raw)
        return cast("Generation", known)

    def _remember(self, raw: Any) -> Generation | None:
        """Note which generation it is, or with None that it is unknown; return what is known."""
        known = _generations.get(self._memory)
        if raw is None:
            known = None
        elif known is None or known.raw != raw:
            known = Generation(raw, self.swap.fingerprint(raw))
        _generations[self._memory] = known
        return known

    @property
    def _memory(self) -> tuple[Any, ...]:
        # What a key function makes of it is left out: a wrong word would be found out.
        cache, secret = self.cache, signed_text.secret()
        place = self.alias, type(self.swap), self.generation, cache.key_prefix, cache.version
        return *place, secret

    def _text(self, raw: Any) -> str:
        try:
            value = None if raw is None else self.swap.decode(raw)
        except UNREADABLE:  # somebody else wrote it
            return ""
        return value if isinstance(value, str) else ""

    def _names(self, name: str) -> Names:
        # A session key has no dot, so no session has these names.
        return Names(name, f"{name}.voucher", self.generation)


def _doubt() -> tuple[str, int, str]:
    return f"doubt {secrets.token_hex(8)}", ENDED_AGE, ENDED


def _void(names: Names, mark: str, age: int, keep: tuple[str, ...], cache: Any) -> bool:
    """Put ``mark`` in the voucher's place, unless one of ``keep`` is there."""
    swap = swap_of(cache)
    swap.void_copy(names, swap.encode(mark), age, tuple(map(swap.encode, keep)))
    return True


def _renew(generation: str, cache: Any) -> None:
    """Begin a new generation: no copy that exists counts any more."""
    word, swap = secrets.token_hex(8), swap_of(cache)
    cache.set(generation, word, None)
    raw = swap.read(generation)  # some clients ignore their errors
    if raw is None or swap.decode(raw) != word:
        raise LookupError(f"The cache did not take {generation!r}.")


def _with(made: MadeNames, message: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return the message for a cache that is told under names as they were made."""

    def tell(cache: Any) -> None:
        with made.used_by(cache):
            message(cache)

    return tell
