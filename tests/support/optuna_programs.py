"""Programs as people write them for Optuna; ``optuna`` is Optuna itself, or asha-bus in its place.

Each returns what is compared. ``n_jobs=1`` has trials run in the same order.
"""

from __future__ import annotations

import datetime
import functools
from typing import Any

import numpy as np
from optuna import TrialPruned


def conditional_space(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        loss = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        for layer in range(trial.suggest_int("n_layers", 1, 3)):
            loss += trial.suggest_int(f"n_units_l{layer}", 4, 128, log=True) / 100
        if trial.suggest_categorical("optimizer", ["Adam", "SGD"]) == "SGD":
            loss += abs(trial.suggest_float("momentum", 0.0, 1.0) - 0.9)
        return float(loss)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
    study.optimize(objective, n_trials=12, n_jobs=1)
    for one in study.trials:  # beyond the first, drawn ahead: not the values of Optuna
        names = {f"n_units_l{layer}" for layer in range(one.params["n_layers"])}
        if one.params["optimizer"] == "SGD":
            names.add("momentum")
        assert names | {"lr", "n_layers", "optimizer"} == set(one.params)
    return study.trials[0].params, [one.state for one in study.trials]


class Net:
    """Has the loop of a PyTorch program, and learns one number."""

    def __init__(self, lr: float) -> None:
        self.lr, self.weight = lr, 5.0

    def train_epoch(self) -> float:
        self.weight -= self.lr * 2 * self.weight
        return self.weight**2


def pytorch_loop(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        net = Net(trial.suggest_float("lr", 1e-3, 1.2, log=True))
        loss = float("inf")
        for epoch in range(6):
            loss = net.train_epoch()
            trial.report(loss, epoch)
            if trial.should_prune():
                raise optuna.exceptions.TrialPruned()
        return loss

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=1),
        pruner=optuna.pruners.ThresholdPruner(upper=20, n_warmup_steps=2),
    )
    study.optimize(objective, n_trials=10, n_jobs=1)
    pruned = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.PRUNED])
    complete = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    assert pruned
    return len(pruned), len(complete), study.best_trial.params, study.best_value


class PruningCallback:
    """A callback for LightGBM, with what that of ``optuna_integration`` does to a trial."""

    def __init__(self, optuna: Any, trial: Any, metric: str) -> None:
        self._optuna, self._trial, self._metric = optuna, trial, metric

    def __call__(self, env: Any) -> None:
        for _, metric, value, is_higher_better, *_ in env.evaluation_result_list:
            if metric != self._metric:
                continue
            directions = self._optuna.study.StudyDirection
            wanted = directions.MAXIMIZE if is_higher_better else directions.MINIMIZE
            if self._trial.study.direction != wanted:
                raise ValueError("the direction of the study is not that of the metric")
            self._trial.report(value, step=env.iteration)
            if self._trial.should_prune():
                raise self._optuna.TrialPruned(f"Trial was pruned at iteration {env.iteration}.")


def table() -> tuple[Any, Any]:
    random = np.random.RandomState(0)
    data = random.normal(size=(80, 4))
    return data, (data[:, 0] + data[:, 1] > 0).astype(int)


def lightgbm_callback(optuna: Any, direction: str = "minimize") -> Any:
    def objective(trial: Any) -> float:
        import lightgbm

        data, target = table()
        kept: dict[str, Any] = {}
        train = lightgbm.Dataset(data[:60], target[:60])
        lightgbm.train(
            {
                "objective": "binary",
                "verbosity": -1,
                "num_threads": 1,
                "min_data_in_leaf": 2,
                "metric": "binary_logloss",
                "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1.0, log=True),
            },
            train,
            num_boost_round=8,
            valid_sets=[lightgbm.Dataset(data[60:], target[60:], reference=train)],
            callbacks=[
                lightgbm.record_evaluation(kept),
                PruningCallback(optuna, trial, "binary_logloss"),
            ],
        )
        return float(kept["valid_0"]["binary_logloss"][-1])

    study = optuna.create_study(
        direction=direction,
        sampler=optuna.samplers.TPESampler(seed=1),
        pruner=optuna.pruners.PercentilePruner(50.0, n_startup_trials=2),
    )
    study.optimize(objective, n_trials=6, n_jobs=1)
    assert "PRUNED" in {one.state.name for one in study.trials}
    return [(one.state, one.intermediate_values) for one in study.trials]


def wrong_direction(optuna: Any) -> Any:
    return lightgbm_callback(optuna, "maximize")


def xgboost_callback(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        import xgboost

        class Pruning(xgboost.callback.TrainingCallback):
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                trial.report(evals_log["valid"]["logloss"][-1], epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned
                return False

        data, target = table()
        kept: dict[str, Any] = {}
        params: dict[str, Any] = {
            "eta": trial.suggest_float("eta", 1e-3, 1.0, log=True),
            "nthread": 1,
            "objective": "binary:logistic",
            "eval_metric": "logloss",
        }
        xgboost.train(
            params,
            xgboost.DMatrix(data[:60], target[:60]),
            8,
            evals=[(xgboost.DMatrix(data[60:], target[60:]), "valid")],
            evals_result=kept,
            verbose_eval=False,
            callbacks=[Pruning()],
        )
        return float(kept["valid"]["logloss"][-1])

    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(seed=1),
        pruner=optuna.pruners.ThresholdPruner(upper=0.69, n_warmup_steps=1),
    )
    study.enqueue_trial({"eta": 1e-3})
    study.enqueue_trial({"eta": 0.5})
    study.optimize(objective, n_trials=2, n_jobs=1)
    return [(one.state.name, one.params, one.intermediate_values) for one in study.trials]


class CrossValidated:
    """An objective that is an object with its data, and that reports after each fold."""

    def __init__(self, data: Any, target: Any) -> None:
        self.data, self.target = data, target

    def __call__(self, trial: Any) -> float:
        from sklearn.model_selection import StratifiedKFold
        from sklearn.svm import SVC

        model = SVC(C=trial.suggest_float("C", 1e-3, 1e2, log=True))
        scores = []
        folds = StratifiedKFold(3).split(self.data, self.target)
        for number, (train, test) in enumerate(folds):
            model.fit(self.data[train], self.target[train])
            scores.append(model.score(self.data[test], self.target[test]))
            trial.report(float(np.mean(scores)), number)
            if trial.should_prune():
                raise TrialPruned
        trial.set_user_attr("scores", scores)
        return float(np.mean(scores))


def sklearn_cross_validation(optuna: Any) -> Any:
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=1),
        pruner=optuna.pruners.PercentilePruner(50.0, n_startup_trials=2),
    )
    study.optimize(CrossValidated(*table()), n_trials=6, n_jobs=1)
    return [(one.state, one.value, one.user_attrs) for one in study.trials]


def square(trial: Any, shift: float = 0.0) -> float:
    return float((trial.suggest_float("x", -10, 10) - shift) ** 2)


def enqueued_and_added(optuna: Any) -> Any:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.add_trial(
        optuna.create_trial(
            params={"x": 2.0},
            distributions={"x": optuna.distributions.FloatDistribution(-10, 10)},
            value=4.0,
        )
    )
    study.enqueue_trial({"x": 0.5})
    study.enqueue_trial({"x": 0.5}, skip_if_exists=True)
    study.optimize(functools.partial(square, shift=1.0), n_trials=3, n_jobs=1)
    return [(one.number, one.params, one.value) for one in study.trials], study.best_params


def max_trials_callback(optuna: Any) -> Any:
    states = (optuna.trial.TrialState.COMPLETE,)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(
        square,
        n_trials=20,
        n_jobs=1,
        callbacks=[optuna.study.MaxTrialsCallback(3, states=states)],
    )
    return len(study.trials)


def stops_in_the_objective(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        if trial.number == 3:
            trial.study.stop()
        return square(trial)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(objective, n_trials=20, n_jobs=1)
    return [(one.state, one.user_attrs) for one in study.trials]


def pruned_by_hand_and_caught(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        if trial.number == 1:
            raise optuna.TrialPruned("as good as known")
        if trial.number == 2:
            raise ValueError("bad parameters")
        return float(x)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(objective, n_trials=4, n_jobs=1, catch=ValueError)
    return [(one.state, one.value) for one in study.trials]


def views_of_a_trial(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.suggest_int("n", 1, 3)
        trial.set_user_attr("number", trial.number)
        trial.set_user_attr("params", dict(trial.params))
        trial.set_user_attr("names", sorted(trial.distributions))
        trial.set_user_attr("attrs", sorted(trial.user_attrs))
        age = datetime.datetime.now() - trial.datetime_start
        trial.set_user_attr("is_new", age < datetime.timedelta(minutes=5))
        trial.set_user_attr("study", [trial.study.study_name, trial.study.direction.name])
        return float(x)

    study = optuna.create_study(study_name="views", sampler=optuna.samplers.TPESampler(seed=1))
    study.set_user_attr("by", "me")
    study.optimize(objective, n_trials=2, n_jobs=1)
    frame = study.trials_dataframe(attrs=("number", "value", "params", "state"))
    assert study.trials[0].duration >= datetime.timedelta(0)
    return [one.user_attrs for one in study.trials], study.user_attrs, frame.to_dict()


def callbacks_with_trials(optuna: Any) -> Any:
    seen: list[Any] = []

    def callback(study: Any, trial: Any) -> None:
        seen.append((trial.number, trial.value, len(study.trials), study.best_trial.number))
        study.set_user_attr("last", trial.number)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(square, n_trials=4, n_jobs=1, callbacks=[callback])
    return seen, study.user_attrs


def ask_and_tell(optuna: Any) -> Any:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    for _ in range(4):
        trial = study.ask()
        study.tell(trial, square(trial))
    trial = study.ask({"x": optuna.distributions.FloatDistribution(-10, 10)})
    study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)
    study.optimize(square, n_trials=2, n_jobs=1)
    return [(one.state, one.params, one.value) for one in study.trials]


_kept: list[Any] = []


def suggests_after_the_end(optuna: Any) -> Any:
    def objective(trial: Any) -> float:
        if _kept:
            _kept[0].suggest_float("late", 0, 1)
        _kept.append(trial)
        return square(trial)

    _kept.clear()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(objective, n_trials=3, n_jobs=1)
    return len(study.trials)


#: What ends in the same way with both.
SAME = (
    conditional_space,
    pytorch_loop,
    lightgbm_callback,
    xgboost_callback,
    sklearn_cross_validation,
    enqueued_and_added,
    max_trials_callback,
    stops_in_the_objective,
    pruned_by_hand_and_caught,
    views_of_a_trial,
    callbacks_with_trials,
    ask_and_tell,
)
