"""The pruning loop of a PyTorch program for Optuna gives the same with asha-bus in its place."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
import torch

import asha_bus.optuna as ours


def objective(trial: Any) -> float:
    torch.manual_seed(0)
    data = torch.randn((32, 4))
    target = data.sum(dim=1, keepdim=True)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), trial.suggest_float("lr", 1e-4, 0.5, log=True))
    loss = torch.zeros(())
    for epoch in range(6):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(data), target)
        loss.backward()
        optimizer.step()
        trial.report(loss.item(), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return float(loss.item())


def test_a_pruning_loop_is_pruned_as_with_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASHA_BUS_ENGINE", "local")
    found = []
    for module in (optuna, ours):
        study = module.create_study(
            sampler=optuna.samplers.TPESampler(seed=1),
            pruner=optuna.pruners.PercentilePruner(50.0, n_startup_trials=2),
        )
        study.optimize(objective, n_trials=6, n_jobs=1)
        found.append([(trial.state.name, trial.params) for trial in study.trials])
    assert found[0] == found[1]
    assert {"COMPLETE", "PRUNED"} == {state for state, _ in found[0]}
