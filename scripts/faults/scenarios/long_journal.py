"""Makes the journal of a long run within seconds: it says what workers would have reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    Event,
    Received,
    RequestSuggestions,
    Resumed,
    Send,
    StopRun,
    Suggested,
    WorkerExited,
)
from asha_bus.formats.journal import replay

_WORKER = m.Hello(1, "", "the slot of a long run", "host", 1)
_NAME = "worker-of-a-long-run"
#: Seconds of the run's clock between two reports.
_STEP_S = 0.001


def lengthen(path: Path, size_bytes: int, seed: int) -> int:
    """Have trials report at rungs until the journal at ``path`` has ``size_bytes``; their number.

    The run in it has ended, has the scheduler ASHA and a space with one dimension.
    """
    replayed = replay(path.read_bytes(), str(path))
    experiment, encoder, random = replayed.experiment, replayed.encoder, Random(seed)
    written, now = bytearray(), replayed.now
    answers: list[m.ToWorker] = []
    requests: list[RequestSuggestions] = []

    def carry_out(effect: Effect) -> None:
        if isinstance(effect, AppendToJournal):
            written.extend(encoder.encode(effect))
        elif isinstance(effect, Send):
            answers.append(effect.message)
        elif isinstance(effect, RequestSuggestions):
            requests.append(effect)

    def handle(event: Event) -> None:
        experiment.handle(event, now)
        while requests:
            first, count, _ = requests.pop(0)
            points = tuple((random.random(),) for _ in range(count))
            experiment.handle(Suggested(first, points), now)

    experiment.emit = carry_out
    handle(Resumed(replace(experiment.settings, max_trials=None)))
    handle(Received(_NAME, _WORKER._replace(run=experiment.settings.run)))
    handle(Received(_NAME, m.Next(2, 0.0)))
    seq = 2
    while replayed.end + len(written) < size_bytes:
        answer, seq, now = answers[-1], seq + 1, now + _STEP_S
        if isinstance(answer, m.Continue):
            resource = answer.next_resource
        else:
            assert isinstance(answer, m.Assign | m.Stop)
            assignment = answer.assignment if isinstance(answer, m.Assign) else answer.next
            assert assignment is not None
            trial, attempt, _, _, resource, *_ = assignment
        assert resource is not None
        metric = random.random()
        del answers[:]
        handle(Received(_NAME, m.Report(seq, trial, attempt, resource, metric, metric, {}, 0.0)))
    handle(StopRun("stopped"))
    handle(WorkerExited(_WORKER.slot))
    with path.open("ab") as file:
        file.write(written)
    return len(experiment.table)
