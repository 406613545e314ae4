"""Large values in a space: how often they are looked at, and that nothing hides in them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import asha_bus as ab
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import contents


def test_what_many_objects_share_is_searched_once() -> None:
    shared = {str(number): [number] for number in range(5_000)}
    objects = [SimpleNamespace(shared=shared, number=number) for number in range(1_000)]
    looked_at = 0

    def count(node: object) -> object:
        nonlocal looked_at
        looked_at += 1
        return found(node)

    found = contents._referents
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "_referents", count)
        ab.Space(objects=objects, x=ab.uniform(0, 1))
    assert looked_at < 50_000


def test_a_parameter_in_one_of_many_objects_that_share_others_is_found() -> None:
    shared = [object() for _ in range(10)]
    objects = [SimpleNamespace(shared=shared, own=[]) for _ in range(10)]
    objects[7].own.append(ab.uniform(0, 1))
    with pytest.raises(InvalidArgument, match=r"objects\[7\]"):
        ab.Space(objects=objects)


def test_a_list_to_which_an_object_refers_is_searched_in_full() -> None:
    listed: list[object] = [object() for _ in range(5_000)]
    listed.append([SimpleNamespace(hidden=ab.uniform(0, 1))])
    with pytest.raises(InvalidArgument, match=r"listed\[5000\]\[0\]"):
        ab.Space(first=SimpleNamespace(refers=listed), listed=listed)
