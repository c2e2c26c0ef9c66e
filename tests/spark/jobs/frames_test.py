"""Goal: silver.frames holds every frame of every batch once, as readable text, whatever happens.

Method: real Iceberg tables; rows of bronze.frames appended by the test and given to the refinery as
the stream gives them, and once a real stream over them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row

from avro_encoding import confluent, record
from config import Config
from frames import FRAMES, FrameRefinery, RefinedFrames, start_frames
from lake import NOON_US, Lake, Registry
from record_schema import record_schema
from registry import RegistryUnavailableError
from tables import BRONZE_FRAMES

SCHEMA_ID = 4
TOPIC = "frames"


def frame(sequence: int, **values: Any) -> dict[str, Any]:
    return {
        "frame_sequence": sequence,
        "direction": "RECEIVED",
        "kind": "MESSAGE",
        "request": None,
        "received_us": NOON_US + sequence,
        "received_monotonic_ns": sequence * 1_000,
        "frame": b'{"n":%d}' % sequence,
    } | values


def encode(frames: Sequence[Mapping[str, Any]], schema_id: int = SCHEMA_ID) -> bytes:
    session = {"exchange": "kraken", "connection_id": "kraken-1", "url": "wss://kraken/v2"}
    body = record(record_schema("frame_batch"), {**session, "frames": frames})
    return confluent(schema_id, body)


class Frames:
    """A Bronze of frames that grows by calls, and what came of it."""

    def __init__(self, lake: Lake) -> None:
        self.spark = lake.spark
        self.registry = Registry({SCHEMA_ID: json.dumps(record_schema("frame_batch"))})
        self.warnings: list[str] = []
        self._lake = lake
        self._offset = 0
        self._schema = lake.spark.table(BRONZE_FRAMES.path).schema

    def refinery(self, records_max: int = 100) -> FrameRefinery:
        """Return what a start of the query makes."""
        return FrameRefinery(
            self.spark, self.registry, self.warnings.append, records_max=records_max
        )

    def land(self, values: Iterable[bytes | None]) -> list[Row]:
        """Append records to Bronze in one commit and return them."""
        produced = datetime.fromtimestamp(NOON_US / 1e6, tz=timezone.utc)
        rows = [
            Row(TOPIC, 0, self._offset + index, produced, b"kraken-1", value)
            for index, value in enumerate(values)
        ]
        self._offset += len(rows)
        frame = self.spark.createDataFrame(rows, self._schema)
        frame.coalesce(1).writeTo(BRONZE_FRAMES.path).append()
        return frame.collect()

    def batch(self, rows: Iterable[Row]) -> DataFrame:
        """Return rows of Bronze as the stream would hand them over."""
        return self.spark.createDataFrame(list(rows), self._schema)

    def sequences(self) -> list[int]:
        """Return the frames that Silver has, by their numbers."""
        return [row.frame_sequence for row in self.rows()]

    def rows(self) -> list[Row]:
        """Return the rows of silver.frames."""
        return self._lake.rows("silver.frames", "frame_sequence")

    def positions(self) -> list[Any]:
        """Return what each commit says it has consumed."""
        return self._lake.snapshots("silver.frames")


@pytest.fixture
def frames(lake: Lake) -> Frames:
    return Frames(lake)


def test_frames_stand_as_text_with_where_they_came_from(frames: Frames) -> None:
    page = frame(2, kind="PAGE", direction="SENT", request="GET https://kraken/trades")
    rows = frames.land([encode([frame(0), frame(1, frame=b"a\xff\xc3\xa9\x00")]), encode([page])])

    refined = frames.refinery().refine(frames.batch(rows))

    assert (refined.rows, refined.frames) == (2, 3)
    first, second, third = frames.rows()
    assert (first.exchange, first.connection_id, first.url) == (
        *("kraken", "kraken-1"),
        "wss://kraken/v2",
    )
    assert (first.direction, first.kind, first.request) == ("RECEIVED", "MESSAGE", None)
    assert (third.direction, third.kind, third.request) == (
        *("SENT", "PAGE"),
        "GET https://kraken/trades",
    )
    assert [row.frame for row in (first, second, third)] == ['{"n":0}', "a�é\0", '{"n":2}']
    assert second.received_us.timestamp() * 1e6 == pytest.approx(NOON_US + 1)
    assert second.received_monotonic_ns == 1_000
    assert [row.offset for row in (first, second, third)] == [0, 0, 1]


def test_what_cannot_be_decoded_is_counted_and_stops_nothing(frames: Frames) -> None:
    far = encode([frame(7, received_us=253_402_300_800_000_000)])
    refinery = frames.refinery()
    values = [b"", None, encode([frame(1)], schema_id=99), encode([frame(2)]), far]
    refinery.refine(frames.batch(frames.land(values)))
    refinery.refine(frames.batch(frames.land([encode([frame(3)])[:-9], encode([])])))

    assert frames.sequences() == [2]
    assert refinery.undecodable == 5
    assert frames.positions() == [{TOPIC: {"0": 5}}, {TOPIC: {"0": 7}}]
    (warning,) = frames.warnings
    assert "frames/0 at 0" in warning


def test_a_batch_that_comes_again_or_with_a_hole_is_taken_once(frames: Frames) -> None:
    rows = frames.land([encode([frame(n)]) for n in range(8)])
    refinery = frames.refinery()
    refinery.refine(frames.batch(rows[:3]))
    again = refinery.refine(frames.batch(rows[:2]))
    # A file that is handed over before an earlier one, and then the earlier one.
    early = refinery.refine(frames.batch(rows[6:]))
    late = frames.refinery().refine(frames.batch(rows[3:6]))

    assert (again.rows, early.rows, late.rows) == (0, 5, 0)
    assert frames.sequences() == list(range(8))


def test_a_hole_larger_than_a_batch_is_taken_in_portions(frames: Frames) -> None:
    rows = frames.land([encode([frame(n)]) for n in range(10)])

    refined = frames.refinery(4).refine(frames.batch(rows[9:]))

    assert (refined.rows, refined.frames) == (10, 10)
    assert frames.sequences() == list(range(10))
    assert frames.positions() == [{TOPIC: {"0": end}} for end in (4, 8, 10)]


def test_a_registry_that_is_away_keeps_what_is_done(frames: Frames) -> None:
    rows = frames.land([encode([frame(1)])])
    answering = frames.registry.schema

    def away(schema_id: int) -> str:
        raise RegistryUnavailableError(str(schema_id))

    frames.registry.schema = away  # type: ignore[method-assign]
    refinery = frames.refinery()
    with pytest.raises(RegistryUnavailableError):
        refinery.refine(frames.batch(rows))
    frames.registry.schema = answering  # type: ignore[method-assign]
    refinery.refine(frames.batch(rows))

    assert frames.sequences() == [1]


def test_the_query_goes_on_without_its_checkpoint(frames: Frames, tmp_path: Path) -> None:
    pools: list[str | None] = []
    reports: list[RefinedFrames] = []

    def report(_: int, refined: RefinedFrames, __: float) -> None:
        pools.append(frames.spark.sparkContext.getLocalProperty("spark.scheduler.pool"))
        reports.append(refined)

    for turn in range(2):
        frames.land([encode([frame(2 * turn)])])
        frames.land([encode([frame(2 * turn + 1)])])
        config = Config(
            bootstrap_servers="",
            trade_topics=("trades",),
            schema_registry_url="",
            catalog_uri="",
            warehouse="",
            checkpoint_dir=f"{tmp_path}/{turn}",
            temp_dir="/",
            jars_dir="/",
        )
        query = start_frames(frames.spark, config, frames.refinery(), 0.1, report)
        query.processAllAvailable()
        query.stop()

    assert frames.sequences() == list(range(4))
    assert sum(refined.rows for refined in reports) == 4
    assert set(pools) == {FRAMES}
    assert frames.spark.sparkContext.getLocalProperty("spark.scheduler.pool") is None
