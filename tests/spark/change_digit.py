"""Changes one digit of one row of Gold, in a lake that nobody writes to.

    PYTHONPATH=spark/jobs python tests/spark/change_digit.py DATA_DIR MESSAGE_ID

The price of that trade becomes larger by the smallest number that the column can hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

from make_lake import EPSILON, spark_on
from statements import literal


def main(data_dir: Path, message_id: str) -> None:
    """Change the row of a message_id."""
    lake = data_dir / "lake"
    with spark_on(lake / "catalog.db", lake / "warehouse") as spark:
        spark.sql(
            f"UPDATE lake.gold.trades SET price = price + {EPSILON}"
            f" WHERE message_id = {literal(message_id)}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
