"""How many rows a second each stage of the lake takes, against what Spark itself can read.

The first line of stdin is the driver's configuration; the topics of trades hold what is measured.
Each turn begins with an empty lake and takes all of it through the very code of the driver, one
stage after the other: Kafka into a sink that keeps nothing (the ceiling), Kafka into Bronze, Bronze
into Silver, Silver into Gold. Each turn is a line of JSON on stdout: seconds by stage, and rows.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from bronze import BronzeQuery, bronze_rows, client_options
from channel import Channel
from config import Config, parse_config
from kafka_offsets import KafkaOffsets
from refine import Refinery
from registry import SchemaRegistry
from session import open_session
from tables import BRONZE_TRADES, TABLES, definitions

#: The first turn is for the compilers.
TURNS = 4

#: Which boundary of a batch ends which stage.
_ENDS = {"gold.trades": "silver", "end": "gold"}


class Turn:
    """One turn through all stages, over an empty lake."""

    def __init__(self, session: SparkSession, config: Config, number: int) -> None:
        self._session = session
        self._config = replace(config, checkpoint_dir=f"{config.checkpoint_dir}/{number}")
        self._kafka = KafkaOffsets(session, client_options(config))
        #: Seconds by stage.
        self.seconds: dict[str, float] = {"silver": 0, "gold": 0}
        for table in TABLES:
            session.sql(f"DROP TABLE IF EXISTS {table.path} PURGE")
        for definition in definitions():
            session.sql(definition)

    def run(self) -> int:
        """Take everything through every stage; return the number of rows."""
        self._read_only()
        self._land()
        self._refine()
        held = self._kafka.held(self._config.trade_topics)
        return sum(each.end - each.first for of in held.values() for each in of.values())

    def _bronze(self) -> BronzeQuery:
        topics = self._config.trade_topics
        return BronzeQuery(self._session, self._config, self._kafka, BRONZE_TRADES, topics)

    def _read_only(self) -> None:
        started = time.monotonic()
        records = self._bronze().records()
        writer = records.writeStream.format("noop").trigger(availableNow=True)
        checkpoint = f"{self._config.checkpoint_dir}/noop"
        writer.option("checkpointLocation", checkpoint).start().awaitTermination()
        self.seconds["ceiling"] = time.monotonic() - started

    def _land(self) -> None:
        started = time.monotonic()
        writer = self._bronze().writer().trigger(availableNow=True)
        writer.toTable(BRONZE_TRADES.path).awaitTermination()
        self.seconds["bronze"] = time.monotonic() - started

    def _refine(self) -> None:
        since = time.monotonic()

        def reach(boundary: str) -> None:
            nonlocal since
            stage = _ENDS.get(boundary)
            if stage is not None:
                self.seconds[stage] += time.monotonic() - since
                since = time.monotonic()

        registry = SchemaRegistry(self._config.schema_registry_url)
        refinery = Refinery(self._session, registry, dict, reach)

        def refine(records: DataFrame, _: int) -> None:
            nonlocal since
            since = time.monotonic()
            refinery.refine(records)

        rows = bronze_rows(self._session, BRONZE_TRADES, self._config.max_offsets_per_trigger)
        writer = rows.writeStream.foreachBatch(refine).trigger(availableNow=True)
        checkpoint = f"{self._config.checkpoint_dir}/refine"
        writer.option("checkpointLocation", checkpoint).start().awaitTermination()


def main() -> None:
    """Take the turns."""
    channel = Channel()
    config = parse_config(sys.stdin.readline())
    Path(config.temp_dir).mkdir(parents=True, exist_ok=True)
    session = open_session(config)
    for number in range(TURNS):
        turn = Turn(session, config, number)
        rows = turn.run()
        channel.send("turn", rows=rows, **turn.seconds)
        shutil.rmtree(f"{config.checkpoint_dir}/{number}", ignore_errors=True)
    session.stop()


if __name__ == "__main__":
    main()
