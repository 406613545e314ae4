"""Checks the answers of a scheduler that is not of asha-bus, where it gives them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from asha_bus.core.checks import shortened
from asha_bus.core.errors import SchedulerError
from asha_bus.core.schedulers.base import MAX_RESOURCE, Decision, Move, SchedulerState
from asha_bus.core.trial import RungRecord, RungStanding, Trial

_VERDICTS = ("continue", "pause", "stop", "complete")

#: The longest reason that a scheduler may give.
_MAX_REASON_CHARS = 200


class CheckedState(SchedulerState):
    """Asks ``state``, and raises `SchedulerError` at an answer that no run can carry out.

    ``name`` is the class in messages; ``pauses``: whether it may pause trials.
    """

    def __init__(self, state: SchedulerState, name: str, *, pauses: bool) -> None:
        self._state, self._name, self._pauses = state, name, pauses
        #: The trials that paused and got no verdict since.
        self._paused: set[int] = set()

    def _check(self, is_right: bool, method: str, rule: str, got: object) -> None:
        if not is_right:
            raise SchedulerError(
                f"the scheduler {self._name} is wrong: {method} must {rule}, got {shortened(got)}"
            )

    # --- what is checked ------------------------------------------------------

    def assign(self, trial: Trial, random: Random) -> None:
        self._state.assign(trial, random)
        bracket = trial.bracket
        is_right = isinstance(bracket, int) and 0 <= bracket < 2**31
        self._check(is_right, "assign()", "set a bracket of at least 0", bracket)

    def next_resource(self, trial: Trial) -> float | None:
        level = self._state.next_resource(trial)
        self._check_level(level, 0, "next_resource()")
        return level

    def _check_level(self, level: object, above: float, method: str) -> None:
        is_right = level is None or (
            isinstance(level, (int, float)) and above < level <= MAX_RESOURCE
        )
        self._check(is_right, method, f"give a resource above {above:g}, or None", level)

    def _check_reason(self, what: str, reason: object) -> None:
        is_right = reason is None or (isinstance(reason, str) and len(reason) <= _MAX_REASON_CHARS)
        rule = f"have a reason of at most {_MAX_REASON_CHARS} characters, or None"
        self._check(is_right, what, rule, reason)

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        decision = self._state.report(trial, resource, metric)
        is_decision = isinstance(decision, Decision) and decision.verdict in _VERDICTS
        self._check(is_decision, "report()", f"return a Decision, one of {_VERDICTS}", decision)
        records = decision.records
        are_records = isinstance(records, (tuple, list)) and all(
            isinstance(one, RungRecord) and one.verdict in _VERDICTS for one in records
        )
        self._check(are_records, "report()", "give a tuple of RungRecord", records)
        for record in records:
            self._check_reason("a RungRecord", record.reason)
        if decision.verdict == "continue":
            self._check_level(decision.next_resource, resource, "report() that continues")
        elif decision.verdict == "pause":
            self._check(self._pauses, "a class without pauses=True", "pause no trial", decision)
            is_right = bool(records) and records[-1].verdict == "pause"
            self._check(is_right, "report() that pauses", "end with a record that does", records)
            self._paused.add(trial.id)
        are_final = all(one.verdict != "pause" for one in records[:-1]) and (
            not records or (records[-1].verdict == "pause") == (decision.verdict == "pause")
        )
        self._check(are_final, "report()", "have a record that pauses only at a pause", decision)
        return decision

    def take_moves(self) -> Sequence[Move]:
        moves = self._state.take_moves()
        for move in moves or ():
            is_right = isinstance(move, Move) and move.verdict in ("continue", "stop")
            self._check(is_right, "take_moves()", "give a Move, 'continue' or 'stop'", move)
            self._check(move.trial in self._paused, "a Move", "be of a paused trial", move)
            self._check_reason("a Move", move.reason)
            self._paused.remove(move.trial)
        return moves

    # --- what is passed on ----------------------------------------------------

    def may_begin(self) -> bool:
        return self._state.may_begin()

    def expect(self, trials: int | None, repeats: int) -> None:
        self._state.expect(trials, repeats)

    def leave(self, trial: Trial) -> None:
        self._state.leave(trial)

    def rejoin(self, trial: Trial) -> None:
        self._state.rejoin(trial)

    def stragglers(self, begun: int) -> Sequence[tuple[int, int]]:
        return self._state.stragglers(begun)

    def time_out(self, bracket: int, rung: int) -> Sequence[int]:
        return self._state.time_out(bracket, rung)

    def close(self) -> None:
        self._state.close()

    def rungs(self) -> list[RungStanding]:
        return self._state.rungs()

    def validate(self) -> None:
        self._state.validate()
