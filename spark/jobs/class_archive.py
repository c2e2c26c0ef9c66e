"""Makes the archive of classes that the driver starts from: loading them takes a third of a start.

A small lake is made in a temporary folder and refined once, so that the JVM has loaded what a
driver needs; as it ends it writes them into a file. A JVM that is given the file, but is of another
version or finds a jar changed, loads its classes as ever.

    python class_archive.py JARS_DIR
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from bronze import bronze_rows
from config import Config
from kafka_offsets import KafkaOffsets
from refine import Refinery
from session import CLASS_ARCHIVE, jvm, open_session
from tables import BRONZE_TRADES, SILVER_TRADES, definitions

#: Where no broker is.
NOWHERE = "127.0.0.1:9"
#: The JVM writes for some ten seconds as it ends.
END_S_MAX = 300


class NoSchemas:
    """A registry that knows no schema."""

    def schema(self, schema_id: int) -> str | None:
        """Return the text of a schema, None if there is none."""


def refine_once(session: SparkSession, folder: str) -> None:
    """Take one trade from Silver to Gold, and one invalid record from Bronze to the quarantine."""
    for definition in definitions():
        session.sql(definition)
    trade = {
        "message_id": "'exchange:A/B:1'",
        "exchange": "'exchange'",
        "native_symbol": "'A/B'",
        "trade_id": "'1'",
        "price": "CAST('1.5' AS DECIMAL(38,18))",
        "quantity": "CAST('1.5' AS DECIMAL(38,18))",
        "quote_quantity": "CAST('2.25' AS DECIMAL(38,18))",
        "timestamp": "timestamp_seconds(1500000000)",
        "kafka_timestamp": "timestamp_seconds(1500000000)",
        "topic": "'trades'",
        "partition": "0",
        "offset": "0L",
    }
    columns = (
        f"CAST({trade.get(name, 'NULL')} AS {sql_type}) AS `{name}`"
        for name, sql_type, _ in SILVER_TRADES.columns
    )
    session.sql(f"SELECT {', '.join(columns)}").writeTo(SILVER_TRADES.path).append()
    record = (
        "SELECT 'trades' AS topic, 0 AS partition, 1L AS offset,"
        " timestamp_seconds(1500000000) AS kafka_timestamp, X'00' AS key, X'0000000001' AS value"
    )
    session.sql(record).writeTo(BRONZE_TRADES.path).append()
    refinery = Refinery(session, NoSchemas(), dict)
    query = (
        bronze_rows(session, BRONZE_TRADES, 1000)
        .writeStream.foreachBatch(lambda records, _: refinery.refine(records))
        .option("checkpointLocation", f"{folder}/checkpoints")
        .start()
    )
    query.processAllAvailable()
    query.stop()
    KafkaOffsets(session, {"bootstrap.servers": NOWHERE})


def main() -> None:
    """Make the archive."""
    (jars_dir,) = sys.argv[1:]
    archive = Path(jars_dir) / CLASS_ARCHIVE
    unfinished = archive.with_suffix(".part")
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            bootstrap_servers=NOWHERE,
            trade_topics=("trades",),
            schema_registry_url=f"http://{NOWHERE}",
            catalog_uri=f"jdbc:sqlite:{folder}/catalog.db",
            warehouse=f"file://{folder}/warehouse",
            checkpoint_dir=f"{folder}/checkpoints",
            temp_dir=folder,
            jars_dir=jars_dir,
        )
        session = open_session(config, archive_to=unfinished)
        refine_once(session, folder)
        process = jvm(session)
        session.stop()
        # The JVM ends when nobody is left to tell it anything.
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(END_S_MAX)
    # A JVM that knows no archives has written none, and takes an empty one for none.
    unfinished.touch()
    unfinished.rename(archive)


if __name__ == "__main__":
    main()
