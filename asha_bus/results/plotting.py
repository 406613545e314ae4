"""The plots of a result, as its methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from asha_bus.results.result import Result


class Plots:
    """What a `Result` can draw; each plot needs matplotlib."""

    @property
    def _result(self) -> Result:
        return cast("Result", self)  # it has no other subclass

    def plot_rungs(self, ax: Axes | None = None) -> Axes:
        """Draw the number of trials that entered each rung, and of those that continued.

        Args:
            ax: The axes to draw into; None (default) makes a figure.

        Returns:
            The axes; see `asha_bus.results.plots`, which needs matplotlib.

        Example:
            >>> result.plot_rungs().figure.savefig("rungs.png")
        """
        from asha_bus.results import plots

        return plots.plot_rungs(self._result, ax)

    def plot_curves(self, ax: Axes | None = None) -> Axes:
        """Draw each trial's metric over its resource, coloured by state.

        Args:
            ax: The axes to draw into; None (default) makes a figure.

        Returns:
            The axes; see `asha_bus.results.plots`, which needs matplotlib.

        Example:
            >>> result.plot_curves().figure.savefig("curves.png")
        """
        from asha_bus.results import plots

        return plots.plot_curves(self._result, ax)

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """Draw each trial's last metric over the time at which it ended, with the best so far.

        Args:
            ax: The axes to draw into; None (default) makes a figure.

        Returns:
            The axes; see `asha_bus.results.plots`, which needs matplotlib.

        Example:
            >>> result.plot_history().figure.savefig("history.png")
        """
        from asha_bus.results import plots

        return plots.plot_history(self._result, ax)

    def plot_params(self, axs: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Draw each trial's last metric over each parameter, one chart for each.

        Args:
            axs: At least one axes for each parameter; None (default) makes a figure.

        Returns:
            The axes.

        Raises:
            InvalidArgument: There are fewer axes than parameters.

        Example:
            >>> result.plot_params()[0].figure.savefig("params.png")
        """
        from asha_bus.results import plots

        return plots.plot_params(self._result, axs)

    def plot_parallel(self, ax: Axes | None = None) -> Axes:
        """Draw parallel coordinates: each trial as a line through its parameters and metric.

        The best trials are darkest; they are ranked as by `Result.top`, without regard to
        repeats. Trials without a usable metric are left out, and of more than 2,000 trials
        2,000 are drawn, evenly chosen by rank.

        Args:
            ax: The axes to draw into; None (default) makes a figure.

        Returns:
            The axes.

        Example:
            >>> result.plot_parallel().figure.savefig("parallel.png")
        """
        from asha_bus.results import parallel

        return parallel.plot_parallel(self._result, ax)
