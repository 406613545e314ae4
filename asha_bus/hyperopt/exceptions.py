"""Errors of asha-bus that are also exceptions of hyperopt, by the same names.

This module imports hyperopt: a program that catches an exception of hyperopt has it.
"""

from __future__ import annotations

from hyperopt import exceptions

from asha_bus.core.errors import InvalidArgument, ObjectiveError


class DuplicateLabel(InvalidArgument, exceptions.DuplicateLabel):  # type: ignore[misc]
    """Two parameters of a space have the same label."""


class InvalidAnnotatedParameter(
    InvalidArgument,
    exceptions.InvalidAnnotatedParameter,  # type: ignore[misc]
):
    """A parameter of ``fn`` has an annotation that is not an expression of hyperopt."""

    def __init__(self, message: str) -> None:
        ValueError.__init__(self, message)  # hyperopt's drops it


class InvalidResultStatus(ObjectiveError, exceptions.InvalidResultStatus):  # type: ignore[misc]
    """``fn`` returned a dict with a status that is not known here."""

    def __init__(self, message: str) -> None:
        ValueError.__init__(self, message)


class InvalidLoss(ObjectiveError, exceptions.InvalidLoss):  # type: ignore[misc]
    """``fn`` returned a dict without a loss."""

    def __init__(self, message: str) -> None:
        ValueError.__init__(self, message)
