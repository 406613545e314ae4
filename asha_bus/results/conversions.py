"""What a result can be converted to, as its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asha_bus.results.frame import frame_of

if TYPE_CHECKING:
    import optuna
    import pandas

    from asha_bus.results.result import Result


class Conversions:
    """What other packages read of a `Result`."""

    def to_pandas(self) -> pandas.DataFrame:
        """Convert the trials to a table of pandas.

        Returns:
            One row per trial, with parameters as columns ``params.<name>`` and extras as
            ``extras.<name>``, of which there are at most 200. A parameter that a member of a
            union lacks is None or NaN.

        Raises:
            ImportError: pandas is not installed.

        Example:
            >>> mean = result.to_pandas()["metric"].mean()
        """
        return frame_of(cast("Result", self).trials)

    def to_optuna(self) -> optuna.Study:
        """Convert the trials that have ended to a study of Optuna, for its plots and importance.

        A stopped trial is pruned, with its reports as intermediate values. Parameters are named
        by their paths in the space, and extras are user attributes. An option that is not
        plain is a text.

        Returns:
            The study, in memory.

        Raises:
            ImportError: Optuna is not installed: ``pip install 'asha-bus[optuna]'``.

        Example:
            >>> importances = optuna.importance.get_param_importances(result.to_optuna())
        """
        try:
            from asha_bus.optuna.exporting import study_of
        except ModuleNotFoundError as error:
            raise ImportError("to_optuna() needs Optuna: pip install 'asha-bus[optuna]'") from error
        return study_of(cast("Result", self))
