"""Programs as people write them for Optuna give the same with asha-bus in its place."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
import pytest
from support import optuna_programs as programs

import asha_bus as ab
import asha_bus.optuna as ours

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASHA_BUS_ENGINE", "local")
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("program", programs.SAME, ids=lambda one: one.__name__)
def test_a_program_gives_the_same_as_with_optuna(program: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some names are experimental
        assert program(optuna) == program(ours)


def test_a_study_of_the_wrong_direction_is_noticed_by_the_callback() -> None:
    for module in (optuna, ours):
        with pytest.raises(ValueError, match="the direction of the study is not that"):
            programs.wrong_direction(module)


def test_a_trial_that_has_ended_suggests_nothing_more() -> None:
    with pytest.raises(ab.ObjectiveError, match="'late' was asked for after trial 0 had ended"):
        programs.suggests_after_the_end(ours)
