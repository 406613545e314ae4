"""What the parts of a result are called by other tuners."""

from __future__ import annotations

#: Attributes of the results of Optuna, Ray Tune and Hyperopt, and what to use of a `Result`.
ELSEWHERE = {
    "best_params": "best.params",
    "best_config": "best.params",
    "best_trial": "best",
    "best_result": "best",
    "get_best_result": "best",
    "get_best_trial": "best",
    "best_trials": "top(k)",
    "best_value": "best.metric",
    "best_metric": "best.metric",
    "losses": "to_pandas()['metric']",
    "trials_dataframe": "to_pandas()",
    "get_dataframe": "to_pandas()",
    "dataframe": "to_pandas()",
    "get_trials": "trials",
    "errors": "failures",
    "param_importances": "importance()",
    "plot_param_importances": "importance()",
    "plot_parallel_coordinate": "plot_parallel()",
    "plot_optimization_history": "plot_history()",
    "plot_intermediate_values": "plot_curves()",
    "plot_slice": "plot_params()",
}
