"""The contract of schedulers, as a test suite that the tests of a scheduler inherit."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from asha_bus.core.attempt import Attempt
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Scheduler, scheduler_from_plain
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Conditions, Objective, Rough, Step, Story
from asha_bus.testing.simulator.checks import (
    assert_every_answered_report_counted_once,
    assert_the_journal_gives_the_state,
)

#: A network and machines without trouble, with one worker and with several.
CALM = (Conditions(workers=1), Conditions(workers=2), Conditions(workers=5))

#: All that may go wrong: messages are lost and doubled, workers and the bus die and stand still.
TROUBLED = Conditions(
    workers=4,
    loss=0.2,
    doubled=0.2,
    delay_s=0.3,
    deaths=4,
    silences=2,
    copies=1,
    leaves=2,
    false_alarms=1,
    crashes=2,
    pauses=2,
    bus_pauses=1,
    common_pauses=1,
)


def _without_numbers(attempt: Attempt) -> Iterator[Step]:
    """Metrics that are NaN, infinite or huge for two trials of three."""
    trial = attempt.assignment.trial
    kinds = (0.5, math.nan, math.inf, 0.25, -math.inf, 1e308)
    for resource in count(1):
        yield Step(0.1 + trial % 4 / 10, kinds[trial % len(kinds)], resource)


class SchedulerContract:
    """Tests that every scheduler must pass; inherit this class in a test module of pytest.

    Each test simulates short runs in virtual time, in this process: trials with metrics that
    tie and that are no numbers, with resources that jump over rungs, that fail and that end by
    themselves.

    Attributes:
        trials: The number of trials in a simulated run (default 16).
        stories: How many runs with trouble are simulated (default 20).

    Example:
        >>> class TestMyScheduler(SchedulerContract):
        ...     def make(self):
        ...         return MyScheduler(max_resource=9)
    """

    trials = 16
    stories = 20

    def make(self) -> Scheduler:
        """Make the scheduler to test. No trial may go on without limit.

        Returns:
            The scheduler, made with the same arguments each time.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make()")

    def test_a_journal_can_describe_it(self) -> None:
        """Its fields are plain values that make an equal scheduler."""
        made = self.make()
        assert scheduler_from_plain(made.to_plain(), [type(made)]) == made

    def test_every_trial_ends(self) -> None:
        """A run ends with any number of workers, repeats, and in both modes."""
        for conditions in CALM:
            for repeats in (1, 3):
                for mode in ("min", "max"):
                    story = self._play(conditions, Rough(stride=1), repeats=repeats, mode=mode)
                    assert len(story.experiment.table) == self.trials

    def test_the_same_reports_give_the_same_decisions(self) -> None:
        """It depends on nothing but its arguments: no clock, no global random generator."""
        rungs = []
        for seed in (1, 2):
            random.seed(seed)
            before = random.getstate()
            story = self._play(CALM[1], Rough(stride=1))
            assert before == random.getstate(), "it used the global random generator"
            rungs.append([trial.rungs for trial in story.experiment.table.trials])
        assert repr(rungs[0]) == repr(rungs[1])

    def test_trials_that_fail_or_end_by_themselves(self) -> None:
        """Nobody waits for a trial that reports no more."""
        for conditions in CALM:
            self._play(conditions, Rough(fails_every=3, ends_every=4))

    def test_metrics_that_are_no_numbers(self) -> None:
        """NaN and infinity are no error, and never the best."""
        for conditions in CALM:
            for mode in ("min", "max"):
                self._play(conditions, _without_numbers, mode=mode)

    def test_resources_that_jump(self) -> None:
        """A report may be far beyond the resource at which the trial was to ask."""
        for conditions in CALM:
            self._play(conditions, Rough(stride=9))

    def test_trouble(self) -> None:
        """Whatever happens to workers and to the bus, each trial ends, and a journal tells it."""
        for seed in range(self.stories):
            rough = Rough(seed, stride=1 + seed % 3, fails_every=5, ends_every=7)
            story = self._play(replace(TROUBLED, seed=seed), rough, repeats=1 + seed % 2)
            assert_every_answered_report_counted_once(story)
            assert_the_journal_gives_the_state(story)

    def _play(
        self, conditions: Conditions, objective: Objective, repeats: int = 1, mode: str = "min"
    ) -> Story:
        settings = RunSettings(
            run="contract",
            scheduler=self.make(),
            seed=7,
            mode=mode,
            max_trials=self.trials,
            max_failures=self.trials,
            lease_s=10.0,
            heartbeat_s=2.0,
            repeats=repeats,
        )
        story = Story(conditions, settings, objective)
        story.run()
        states = {trial.state for trial in story.experiment.table.trials}
        assert states <= set(TrialState) - {TrialState.PAUSED, TrialState.RUNNING}
        return story
