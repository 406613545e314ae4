"""Tracebacks have the user's frames, and none of asha-bus where there are others."""

from __future__ import annotations

import inspect
import traceback

import pytest

import asha_bus as ab
from asha_bus.core.checks import SWITCH, check
from asha_bus.core.tracebacks import cut_internals, raises_short


def names(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def users(value: object) -> None:
    check("value", value, SWITCH)


def test_the_users_frames_remain_also_of_earlier_errors() -> None:
    def fails() -> None:
        try:
            users(3)
        except ab.InvalidArgument:
            raise KeyError from None

    with pytest.raises(KeyError) as caught:
        fails()
    error = caught.value
    cut_internals(error)
    assert ["fails"] == names(error)[1:]
    assert isinstance(error.__context__, ab.InvalidArgument)
    assert ["fails", "users"] == names(error.__context__)


def test_an_error_without_frames_of_the_user_keeps_all() -> None:
    with pytest.raises(ab.InvalidArgument) as caught:
        check("value", 3, SWITCH)
    error = caught.value
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
    cut_internals(error)
    assert ["check"] == names(error)


def test_a_launch_shows_one_frame_of_its_own() -> None:
    with pytest.raises(ab.InvalidArgument) as caught:
        ab.launch(users, {"value": ab.uniform(0, 1)}, max_trials=-1)
    assert ["test_a_launch_shows_one_frame_of_its_own", "call"] == names(caught.value)
    assert "max_trials" in inspect.signature(ab.launch).parameters


def test_a_bug_keeps_its_frames() -> None:
    def inner() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        raises_short(inner)()
    assert ["call", "inner"] == names(caught.value)[1:]
