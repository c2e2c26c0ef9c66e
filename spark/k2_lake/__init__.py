"""K2's lake in Python: `connect()` gives DuckDB with every table by its name: `gold.ohlcv`."""

from k2_lake.lake import LakeError, connect

__all__ = ["LakeError", "connect"]
