"""Prepares the data of a run for the workers: collects it and checks its size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from asha_bus.core.errors import InvalidArgument


def gather(
    data: Mapping[str, Any], limit_bytes: int, dumps: Callable[[Any], bytes]
) -> dict[str, Any]:
    """``data`` as it is sent: a Spark DataFrame becomes an Arrow table, and its size is printed.

    ``dumps``: pickles an object for the workers.
    Raises `InvalidArgument` for a value that is larger than ``limit_bytes``, or that cannot
    be collected or pickled.
    """
    return {name: _gather(name, value, limit_bytes, dumps) for name, value in data.items()}


def _gather(name: str, value: Any, limit_bytes: int, dumps: Callable[[Any], bytes]) -> Any:
    if not _is_spark_frame(value):
        _check_size(name, _size(name, value, dumps), limit_bytes)
        return value
    _check_size(name, _estimate(value), limit_bytes)
    try:
        table = value.toArrow()
    except ImportError as error:
        raise InvalidArgument(
            f"data[{name!r}] is a Spark DataFrame, which is collected with pyarrow: "
            f"pip install pyarrow"
        ) from error
    except AttributeError as error:
        raise InvalidArgument(
            f"data[{name!r}] is a DataFrame of Spark before 4.0, which cannot be collected as "
            f"Arrow; pass {name}.toPandas()"
        ) from error
    _check_size(name, table.nbytes, limit_bytes)
    with contextlib.suppress(OSError, ValueError):  # nobody reads, or stdout is closed
        print(f"data {name}: {table.num_rows:,} rows, {table.nbytes / 1e6:,.1f} MB", flush=True)
    return table


def _is_spark_frame(value: Any) -> bool:
    cls = type(value)
    return cls.__module__.startswith("pyspark.sql") and cls.__name__ == "DataFrame"


def _estimate(frame: Any) -> int:
    """Spark's estimate of the size of ``frame`` in bytes; 0 if it has none.

    Without statistics, Spark estimates the largest possible number.
    """
    try:
        size = int(frame._jdf.queryExecution().optimizedPlan().stats().sizeInBytes().toString())
    except Exception:  # private API of Spark, which may change in any release
        return 0
    return 0 if size >= 2**62 else size


def _size(name: str, value: Any, dumps: Callable[[Any], bytes]) -> int:
    """The size of ``value`` in bytes: its own figure for arrays and tables, else pickled."""
    usage = getattr(value, "memory_usage", None)
    if callable(usage):  # a DataFrame or Series of pandas
        found = usage(deep=True)
        return int(getattr(found, "sum", lambda: found)())
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    try:
        return len(dumps(value))
    except Exception as error:  # pickling runs user code, which may raise anything
        raise InvalidArgument(
            f"data[{name!r}] cannot be sent to the workers: it is a {type(value).__name__}, which "
            f"cannot be pickled ({error})"
        ) from error


def _check_size(name: str, size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise InvalidArgument(
            f"data[{name!r}] has {size:,} bytes, which every executor would load; the limit is "
            f"{limit_bytes:,}. Write it to storage that all executors can reach and read it in "
            f"the objective, or raise BusOptions(max_data_bytes=...)"
        )
