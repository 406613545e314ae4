"""Objectives that end, freeze or misuse their process, and very many of them."""

from __future__ import annotations

import time
from typing import Any

from lib import misbehaving as bad
from lib import objectives

import asha_bus as ab
from asha_bus.core.trial import FINAL, TrialState
from faults.scenarios.launching import END_S, Setting, ending

_SPACE = {"x": ab.uniform(0, 1)}


def sudden_ends(setting: Setting) -> None:
    """Objectives end their process (status 0 and 1, SIGKILL, segfault), all workers each time."""
    outcome = setting.outcome
    result = _result(setting, objectives.ends_its_process, _SPACE, max_trials=16)
    outcome.faults = result.bus.requeued
    _expect_states(setting, result, "COMPLETED")
    outcome.expect(outcome.faults == 8, f"{outcome.faults} attempts were lost, not 8")


def native_code(setting: Setting) -> None:
    """Native code keeps the interpreter's lock for three leases, which costs no other trial."""
    lease_s = 1.0 if setting.smoke else 5.0
    options = ab.BusOptions(lease_s=lease_s, bus_timeout_s=lease_s)
    space = {"freeze_s": ab.uniform(3 * lease_s, 3 * lease_s + 0.1)}
    trials = 20 if setting.smoke else 200
    result = _result(setting, objectives.keeps_the_lock, space, max_trials=trials, bus=options)
    setting.outcome.faults = 1
    _expect_states(setting, result, "COMPLETED")
    again = [trial.id for trial in result.trials if trial.attempts > 1 and trial.id != 3]
    setting.outcome.expect(not again, f"trials {again} were run again")


def freeze(setting: Setting) -> None:
    """A task freezes for ever and is replaced, with fewer workers than attempts."""
    outcome = setting.outcome
    options = ab.BusOptions(lease_s=1.0, hang_timeout_s=1.0)
    result = _result(setting, objectives.freezes, _SPACE, max_trials=12, bus=options, workers=2)
    lost = [(trial.id, trial.attempts) for trial in result.trials if str(trial.state) == "LOST"]
    outcome.faults = result.trials[1].attempts
    outcome.expect(lost == [(1, 3)], f"the trials {lost} were lost, not 1 in 3 attempts")
    outcome.expect(
        result.counts[TrialState.COMPLETED] == 11, f"the trials ended as {result.counts}"
    )


def alarm(setting: Setting) -> None:
    """The user's own alarm rings again and again, wherever a report is."""
    outcome = setting.outcome
    trials = 50 if setting.smoke else 400
    result = _result(
        setting,
        objectives.alarmed,
        _SPACE,
        max_trials=trials,
        scheduler=ab.ASHA(max_resource=27),
    )
    _expect_states(setting, result, "COMPLETED", "STOPPED", "FAILED")
    # it may strike outside of a report and its try, which is the objective's own fault
    failed = [trial for trial in result.trials if trial.state is TrialState.FAILED]
    others = [trial.id for trial in failed if "Alarm" not in (trial.error or "")]
    outcome.expect(not others, f"trials {others} failed otherwise")
    again = [trial.id for trial in result.trials if trial.attempts > 1]
    outcome.expect(not again and not result.bus.fenced, f"trials {again} were run again")
    outcome.notes.append(f"{len(failed)} of {trials} trials failed by their own fault")


def clean_up(setting: Setting) -> None:
    """A clean-up that hangs is ended by ``trial_timeout``, and the decision stands."""
    for deaf in (False, True):
        part = setting.part("deaf" if deaf else "interrupted")
        began = time.monotonic()
        result = _result(
            part,
            objectives.cleans_up_for_ever,
            {"x": ab.uniform(0, 1), "deaf": ab.grid(deaf)},
            max_trials=4,
            trial_timeout=1.0,
            scheduler=ab.ASHA(max_resource=1),
        )
        setting.outcome.figures[part.folder.name] = time.monotonic() - began
        setting.outcome.faults += 4
        _expect_states(setting, result, "COMPLETED")
        # a worker that is ended may hold the next trial already, which is begun elsewhere
        again = sum(trial.attempts - 1 for trial in result.trials)
        setting.outcome.expect(again <= deaf * 4, f"{again} trials were run again")


def misbehaving(setting: Setting) -> None:
    """Objectives of many kinds misbehave; each harms only its own trial."""
    outcome = setting.outcome
    kinds = [
        kind for pair in ((f"fine {n}", each) for n, each in enumerate(bad.KINDS)) for kind in pair
    ]
    space = {"kind": ab.grid(*kinds), "x": ab.uniform(0, 1)}
    result = _result(setting, bad.misbehaves, space, max_trials=len(kinds), trial_timeout=20.0)
    outcome.faults = len(bad.KINDS)
    outcome.expect(len(result.trials) == len(kinds), f"{len(result.trials)} of {len(kinds)} trials")
    ends: dict[str, list[str]] = {}
    for trial in result.trials:
        kind, state = trial.params["kind"], str(trial.state)
        if kind.startswith("fine"):
            outcome.expect((state, trial.attempts) == ("COMPLETED", 1), f"a good trial: {trial}")
        else:
            ends.setdefault(state, []).append(kind)
            expected = bad.KINDS[kind]
            outcome.expect(state == expected, f"{kind}: {state}, not {expected}: {trial.error}")
    outcome.notes += [f"{state}: {', '.join(kinds)}" for state, kinds in ends.items()]


def many_trials(setting: Setting) -> None:
    """100,000 trials; the last ones are as fast as the first."""
    outcome = setting.outcome
    total = 4_000 if setting.smoke else 100_000
    result = _result(setting, objectives.identity, _SPACE, max_trials=total)
    times = [trial.start_time for trial in result.trials]
    share = total // 5
    first, last = times[share] - times[0], times[-1] - times[-1 - share]  # type: ignore[operator]
    outcome.figures |= {"first fifth": first, "last fifth": last}
    _expect_states(setting, result, "COMPLETED")
    slowed = f"the last fifth took {last:.1f} s, the first {first:.1f} s"
    outcome.expect(last < 2 * first + 2.0, slowed)


def _result(setting: Setting, objective: Any, space: Any, **arguments: Any) -> ab.Result:
    """The result of a run that nobody stops."""
    run = setting.start(objective, space, **arguments)
    with ending(run):
        result = run.result(3 * END_S)
    setting.outcome.trials = (setting.outcome.trials or 0) + len(result.trials)
    setting.outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")
    open_ones = [trial.id for trial in result.trials if trial.state not in FINAL]
    setting.outcome.expect(not open_ones, f"trials {open_ones} never ended")
    return result


def _expect_states(setting: Setting, result: ab.Result, *states: str) -> None:
    found = {str(state): count for state, count in result.counts.items() if count}
    setting.outcome.expect({*found} <= {*states}, f"the trials ended as {found}")
