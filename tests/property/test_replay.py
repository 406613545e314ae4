"""Reports of a journal that are handled without effects lead to the state that events lead to."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import replace
from enum import Enum
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from property.test_lossy_link import SCHEDULERS, settings_of
from support.stories import OBJECTIVES, troubles

from asha_bus.core.events import Resumed
from asha_bus.core.replaying import Reports
from asha_bus.core.schedulers import ASHA, Hyperband, MedianStopping, PromotionASHA
from asha_bus.formats.journal import Replayed, Replayer
from asha_bus.formats.records import Encoder
from asha_bus.testing.simulator import Conditions, Rough, Story
from asha_bus.testing.simulator.checks import lasting

MORE = st.sampled_from(
    [
        MedianStopping(max_resource=9),
        PromotionASHA(max_resource=9),
        Hyperband([(9, [(1, 4), (2, 1)]), (7, [(3, 3), (1, 2)])]),
    ]
)
SETTINGS = st.sampled_from(
    [
        {},
        {"mode": "max", "curves": False},
        {"repeats": 2},
        {"retries": 1},
        {"stop_at": 0.05},
        {"max_total_resource": 60.0},
        {"learns": True},
        {"hooks": True},
        {"max_trials": 40, "max_attempts": 1},
    ]
)


class ByEvents(Replayer):
    """Hands every record to the experiment as an event."""

    def feed(self, data: bytes) -> None:
        for _ in self.walk(data):
            pass


def parts(thing: Any) -> list[tuple[Any, Any]]:
    """What ``thing`` is made of, by name; functions hold no state."""
    if isinstance(thing, dict):
        return list(thing.items())
    if isinstance(thing, list | tuple | deque | array):
        return list(enumerate(thing))
    if isinstance(thing, set | frozenset):
        return list(enumerate(sorted(thing)))
    if isinstance(thing, Random):
        return [("state", thing.getstate())]
    slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    named = [(name, getattr(thing, name)) for name in slots if hasattr(thing, name)]
    return named + list(getattr(thing, "__dict__", {}).items())


def differing(one: Any, other: Any, path: str = "", seen: set[int] | None = None) -> list[str]:
    """The places at which two objects differ, in all that they hold."""
    seen = set() if seen is None else seen
    if type(one) is not type(other):
        return [f"{path}: {one!r} and {other!r}"]
    if one is None or isinstance(one, int | float | str | bytes | Enum):
        return [] if repr(one) == repr(other) else [f"{path}: {one!r} and {other!r}"]
    if id(one) in seen or callable(one):
        return []
    seen.add(id(one))
    mine, its = parts(one), parts(other)
    if [name for name, _ in mine] != [name for name, _ in its]:
        return [f"{path}: {one!r} and {other!r}"]
    return [
        place
        for (name, part), (_, its_part) in zip(mine, its, strict=True)
        for place in differing(part, its_part, f"{path}.{name}", seen)
    ]


def assert_alike(journal: bytes, pieces: int = 1) -> Replayed:
    first = max(len(journal) // pieces, 4_000)  # the header is whole
    quick = Replayer(journal[:first], "j")
    for _ in range(pieces):
        quick.feed(journal[quick.read : quick.read + first])
    found, expected = quick.result(), ByEvents(journal, "j").result()
    assert (expected.records, expected.end, expected.now) == (found.records, found.end, found.now)
    assert [] == differing(expected.encoder, found.encoder)
    assert [] == differing(expected.experiment, found.experiment)
    return found


@settings(max_examples=50)
@given(troubles(crashes=3), OBJECTIVES, SCHEDULERS | MORE, SETTINGS, st.integers(1, 3))
def test_both_ways_lead_to_the_same_state(
    conditions: Conditions, objective: Rough, scheduler: Any, others: dict[str, Any], pieces: int
) -> None:
    story = Story(conditions, settings_of(scheduler, **others), objective)
    story.run()
    found = assert_alike(bytes(story.journal), pieces)
    assert lasting(story.experiment) == lasting(found.experiment)


@settings(max_examples=25)
@given(troubles(), SCHEDULERS | MORE, st.integers(20, 60))
def test_the_same_state_goes_on_in_another_launch(
    conditions: Conditions, scheduler: Any, more: int
) -> None:
    story = Story(conditions, settings_of(scheduler), Rough(conditions.seed))
    story.run()
    resumed = Resumed(replace(story.settings, max_trials=more, epoch=5.0), True)
    found = assert_alike(bytes(story.journal))
    other = ByEvents(bytes(story.journal), "j").result()
    for experiment in (found.experiment, other.experiment):
        experiment.handle(resumed, found.now + 1)
    assert [] == differing(other.experiment, found.experiment)


def test_most_reports_of_a_long_story_are_handled_without_effects() -> None:
    story = Story(Conditions(seed=3, workers=4), settings_of(ASHA(max_resource=27), max_trials=150))
    story.run()
    handled = 0
    counted = Reports.begin

    def begin(self: Reports) -> Any:
        handle = counted(self)

        def count(*given: Any) -> Any:
            nonlocal handled
            assert handle is not None
            entered = handle(*given)
            handled += entered is not None
            return entered

        return None if handle is None else count

    Reports.begin = begin  # type: ignore[method-assign]
    try:
        found = assert_alike(bytes(story.journal))
    finally:
        Reports.begin = counted  # type: ignore[method-assign]
    assert handled > 0.9 * found.experiment.counters.decisions > 150


def test_differences_are_seen() -> None:
    encoder = Encoder()
    encoder.joined("a")
    assert [] == differing(encoder, encoder)
    assert [".workers: [] and ['a']"] == differing(Encoder(), encoder)[:1]
