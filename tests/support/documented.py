"""Whether what is public has a docstring."""

from __future__ import annotations

import inspect
from types import ModuleType


def code_of(module: ModuleType) -> list[tuple[str, object]]:
    """Everything public that ``module`` defines, methods included, with its name."""
    found: list[tuple[str, object]] = [(module.__name__, module)]
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            found.append((f"{module.__name__}.{name}", value))
        if inspect.isclass(value):
            for method in vars(value):
                member = getattr(value, method)  # also properties and inherited members
                if not method.startswith("_") and (
                    callable(member) or isinstance(member, property)
                ):
                    found.append((f"{module.__name__}.{name}.{method}", member))
    return found


def undocumented(module: ModuleType) -> list[str]:
    """What is public in ``module`` and has no docstring, nor has what it overrides."""
    return [name for name, value in code_of(module) if not inspect.getdoc(value)]
