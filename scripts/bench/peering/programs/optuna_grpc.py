"""Optuna, with processes that ask a gRPC server before a storage in memory, its fastest one."""

from __future__ import annotations

import multiprocessing
import socket

import optuna
from optuna.storages import GrpcStorageProxy, InMemoryStorage, run_grpc_proxy_server

from bench.peering import recording as record
from bench.peering.programs.optuna_objective import PRUNER, objective


# user begins
def serve(port: int) -> None:
    """The server."""
    run_grpc_proxy_server(InMemoryStorage(), host="localhost", port=port)


def work(port: int, seconds: float) -> None:
    """One worker."""
    study = optuna.load_study(
        study_name="peers",
        storage=GrpcStorageProxy(host="localhost", port=port),
        sampler=optuna.samplers.RandomSampler(),
        pruner=PRUNER,
    )
    study.optimize(objective, timeout=seconds)


# user ends


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    ask = record.asked()
    at = free_port()
    # user begins
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(at,), daemon=True)
    server.start()
    storage = GrpcStorageProxy(host="localhost", port=at)
    storage.wait_server_ready(timeout=60)
    optuna.create_study(study_name="peers", storage=storage)
    # user ends
    record.called()
    # user begins
    workers = [context.Process(target=work, args=(at, ask.seconds)) for _ in range(ask.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    server.terminate()
    # user ends
