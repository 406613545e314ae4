"""Whose a journal is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.plans import plan_for

import asha_bus as ab
from asha_bus.driver.journal import open_journal


def space(seed: int, high: float = 1) -> ab.Space:
    wide = ab.Space({f"p{number}": ab.uniform(0, 1) for number in range(40)})
    return wide * ab.Space(last=ab.uniform(0, high)).sample(3, seed) + {"p0": 1}


@pytest.mark.parametrize(
    ("other", "was", "now"),
    [(space(2), '["sample", [3, 1, ', '["sample", [3, 2, '), (space(1, 2), "1.0]]", "2.0]]")],
)
def test_the_difference_of_two_long_spaces_is_shown(
    other: ab.Space, was: str, now: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.journal"
    first, second = (
        plan_for(lambda **params: 0.5, one, max_trials=3, seed=1).header
        for one in (space(1), other)
    )
    os.close(open_journal(path, first, resume=False, seed_given=True).fd)
    with pytest.raises(ab.InvalidArgument, match="belongs to another run") as caught:
        open_journal(path, second, resume=True, seed_given=True)
    before, after = str(caught.value).split(" and is ")
    assert was in before
    assert now in after
    assert len(str(caught.value)) < 1_000
