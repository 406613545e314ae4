"""A Spark session of this machine, with as many slots as workers are asked for."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


def session(workers: int) -> Any:
    """The session; a first job has started its Python workers."""
    builder: Any = SparkSession.builder
    spark = (
        builder.master(f"local[{workers}]")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.parallelize(range(workers), workers).map(abs).count()
    return spark
