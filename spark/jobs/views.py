"""Temporary views of rows that are computed once, by the job that first reads them."""

from __future__ import annotations

from pyspark.sql import DataFrame

#: Spark then also cuts the plans of views that this one is made of. Otherwise it stops at the first
#: cut, and a view that continues itself from batch to batch drags along all that it ever was.
_CUT_ALL = "spark.checkpoint.checkpointAllMarkedAncestors"


def keep_view(rows: DataFrame, name: str) -> None:
    """Make a temporary view whose rows are kept, and whose plan is cut off there.

    Args:
        rows: what the view is to hold.
        name: of the view, in the rows' session. One of that name may be what the rows come from.

    """
    rows.sparkSession.sparkContext.setLocalProperty(_CUT_ALL, "true")
    rows.localCheckpoint(eager=False).createOrReplaceTempView(name)
