"""The data of a run on its way to the workers: gathered, measured, and held to a limit."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from asha_bus.core.errors import InvalidArgument


def gather(data: Mapping[str, Any], limit_bytes: int) -> dict[str, Any]:
    """``data`` as it travels: a DataFrame of Spark becomes an Arrow table.

    Its size is printed. Raises `InvalidArgument` for what is larger than
    ``limit_bytes``, or cannot be gathered or pickled.
    """
    return {name: _gather(name, value, limit_bytes) for name, value in data.items()}


def _gather(name: str, value: Any, limit_bytes: int) -> Any:
    if not _is_spark_frame(value):
        _hold_to_limit(name, _size(name, value), limit_bytes)
        return value
    _hold_to_limit(name, _estimate(value), limit_bytes)
    try:
        table = value.toArrow()
    except ImportError as error:
        raise InvalidArgument(
            f"data[{name!r}] is a DataFrame of Spark, which is gathered by pyarrow: "
            f"pip install pyarrow"
        ) from error
    except AttributeError as error:
        raise InvalidArgument(
            f"data[{name!r}] is a DataFrame of a Spark before 4.0, which cannot be gathered as "
            f"Arrow; give {name}.toPandas()"
        ) from error
    _hold_to_limit(name, table.nbytes, limit_bytes)
    print(f"data {name}: {table.num_rows:,} rows, {table.nbytes / 1e6:,.1f} MB", flush=True)
    return table


def _is_spark_frame(value: Any) -> bool:
    cls = type(value)
    return cls.__module__.startswith("pyspark.sql") and cls.__name__ == "DataFrame"


def _estimate(frame: Any) -> int:
    """What Spark thinks a frame's size is, in bytes; 0 where it cannot tell.

    Without statistics it takes the largest number that there is.
    """
    try:
        size = int(frame._jdf.queryExecution().optimizedPlan().stats().sizeInBytes().toString())
    except Exception:  # private parts of Spark, which may change with any release
        return 0
    return 0 if size >= 2**62 else size


def _size(name: str, value: Any) -> int:
    """The size of ``value`` in bytes: of arrays and tables as they say, else pickled."""
    usage = getattr(value, "memory_usage", None)
    if callable(usage):  # a frame or a series of pandas
        found = usage(deep=True)
        return int(getattr(found, "sum", lambda: found)())
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    try:
        return len(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))
    except Exception as error:  # pickling runs user code, which may raise anything
        raise InvalidArgument(
            f"data[{name!r}] cannot be sent to the workers: it is a {type(value).__name__}, which "
            f"cannot be pickled ({error})"
        ) from error


def _hold_to_limit(name: str, size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise InvalidArgument(
            f"data[{name!r}] has {size:,} bytes, and every executor would load it: more than the "
            f"{limit_bytes:,} of BusOptions.max_data_bytes. Write it to storage that all of them "
            f"reach and read it in the objective, or raise BusOptions(max_data_bytes=...)"
        )
