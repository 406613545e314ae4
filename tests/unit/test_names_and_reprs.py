"""How callables are named and values are shown: never by an address, at length or by an error."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

import asha_bus
from asha_bus.core.checks import name_of, shortened, shown_params
from asha_bus.formats.space_form import comparable, describe
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.plan import make_plan

#: What is given here has wrong types on purpose.
ab: Any = asha_bus

SECRET = "correct horse battery staple"


def train(x: float, secret: str = "", table: object = None) -> float:
    return x


class Trainer:
    """An objective that is an object."""

    def __init__(self, secret: str = "") -> None:
        self.secret = secret

    def __call__(self, x: float) -> float:
        return x

    def fit(self, x: float) -> float:
        return x

    @classmethod
    def build(cls, x: float) -> float:
        return x


class NoRepr:
    """An object that cannot be shown."""

    def __call__(self, x: float) -> float:
        return x

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Hostile(NoRepr):
    """Raises at whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


class Jitted:
    """Has the plain name of a function only."""

    def __init__(self) -> None:
        self.__name__ = "fast_train"

    def __call__(self, x: float) -> float:
        return x


def named(name: object) -> Any:
    """A function with another qualified name."""

    def function(x: float) -> float:
        return x

    function.__qualname__ = name  # type: ignore[assignment]
    return function


PARTIAL = functools.partial(train, secret=SECRET)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (train, "train"),
        (PARTIAL, "train"),
        (functools.partial(PARTIAL, table=bytes(10**6)), "train"),
        (functools.partial(Trainer(SECRET)), "Trainer"),
        (Trainer(SECRET), "Trainer"),
        (Trainer(SECRET).fit, "Trainer.fit"),
        (Trainer.build, "Trainer.build"),
        (Trainer, "Trainer"),
        (functools.lru_cache(train), "train"),
        pytest.param(Hostile(), "Hostile", id="hostile"),
        (Jitted(), "fast_train"),
        (lambda x: x, "<lambda>"),
        (len, "len"),
        (None, "NoneType"),
        (named("x" * 10_000), "x" * 200 + "..."),
    ],
)
def test_a_callable_is_named_by_its_function_or_its_class(function: object, name: str) -> None:
    assert name == name_of(function)


@pytest.mark.parametrize(
    "value",
    [1, "a", "it's", b"b", None, (), (1,), (1, 2), [], [1, [2]], {}, {"a": {"b": (1, [2.5])}}]
    + [set(), {1}, frozenset(), frozenset({1}), {1: None}, range(3), 2**70, float("nan"), 1j],
)
def test_a_short_value_is_shown_as_python_shows_it(value: object) -> None:
    assert repr(value) == shortened(value)


def test_a_long_value_is_cut_and_not_read_to_its_end() -> None:
    asked = []

    class Shown:
        def __repr__(self) -> str:
            asked.append(self)
            return "shown"

    assert len(shortened([Shown()] * 100_000)) == 203
    assert len(asked) < 50
    for value in ["x" * 10**6, b"x" * 10**6, list(range(10**6)), {"a": ["x" * 10**6]}, 10**4000]:
        text = shortened(value)
        assert (203, "...") == (len(text), text[-3:])
        assert repr(value)[:200] == text[:200]


def test_a_repr_that_raises_hides_no_other_value() -> None:
    text = shown_params({"a": 1, "b": [NoRepr()], "c": 2})
    assert "{'a': 1, 'b': [<NoRepr whose repr raised RuntimeError>], 'c': 2}" == text


def test_parameters_are_shown_up_to_2000_characters_and_an_object_up_to_200() -> None:
    class Large:
        def __repr__(self) -> str:
            return "y" * 10_000

    text = shown_params({"a": Large(), "b": 2, "c": "x" * 10_000})
    assert 2_003 == len(text)
    assert "y" * 200 + "..., 'b': 2, 'c': 'xxx" in text


def test_what_holds_itself_can_be_shown() -> None:
    loop: list[Any] = []
    loop += [loop, {"loop": loop}]
    assert len(shown_params(loop)) <= 2_003


def test_a_partial_hides_its_arguments() -> None:
    assert "[functools.partial(train)]" == shortened([PARTIAL])
    found = describe(ab.Space(f=ab.choice(PARTIAL, len), g=ab.func(PARTIAL, ab.uniform(0, 1))))
    assert SECRET not in repr(found)


@pytest.mark.parametrize("make", [lambda: functools.partial(train, table=object()), Trainer])
def test_the_identity_of_a_run_is_the_same_in_every_process(make: Any) -> None:
    def identity() -> Any:
        options = ab.choice(object(), make(), functools.partial(make()), NoRepr(), lambda: 0)
        given = LaunchArguments(make(), {"x": ab.grid(1)}, seed=1, engine="local", monitor=None)
        header = make_plan(given).header
        return {**header.identity, "options": comparable(describe(ab.Space(options=options)))}

    assert identity() == identity()


def walk(value: Any) -> Iterator[Any]:
    yield value
    for part in value if isinstance(value, (tuple, list)) else ():
        yield from walk(part)


UNSHOWN = ab.Space(
    x=ab.grid(NoRepr(), [NoRepr()]),
    y=ab.choice({"a": NoRepr(), "p": ab.uniform(0, 1)}, None),
    z=NoRepr(),
    f=ab.func(NoRepr(), ab.uniform(0, 1)),
)


def test_a_space_of_objects_without_a_repr_is_shown() -> None:
    assert "NoRepr whose repr raised" in repr(UNSHOWN)
    assert "NoRepr whose repr raised" in UNSHOWN._repr_html_()
    assert all("RuntimeError: no" not in str(each) for each in walk(describe(UNSHOWN)))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ab.Space(trial=NoRepr()),
        lambda: ab.Space(NoRepr()),
        lambda: ab.Space(x=ab.choice(1)).point_of({"x": NoRepr()}),
        lambda: ab.Space(x=ab.uniform(0, 1)).point_of({"x": NoRepr()}),
        lambda: ab.Space(x=NoRepr(), y=ab.grid(1)).point_of({"x": 1, "y": 1}),
        lambda: ab.Space(x=[ab.grid(NoRepr())]).point_of({"x": NoRepr()}),
        lambda: ab.Space(x=ab.grid(NoRepr())).where(lambda x: 1 / 0),
        lambda: ab.Space(x=ab.grid(NoRepr())).where(lambda x: False),
        lambda: ab.uniform(NoRepr(), 1),
        lambda: ab.uniform(0, 1, q=NoRepr()),
        lambda: UNSHOWN * UNSHOWN,
    ],
)
def test_an_error_about_an_object_without_a_repr_is_ours(wrong: Any) -> None:
    with pytest.raises(ab.InvalidArgument) as caught:
        wrong()
    assert len(str(caught.value)) < 3_000
