"""What people write who come from other tools: lists of options, objects that hold parameters."""

from __future__ import annotations

import functools
import gc
import pickle
import threading
from array import array
from collections import ChainMap, OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas
import pytest

from asha_bus import (
    InvalidArgument,
    Space,
    choice,
    from_hyperopt,
    func,
    grid,
    lognormal,
    loguniform,
    normal,
    option,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core.space import holds_parameter
from asha_bus.formats.space_form import describe, space_from
from asha_bus.results.parameters import columns

X = uniform(0, 1)


class Colour(Enum):
    RED = 1
    BLUE = 2


Point = namedtuple("Point", "x y")

# --- one collection as the only option ---------------------------------------------


@pytest.mark.parametrize("write", [choice, ordinal, grid])
@pytest.mark.parametrize(
    "given",
    [
        [16, 32],
        (16, 32),
        [16],
        [X, X],
        {16, 32},
        frozenset((16,)),
        {16: 1}.keys(),
        {16: 1}.values(),
        {16: 1}.items(),
        deque([16, 32]),
        array("d", [1, 2]),
        np.array([16, 32]),
        np.array([[1, 2], [3, 4]]),
        pandas.Series([16, 32]),
        pandas.Index([16, 32]),
        pandas.DataFrame({"a": [1]}),
        Colour,
        Point(1, 2),
    ],
    ids=lambda given: getattr(type(given), "__name__", ""),
)
def test_a_single_collection_is_refused(write: Callable[..., Any], given: Any) -> None:
    name = write.__name__
    with pytest.raises(InvalidArgument) as caught:
        write(given)
    assert f"{name}(): got " in str(caught.value)
    assert f"write {name}(" in str(caught.value)
    assert f"or {name}(option(" in str(caught.value)


def test_the_error_shows_both_ways_of_writing() -> None:
    with pytest.raises(InvalidArgument) as caught:
        choice([16, 32])
    assert str(caught.value) == (
        "choice(): got one list, [16, 32], as the only option; write choice(16, 32) if each of "
        "its elements is an option, or choice(option([16, 32])) if it is one option"
    )
    with pytest.raises(InvalidArgument, match=r"write grid\(\*values\) .* grid\(option\(values\)"):
        grid(list(range(10**5)))
    with pytest.raises(InvalidArgument, match=r"ordinal\(\): \[\] has no options; for one, write"):
        ordinal([])
    with pytest.raises(InvalidArgument, match=r"grid\(\): \(\) has no options"):
        grid(())


@pytest.mark.parametrize("write", [choice, ordinal])
def test_a_range_or_a_generator_is_read_by_grid_alone(write: Callable[..., Any]) -> None:
    for given in (range(3), (k for k in range(3)), iter([1, 2])):
        with pytest.raises(InvalidArgument, match=r"write \w+\(\*values\)"):
            write(given)
    assert 3 == len(Space(a=grid(range(3)))) == len(Space(a=grid(k for k in range(3))))


@pytest.mark.parametrize(
    "one", ["relu", b"ab", {"a": 1, "b": 2}, 5, None, np.float32(1), np.array(3), Space(a=X)]
)
def test_a_single_value_is_one_option(one: Any) -> None:
    for write in (choice, ordinal, grid):
        assert 1 == len(write(one).options)  # type: ignore[attr-defined]


@pytest.mark.parametrize("write", [choice, ordinal, grid])
def test_a_label_before_a_list_is_refused(write: Callable[..., Any]) -> None:
    name = write.__name__
    for values in (["relu", "tanh"], ("relu", "tanh")):
        with pytest.raises(InvalidArgument) as caught:
            write("act", values)
        assert str(caught.value) == (
            f"{name}(): got a text and one list, {values!r}; a parameter has no label, so write "
            f"{{'act': {name}(*values)}}, or {name}('act', option(values)) if these two are the "
            f"options"
        )
    assert ("auto", [64, 64]) == write("auto", option([64, 64])).options
    assert ("auto", [64], [8]) == write("auto", [64], [8]).options
    assert (None, [64, 64]) == write(None, [64, 64]).options


@pytest.mark.parametrize("write", [uniform, loguniform, randint, normal, lognormal])
def test_a_label_before_numbers_is_refused(write: Callable[..., Any]) -> None:
    words = rf"must be a number, got 'lr' of type str; .* write \{{'lr': {write.__name__}\(\.\.\.\)"
    with pytest.raises(InvalidArgument, match=words):
        write("lr", 1, 2)


def test_several_lists_are_several_options() -> None:
    assert [{"a": [16]}, {"a": [16, 32]}] == list(Space(a=grid([16], [16, 32])))


@pytest.mark.parametrize("write", [choice, ordinal, grid])
def test_an_option_is_taken_as_it_is(write: Callable[..., Any]) -> None:
    given = [16, 32]
    for parameter in (write(option(given)), write(option(option(given)))):
        assert [given] == list(parameter.options)
        assert parameter.options[0] is given
        assert f"{write.__name__}(option([16, 32]))" == repr(parameter)
    mixed = write(option([16, 32]), [64], option("a"))
    assert ([16, 32], [64], "a") == mixed.options
    space = Space(a=write(option(given)))
    assert {"a": given} == pickle.loads(pickle.dumps(space)).draw(1)
    assert describe(space) == describe(space_from(describe(space)))


def test_an_option_with_parameters_is_a_sub_space() -> None:
    space = Space(a=choice(option([X, {"b": uniform(2, 3)}])), c=grid(option(Space(d=X))))
    assert ["a", "a:0[0]", "a:0[1].b", "c", "c:0.d"] == list(space.parameters)
    assert 2 <= space.draw(1)["a"][1]["b"] <= 3


@pytest.mark.parametrize(
    "write",
    [
        lambda: Space(a={"b": option(3)}),
        lambda: Space(a={"b": choice([option(3)], 4)}),
        lambda: Space(a={"b": func(abs, option(3))}),
        lambda: Space(a={"b": grid(SimpleNamespace(c=option(3)))}),
    ],
)
def test_an_option_elsewhere_is_refused(write: Callable[[], Any]) -> None:
    with pytest.raises(InvalidArgument, match=r"^a\.b.*(argument of choice|SimpleNamespace)"):
        write()
    with pytest.raises(InvalidArgument, match=r"^a: option was not called; write option\(\.\.\.\)"):
        Space(a=option)


def test_lists_of_hyperopt_are_options() -> None:
    hp = pytest.importorskip("hyperopt").hp
    space = from_hyperopt({"a": hp.choice("a", [16, 32]), "b": hp.choice("b", [[1, 2]])})
    assert {16, 32} == {space.draw(seed)["a"] for seed in range(20)}
    assert (1, 2) == space.draw(1)["b"]
    again = space_from(describe(space))
    assert again.resolve((1, 0)) == space.resolve((1, 0))


# --- two values with one path --------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "path"),
    [
        (lambda: Space({"a.b": X, "a": {"b": uniform(0, 1)}}), "a.b"),
        (lambda: Space({"a.b": 5, "a": {"b": X}}), "a.b"),
        (lambda: Space({"a[0]": X, "a": [uniform(0, 1)]}), "a[0]"),
        (lambda: Space({"m:0.b": X, "m": choice({"b": uniform(0, 1)}, 2)}), "m:0.b"),
        (lambda: Space(a={1: X, "1": uniform(0, 1)}), "a.1"),
        (lambda: Space(a=func(abs, X), **{"a.args[0]": uniform(0, 1)}), "a.args[0]"),
        (lambda: Space(a=choice({"b.c": X, "b": {"c": uniform(0, 1)}}, 2)), "a:0.b.c"),
        (lambda: Space({"a.b": X}) * {"a": {"b": uniform(0, 1)}}, "a.b"),
        (lambda: Space({"a.b": X}) * Space(a={"b": uniform(0, 1)}).sample(3), "a.b"),
        (lambda: Space(a=X).sample(3) * {"sample number": uniform(0, 1)}, "sample number"),
        (lambda: {"a.b": X} + Space({"a.b": X, "a": {"b": uniform(0, 1)}}), "a.b"),
    ],
)
def test_two_values_of_one_path_are_refused(write: Callable[[], Any], path: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        write()
    assert str(caught.value).startswith(f"{path}: two values of the space have this path")
    assert "rename one of the keys" in str(caught.value)


def test_a_key_with_dots_is_a_path_like_any_other() -> None:
    space = Space({"optimizer.lr": X, "optimizer": {"name": "adam"}, ".a": uniform(0, 1), "a": 3})
    assert ["optimizer.lr", ".a"] == [one.path for one in space.level2(0)] == list(space.parameters)
    assert (0.5, 0.25) == space.point_at({"optimizer.lr": 0.5, ".a": 0.25}, 0)
    assert {"optimizer.lr": 0.5, ".a": 0.25} == space.values((0.5, 0.25))
    tied = Space({"a.b": X, "a": {"c": X}})  # one parameter in two places has two paths
    assert ["a.b", "a.c"] == list(tied.parameters)


def test_a_journal_of_two_values_of_one_path_is_read() -> None:
    inner = ("dict", (("b", ("grid", (0, ("list", ())))),))
    tree = ("dict", (("a.b", ("uniform", (0.0, 1.0))), ("a", inner)))
    assert {"a.b": 0.5, "a": {"b": []}} == space_from(tree).resolve((0.5, 0))


def test_samples_of_both_factors_share_no_path() -> None:
    assert 6 == len(Space(a=X).sample(2) * Space(b=uniform(0, 1)).sample(3))


def test_a_column_stands_under_the_name_that_holds_it() -> None:
    nested = {"b": choice("u", "v"), "b.c": loguniform(1, 2)}
    space = Space({"a": nested, "a.b.d": uniform(0, 1), "a.b.e": 3})
    assert ["a.b", "a.b.c", "a.b.d"] == [column.name for column in columns(space)]


# --- parameters in objects -----------------------------------------------------------


@dataclass
class Settings:
    lr: Any
    batch: int = 4


@dataclass(frozen=True)
class Slotted:
    __slots__ = ("lr",)
    lr: Any


class Plain:
    def __init__(self, lr: Any) -> None:
        self.inner = {"deep": [Settings(lr)]}

    def method(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (Settings(X), "Settings"),
        (Slotted(X), "Slotted"),
        (Plain(X), "Plain"),
        (Plain(X).method, "method"),
        (SimpleNamespace(lr=X), "SimpleNamespace"),
        (deque([1, X]), "deque"),
        (Point(1, X), "Point"),
        (OrderedDict(lr=X), "OrderedDict"),
        (defaultdict[str, Any](list, lr=X), "defaultdict"),
        (MappingProxyType({"lr": X}), "mappingproxy"),
        (UserDict(lr=X), "UserDict"),
        (ChainMap({"lr": X}), "ChainMap"),
        ({X}, "set"),
        (frozenset((X,)), "frozenset"),
        ({"lr": X}.values(), "dict_values"),
        (functools.partial(print, lr=X), "partial"),
        (np.array([1, X], dtype=object), "ndarray"),
        (np.array([[1, Settings(X)]], dtype=object), "ndarray"),
        (pandas.Series([1, X]), "Series"),
        (pandas.DataFrame({"lr": [X]}), "DataFrame"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_parameters_in_other_objects_are_refused(made: Any, kind: str) -> None:
    words = rf"parameters inside a {kind} are not drawn; use a plain dict, list or tuple, or make"
    for write, path in [
        (lambda: Space(a={"b": made}), "a.b"),
        (lambda: Space(a=choice(1, [made])), "a:1[0]"),
        (lambda: Space(a=func(print, made)), "a.args[0]"),
        (lambda: Space(a={"b": made}, x=X) * {"y": 1}, "a.b"),
    ]:
        with pytest.raises(InvalidArgument, match=words) as caught:
            write()
        assert str(caught.value).startswith(f"{path}: ")


def test_func_makes_an_object_from_parameters() -> None:
    made = Space(settings=func(Settings, X, grid(4, 8))).draw(1)["settings"]
    assert isinstance(made, Settings)
    assert 0 <= made.lr <= 1
    assert made.batch in (4, 8)


class Hostile:
    """An object whose every method counts that it was called."""

    calls = 0

    def __getattribute__(self, name: str) -> Any:
        type(self).__dict__["count"]()
        return object.__getattribute__(self, name)

    @staticmethod
    def count() -> None:
        Hostile.calls += 1

    def __len__(self) -> int:
        Hostile.calls += 1
        return 3

    def __iter__(self) -> Any:
        Hostile.calls += 1
        return iter([X])

    def __eq__(self, other: object) -> bool:
        Hostile.calls += 1
        return True

    def __hash__(self) -> int:
        Hostile.calls += 1
        return 1


class HostileDict(dict[str, Any]):
    def values(self) -> Any:
        raise AssertionError("this is user code")

    __iter__ = __len__ = values


def test_the_search_runs_no_code_of_users() -> None:
    Hostile.calls = 0
    assert not holds_parameter([Hostile(), {"a": (Hostile(),)}])
    assert not holds_parameter(HostileDict(a=1))
    assert holds_parameter(HostileDict(a=X))
    assert 0 == Hostile.calls


def test_the_search_ends_in_large_and_in_circular_objects() -> None:
    looked: list[int] = []
    real = gc.get_referents

    def counted(*objects: Any) -> list[Any]:
        looked.append(len(objects))
        return real(*objects)

    model = SimpleNamespace(layers=[SimpleNamespace(w=[{}, {}]) for _ in range(20_000)])
    model.itself = model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "get_referents", counted)
        assert not holds_parameter(model)
    assert 0 < len(looked) <= 1_000


@pytest.mark.parametrize(
    "innocent",
    [
        lambda: X,
        test_func_makes_an_object_from_parameters,
        Settings,
        pytest,
        SimpleNamespace(space=Space(a=X)),
        threading.Lock(),
        np.arange(5),
        (one for one in [1]),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_merely_leads_to_a_parameter_is_a_constant(innocent: Any) -> None:
    assert not holds_parameter(innocent)
    assert ["x"] == [one.path for one in Space(x=X, a={"b": innocent}).level2(0)]


# --- parameters of other tuners -----------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        optuna.distributions.FloatDistribution(0, 1),
        optuna.distributions.IntDistribution(1, 9),
        optuna.distributions.CategoricalDistribution([16, 32]),
    ],
)
@pytest.mark.parametrize("inside", [lambda one: one, lambda one: {"b": [one]}])
def test_a_distribution_of_optuna_is_no_constant(
    given: object, inside: Callable[[object], object]
) -> None:
    with pytest.raises(InvalidArgument, match=r"^a.* of Optuna, got .*Distribution\(.*uniform\("):
        Space(a=inside(given), lr=X)
    with pytest.raises(InvalidArgument, match="of Optuna"):
        Space(a=func(abs, inside(given)), lr=X)
    with pytest.raises(InvalidArgument, match="of Optuna"):
        Space(a=choice({"c": inside(given), "d": X}, 3), lr=X)


def test_a_grid_search_of_ray_is_no_constant() -> None:
    with pytest.raises(InvalidArgument, match=r"^a.b is grid_search of Ray Tune.*write grid\("):
        Space(a={"b": {"grid_search": [1, 2]}}, lr=X)
    Space(a={"grid_search": [1, 2], "other": 3}, b={"grid_search": True}, lr=X)
