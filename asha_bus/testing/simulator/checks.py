"""What must be true of a `Story`, at each step and when it is over."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, Any

from asha_bus.core import messages as m
from asha_bus.core.experiment import Experiment
from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers import ASHA, Hyperband, PromotionASHA, SuccessiveHalving
from asha_bus.core.trial import FINAL, RungRecord, Trial, TrialState
from asha_bus.formats.journal import replay
from asha_bus.testing.simulator.oracle import Oracle, best_of

if TYPE_CHECKING:
    from asha_bus.testing.simulator.story import Story


def lasting(experiment: Experiment) -> list[Any]:
    """All of an experiment's state that a crash must not change."""
    known: list[Any] = [experiment.table.states, experiment.table.queue, experiment.ended]
    known += map(lasting_of, experiment.table.trials)
    known += [repr(trial.curve) for trial in experiment.table.trials]  # NaN is not NaN
    for worker in experiment.roster.workers.values():
        known.append((worker.name, worker.slot, worker.seq, repr(worker.reply)))
        known.append((worker.trial, worker.active, worker.waiting, worker.idle_s))
        known.append((worker.may_return, worker.is_hung, worker.suspended))
        known.append((worker.residents, worker.going_on, worker.drops, worker.saving))
        known.append(worker.suspended_residents)
    return known


def lasting_of(trial: Trial) -> tuple[Any, ...]:
    """The same of one trial.

    The journal may not know its last reports: those between two rungs are only shown,
    until its end or its next rung tells of them.
    """
    told = trial.state in (TrialState.COMPLETED, TrialState.STOPPED, TrialState.FAILED)
    shown = (trial.metric, trial.resource, trial.best_metric, trial.best_resource, trial.extras)
    return (
        *(trial.id, trial.point, trial.seed, trial.bracket, trial.state),
        *(trial.attempt, trial.worker, trial.start_time, trial.end_time),
        *(trial.forgiven, trial.pauses, trial.is_suspended, repr(trial.saved)),
        *(repr(trial.rungs), trial.error, repr(shown) if told else None),
    )


class Ledger:
    """What was seen to happen, checked as it happens."""

    def __init__(self) -> None:
        #: Reports that were judged: trial, attempt, resource.
        self.judged: set[tuple[int, int, float]] = set()
        #: Each request that a worker was answered, and the answer.
        self.answered: list[tuple[m.Request, m.Reply]] = []
        #: Each trial that ended, as it was at that moment.
        self.ended: dict[int, str] = {}
        #: The final answer to each request, by worker and seq.
        self._answers: dict[tuple[str, int], m.ToWorker] = {}
        #: The latest attempt at each trial that was judged.
        self._latest: dict[int, int] = {}

    def judge(self, report: m.Report) -> None:
        """A report was judged."""
        key = (report.trial, report.attempt, report.resource)
        assert key not in self.judged, "a report was counted twice"
        latest = self._latest.setdefault(report.trial, report.attempt)
        assert report.attempt >= latest, "a late attempt was counted"
        self._latest[report.trial] = report.attempt
        self.judged.add(key)

    def answer(self, to: str, message: m.ToWorker) -> None:
        """The bus sends a message."""
        seq = getattr(message, "seq", 0)
        if seq and not isinstance(message, m.Wait):
            known = self._answers.setdefault((to, seq), message)
            assert known == message, "a repeated request got another answer"

    def note_answered(self, request: m.Request, reply: m.Reply) -> None:
        """A worker got the answer to a request."""
        self.answered.append((request, reply))

    def look_at(self, experiment: Experiment) -> None:
        """What has ended does not change any more."""
        for trial in experiment.table.trials:
            if trial.state in FINAL:
                known = repr(lasting_of(trial))
                assert self.ended.setdefault(trial.id, known) == known, "a trial ended twice"


def check(story: Story) -> None:
    """Check what must be true of any story that is over.

    Args:
        story: One whose ``run`` has returned.

    Raises:
        AssertionError: A trial never ended, a report was lost or counted twice, a rung was not
            judged by its rule, or the journal gives another state.
    """
    trials = story.experiment.table.trials
    assert list(range(len(trials))) == sorted(story.ledger.ended), "a trial never ended"
    assert all(trial.state in FINAL for trial in trials), "a trial is not in a final state"
    assert_every_answered_report_counted_once(story)
    check_rungs(story.experiment)
    assert_the_journal_gives_the_state(story)


def check_rungs(experiment: Experiment) -> None:
    """Check that each rung was decided by the rule of its scheduler.

    Args:
        experiment: That of a run that is over, or as its journal gives it.

    Raises:
        AssertionError: A rung was decided otherwise.
    """
    scheduler = experiment.settings.scheduler
    if scheduler.pauses:
        assert_verdicts_in_order(experiment)
    if isinstance(scheduler, ASHA):
        assert_rungs_like_the_oracle(experiment)
    elif isinstance(scheduler, (SuccessiveHalving, Hyperband)):
        assert_plans_like_the_oracle(experiment, scheduler)
    elif isinstance(scheduler, PromotionASHA):
        assert_promotions_like_the_oracle(experiment, scheduler)


def assert_every_answered_report_counted_once(story: Story) -> None:
    """What a worker was told of a report, the experiment did, and did once."""
    judged = Counter(story.ledger.judged)
    for request, reply in story.ledger.answered:
        if isinstance(request, m.Report):
            key = (request.trial, request.attempt, request.resource)
            is_fenced = isinstance(reply, m.Stop) and reply.why == "fenced"
            assert (0 if is_fenced else 1) == judged[key]
    assert len(story.ledger.judged) == story.experiment.counters.decisions


def assert_rungs_like_the_oracle(experiment: Experiment) -> None:
    """Each rung holds its entries once, and each was judged by the rule.

    Where configurations are repeated, by the mean of the repeats that had come by then.
    """
    repeats = experiment.settings.repeats
    scheduler, seed = experiment.settings.scheduler, experiment.settings.seed
    assert isinstance(scheduler, ASHA)
    sign = 1 if experiment.settings.mode == "min" else -1
    entries: dict[tuple[int, int], list[Any]] = {}
    for trial in experiment.table.trials:
        for record in trial.rungs:
            entries.setdefault((trial.bracket, record.rung), []).append((record, trial.id))
    for (_, rung), entered in entries.items():
        oracle = Oracle(scheduler.reduction_factor, scheduler.quorum)
        come: dict[int, list[float]] = {}
        for record, trial_id in sorted(entered, key=lambda entry: entry[0].n):
            its_own = come.setdefault(trial_id // repeats, [])
            its_own.append(record.metric)
            assert (record.mean is None) is (repeats == 1)
            if record.mean is not None:
                if all(map(math.isfinite, its_own)):
                    assert math.isclose(fmean(its_own), record.mean)
                else:
                    assert not math.isfinite(record.mean)
            key = sign * record.judged if math.isfinite(record.judged) else math.inf
            expected = oracle.enter(key, mix(seed, rung, trial_id))
            assert (expected.n, expected.keep) == (record.n, record.keep)
            assert expected.goes_on is (record.verdict == "continue")


#: The trials of a configuration in a rung: the record of each.
_Entered = dict[int, list[RungRecord]]


def assert_verdicts_in_order(experiment: Experiment) -> None:
    """No trial is in a rung without having continued before, and none is left undecided."""
    for trial in experiment.table.trials:
        verdicts = [record.verdict for record in trial.rungs]
        assert set(verdicts[:-1]) <= {"continue"}
        assert [record.rung for record in trial.rungs] == list(range(len(verdicts)))
        assert "pause" not in verdicts or trial.state is TrialState.CANCELLED


def _entered(experiment: Experiment) -> dict[tuple[int, int], _Entered]:
    """The records by bracket and rung, and then by configuration."""
    found: dict[tuple[int, int], _Entered] = {}
    for trial in experiment.table.trials:
        for record in trial.rungs:
            of_rung = found.setdefault((trial.bracket, record.rung), {})
            of_rung.setdefault(trial.configuration, []).append(record)
    return found


def _has_left(trial: Trial) -> bool:
    """Whether a trial ended otherwise than by a verdict."""
    full = trial.rungs[-1:] and trial.rungs[-1].verdict == "complete"
    return trial.state is not TrialState.STOPPED and not full


def assert_plans_like_the_oracle(
    experiment: Experiment, scheduler: SuccessiveHalving | Hyperband
) -> None:
    """The best continue, as many as the plan keeps; never more, but for freed places.

    Where no trial of a plan failed, was lost or ended by itself, they are exactly those.
    """
    settings = experiment.settings
    sign = 1 if settings.mode == "min" else -1
    trials = experiment.table.trials
    troubled = {trial.bracket for trial in trials if _has_left(trial)}
    entered = _entered(experiment)
    for (bracket, rung), configurations in entered.items():
        pairs = scheduler.sized_plans[bracket][1]
        if rung == len(pairs) - 1:
            continue
        keep = pairs[rung][1]
        on = {n for n, its in configurations.items() if any(r.verdict == "continue" for r in its)}
        following = entered.get((bracket, rung + 1), {})
        freed = sum(number not in following for number in on)
        assert len(on) <= keep + freed, "more continue than the plan keeps"
        assert following.keys() <= on
        if bracket not in troubled and settings.repeats == 1:
            keys = {number: sign * its[0].metric for number, its in configurations.items()}
            lots = {number: mix(settings.seed, rung, number) for number in configurations}
            assert best_of(keys, keep, lots) == on, "others continue than the best"


def assert_promotions_like_the_oracle(experiment: Experiment, scheduler: PromotionASHA) -> None:
    """Who was promoted was among the best share then, and in the end that share was promoted."""
    settings = experiment.settings
    sign = 1 if settings.mode == "min" else -1
    eta = scheduler.reduction_factor
    is_cut = any(trial.state is TrialState.CANCELLED for trial in experiment.table.trials)
    has_left = any(_has_left(trial) for trial in experiment.table.trials)
    for (_, rung), configurations in _entered(experiment).items():
        on = set()
        for number, its in configurations.items():
            for record in its:
                assert record.keep == record.n // eta
                if record.verdict == "continue":
                    on.add(number)
                    assert record.cutoff is not None
                    assert sign * record.judged <= sign * record.cutoff
        if not (is_cut or has_left) and settings.repeats == 1:
            keys = {number: sign * its[0].metric for number, its in configurations.items()}
            lots = {number: mix(settings.seed, rung, number) for number in configurations}
            assert best_of(keys, len(keys) // eta, lots) <= on, "a better one was not promoted"


def assert_the_journal_gives_the_state(story: Story) -> None:
    """The journal handled again, all at once, gives the state that there is."""
    schedulers = [type(story.settings.scheduler)]
    again = replay(bytes(story.journal), "journal", schedulers).experiment
    assert lasting(story.experiment) == lasting(again)
