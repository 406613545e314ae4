"""Optuna, with processes that share a journal file."""

from __future__ import annotations

import multiprocessing

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from bench.peering import recording as record
from bench.peering.programs.optuna_objective import PRUNER, objective


# user begins
def work(path: str, seconds: float) -> None:
    """One worker."""
    study = optuna.load_study(
        study_name="peers",
        storage=JournalStorage(JournalFileBackend(path)),
        sampler=optuna.samplers.RandomSampler(),
        pruner=PRUNER,
    )
    study.optimize(objective, timeout=seconds)


# user ends


if __name__ == "__main__":
    ask = record.asked()
    file = f"{ask.folder}/journal"
    record.called()
    # user begins
    optuna.create_study(study_name="peers", storage=JournalStorage(JournalFileBackend(file)))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(file, ask.seconds)) for _ in range(ask.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # user ends
