"""The space of parameters: ranges, options, nesting, and the algebra of spaces."""

from asha_bus.core.space.contents import holds_parameter
from asha_bus.core.space.member import Dimension, Member, Plain, Product, Sampled, SampleNumber
from asha_bus.core.space.normals import LogNormal, Normal, lognormal, normal
from asha_bus.core.space.options import (
    MAX_GRID_POINTS,
    Choice,
    Func,
    Grid,
    Option,
    Options,
    Ordinal,
    choice,
    func,
    grid,
    is_same,
    option,
    ordinal,
)
from asha_bus.core.space.parameter import Leaf, Parameter
from asha_bus.core.space.points import POSITIONAL, by_name
from asha_bus.core.space.ranges import (
    LogUniform,
    Number,
    RandInt,
    Uniform,
    loguniform,
    randint,
    uniform,
)
from asha_bus.core.space.space import Space, as_space
from asha_bus.core.space.where import MAX_DRAWS, Filtered, Refused

__all__ = [
    "MAX_DRAWS",
    "MAX_GRID_POINTS",
    "POSITIONAL",
    "Choice",
    "Dimension",
    "Filtered",
    "Func",
    "Grid",
    "Leaf",
    "LogNormal",
    "LogUniform",
    "Member",
    "Normal",
    "Number",
    "Option",
    "Options",
    "Ordinal",
    "Parameter",
    "Plain",
    "Product",
    "RandInt",
    "Refused",
    "SampleNumber",
    "Sampled",
    "Space",
    "Uniform",
    "as_space",
    "by_name",
    "choice",
    "func",
    "grid",
    "holds_parameter",
    "is_same",
    "lognormal",
    "loguniform",
    "normal",
    "option",
    "ordinal",
    "randint",
    "uniform",
]
