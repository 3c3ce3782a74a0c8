"""The list of deliberate differences holds neither too little nor too much."""

from collections.abc import Callable

import pytest

from tests.differential.compare import leaves
from tests.differential.differences import DELIBERATE_DIFFERENCES, Difference
from tests.differential.laboratory import Laboratory

# Also asking for its truth value looks at a session, and so does measuring it.
SIDE_EFFECTS = {"bool": {"key-is-access"}, "broken-serializer": {"key-is-access"}}


@pytest.mark.parametrize("difference", DELIBERATE_DIFFERENCES, ids=lambda d: d.id)
def test_each_difference_is_real_and_all_that_its_witness_shows(
    difference: Difference, laboratories: Callable[[str], Laboratory]
) -> None:
    witness = difference.witness
    laboratory = laboratories(witness.engine)
    findings = list(laboratory.run(witness.rig, witness.mode, witness.program, witness.overrides))
    assert not [seen for finding in findings for seen in finding.unexplained]
    shown = set().union(*(finding.explanations for finding in findings))
    has_ended = witness.until is not None and laboratory.version >= witness.until
    assert shown - {difference.id} <= SIDE_EFFECTS.get(difference.id, set())
    assert (difference.id in shown) is not has_ended


def test_ids_are_unique_and_texts_are_sentences() -> None:
    ids = [difference.id for difference in DELIBERATE_DIFFERENCES]
    assert len(ids) == len(set(ids))
    for difference in DELIBERATE_DIFFERENCES:
        for text in (difference.sentence, difference.django, difference.ours):
            assert text.endswith("."), text


@pytest.mark.parametrize(
    ("django", "ours"),
    [(1, True), (1, 1.0), (None, "(absent)"), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([], {})],
)
def test_what_python_calls_equal_may_still_differ(django: object, ours: object) -> None:
    seen = {"outcome": {"returns": {"value": django}}}
    assert list(leaves(seen, {"outcome": {"returns": {"value": ours}}})) == [
        (("outcome", "returns", "value"), django, ours)
    ]
    assert not list(leaves(seen, seen))
