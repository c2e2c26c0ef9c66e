"""K2's lake in Python: every table by its name, in DuckDB.

    from k2_lake import connect
    connect().sql("SELECT * FROM gold.ohlcv WHERE interval = '1m' LIMIT 5")
"""

from k2_lake.lake import LakeError, connect

__all__ = ["LakeError", "connect"]
