"""Goal: a lake that is kept in order holds the same rows, and whoever reads it goes on exactly.

Method: real Iceberg tables with commits of a few rows, thresholds small enough that these need
something done, and instants given by the test; a real stream reads while its table is maintained.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from compaction_plan import DAY_MS, HOUR_MS, Compaction
from lake import Lake
from maintenance import Limits, Maintenance
from maintenance_report import TableReport
from retention_plan import RETAINED_FROM, Retention
from snapshots import consumed, recording
from table_files import load, set_properties
from tables import (
    BRONZE_DEAD_LETTERS,
    BRONZE_TRADES,
    GOLD_OHLCV,
    GOLD_TRADES,
    SILVER_COVERAGE,
    SILVER_TRADES,
    TABLES,
    Table,
    properties,
)

#: Far enough ahead that no snapshot of the test is too young to go.
LATER_MS = int(time.time() * 1000) + 2 * HOUR_MS
#: Of the day that is then open, whatever the time of day is now.
NOON_MS = LATER_MS // DAY_MS * DAY_MS + DAY_MS // 2
SMALL = Compaction(open_files_max=3, settle_ms=HOUR_MS)


def land(lake: Lake, offsets: range, days_ago: int = 0, table: Table = BRONZE_TRADES) -> None:
    """Append records of a day in one commit, as Bronze's query would."""
    lake.spark.sql(
        f"INSERT INTO {table.path} SELECT 'trades', 0, id,"
        f" timestamp_millis({NOON_MS - days_ago * DAY_MS} + id), NULL, X'00'"
        f" FROM range({offsets.start}, {offsets.stop}, 1, 1)"
    )


def take(lake: Lake, table: Table, next_offset: int) -> None:
    """Commit to a table that it has consumed Bronze up to an offset."""
    with recording(lake.spark, {"trades": {0: next_offset}}):
        lake.spark.table(table.path).limit(0).writeTo(table.path).append()


def offsets_of(lake: Lake, table: Table) -> list[int]:
    rows = lake.spark.sql(f"SELECT offset FROM {table.path} ORDER BY 1").collect()
    return [row.offset for row in rows]


def maintain(
    lake: Lake,
    *tables: Table,
    now_ms: int = LATER_MS,
    checkpoints: object = "/none",
    **limits: object,
) -> dict[str, TableReport]:
    given = Limits(**{"compaction": SMALL, **limits})  # type: ignore[arg-type]
    reports = Maintenance(lake.spark, str(checkpoints), given).run(now_ms, tables or TABLES)
    assert [report.failure for report in reports if report.failure] == []
    return {report.table: report for report in reports}


def snapshot_ids(lake: Lake, table: Table) -> list[int]:
    return [
        row.snapshot_id
        for row in lake.spark.sql(
            f"SELECT snapshot_id FROM {table.path}.snapshots ORDER BY committed_at"
        ).collect()
    ]


def test_small_files_are_joined_and_every_row_stays(lake: Lake) -> None:
    for number in range(5):
        land(lake, range(number * 10, number * 10 + 10))
        land(lake, range(100 + number * 10, 110 + number * 10), days_ago=2)
    land(lake, range(200, 210), days_ago=3)
    rows = lake.rows("bronze.trades", "offset")

    (report,) = maintain(lake, BRONZE_TRADES).values()

    assert (report.before.files, report.after.files) == (11, 3)
    assert report.rewritten_files == 10
    assert report.after.bytes < report.before.bytes
    assert lake.rows("bronze.trades", "offset") == rows
    # What is in order is left alone.
    (report,) = maintain(lake, BRONZE_TRADES).values()
    assert (report.rewritten_files, report.before) == (0, report.after)


def test_a_thread_of_its_own_can_do_it(lake: Lake) -> None:
    for number in range(4):
        land(lake, range(number, number + 1))
    reports: list[TableReport] = []

    thread = threading.Thread(target=lambda: reports.extend(maintain(lake, BRONZE_TRADES).values()))
    thread.start()
    thread.join()

    assert [report.rewritten_files for report in reports] == [4]


def test_an_open_day_is_left_alone_until_it_has_many_files(lake: Lake) -> None:
    for number in range(3):
        land(lake, range(number, number + 1))
        # Closed, but written to just now.
        land(lake, range(number + 10, number + 11), days_ago=2)

    (report,) = maintain(lake, BRONZE_TRADES, now_ms=int(time.time() * 1000)).values()
    assert report.rewritten_files == 0

    land(lake, range(20, 21))
    (report,) = maintain(lake, BRONZE_TRADES, now_ms=int(time.time() * 1000)).values()
    assert (report.rewritten_files, report.after.files) == (4, 4)


def test_a_run_does_a_bounded_amount_and_the_next_one_the_rest(lake: Lake) -> None:
    for days in (2, 3):
        for number in range(4):
            land(lake, range(days * 10 + number, days * 10 + number + 1), days_ago=days)
    bounded = Compaction(run_bytes_max=1)

    (report,) = maintain(lake, BRONZE_TRADES, compaction=bounded).values()

    assert report.rewritten_files == 4
    assert report.skipped == ["partitions that wait for the next run to join their files: 1"]
    (report,) = maintain(lake, BRONZE_TRADES).values()
    assert (report.after.files, report.skipped) == (2, [])


def test_hours_of_trades_and_days_of_bars_are_joined(lake: Lake) -> None:
    for table in (GOLD_TRADES, GOLD_OHLCV):
        names = lake.spark.table(table.path).columns
        values = {
            "exchange_date": "DATE '2026-08-26'",
            "exchange_hour": "5",
            "interval": "'1m'",
            "window_start": "TIMESTAMP '2026-08-26 05:00:00Z'",
        }
        selected = ", ".join(f"{values.get(name, 'NULL')} AS `{name}`" for name in names)
        for _ in range(2):
            lake.spark.sql(f"INSERT INTO {table.path} SELECT {selected}")
        later_ms = max(LATER_MS, 1_787_875_200_000)

        (report,) = maintain(lake, table, now_ms=later_ms).values()

        assert (report.before.files, report.after.files) == (2, 1)
        assert lake.spark.table(table.path).count() == 2


def test_a_table_without_partitions_is_joined_under_the_lock(lake: Lake) -> None:
    for number in range(4):
        lake.spark.sql(
            f"INSERT INTO {SILVER_COVERAGE.path}"
            f" SELECT 'kraken', 'BTC/USD', {number}, NULL, 1, NULL"
        )
    held: list[str] = []

    @contextmanager
    def lock() -> Iterator[None]:
        held.append("held")
        yield

    run = Maintenance(lake.spark, "/none", Limits(compaction=SMALL), lock)
    (report,) = run.run(LATER_MS, [SILVER_COVERAGE])

    assert (report.failure, report.after.files, held) == (None, 1, ["held"])
    assert lake.spark.table(SILVER_COVERAGE.path).count() == 4


def test_young_snapshots_stay_and_old_ones_go_with_their_files(lake: Lake) -> None:
    # Tables that were dropped leave their files.
    data = _folder(lake, BRONZE_TRADES) / "data"
    strange = set(data.glob("**/*.parquet"))
    for number in range(4):
        land(lake, range(number, number + 1))

    (report,) = maintain(lake, BRONZE_TRADES, now_ms=int(time.time() * 1000)).values()
    # Compaction adds one.
    assert (report.before.snapshots, report.after.snapshots) == (4, 5)
    assert len({*data.glob("**/*.parquet")} - strange) == 5

    # Files go with the snapshot that has replaced them.
    land(lake, range(4, 5))
    (report,) = maintain(lake, BRONZE_TRADES).values()
    assert report.after.snapshots == 1
    assert 0 < report.after.metadata_bytes < report.before.metadata_bytes
    assert len({*data.glob("**/*.parquet")} - strange) == 2
    assert offsets_of(lake, BRONZE_TRADES) == [0, 1, 2, 3, 4]


def test_positions_outlive_the_expiry_of_what_recorded_them(lake: Lake) -> None:
    for table in (SILVER_TRADES, GOLD_TRADES, GOLD_OHLCV):
        take(lake, table, 10)
    take(lake, SILVER_TRADES, 20)
    # A batch that was cut off before its bars, and begun anew, as often as it likes.
    take(lake, GOLD_TRADES, 20)
    take(lake, GOLD_TRADES, 20)
    for table in (SILVER_TRADES, GOLD_TRADES, GOLD_OHLCV):
        set_properties(load(lake.spark, table), {"note": "a commit"})
        lake.spark.table(table.path).limit(0).writeTo(table.path).append()

    maintain(lake)

    assert consumed(lake.spark, SILVER_TRADES) == {"trades": {0: 20}}
    assert consumed(lake.spark, GOLD_OHLCV) == {"trades": {0: 10}}
    # Bars are compared with the trades of their own positions.
    assert lake.snapshots("gold.trades")[0] == {"trades": {"0": 10}}
    assert lake.snapshots("silver.trades")[0] == {"trades": {"0": 20}}


def test_expiry_goes_on_where_a_run_has_stopped(lake: Lake) -> None:
    for number in range(6):
        land(lake, range(number, number + 1))
    nothing = Compaction(open_files_max=100)

    (report,) = maintain(lake, BRONZE_TRADES, compaction=nothing, snapshots_per_run_max=2).values()
    assert report.after.snapshots == 4
    (report,) = maintain(lake, BRONZE_TRADES, compaction=nothing).values()
    assert report.after.snapshots == 1


class Reader:
    """A stream from bronze.trades into another table."""

    def __init__(self, spark: SparkSession, checkpoints: Path) -> None:
        self._spark = spark
        self._checkpoint = checkpoints / "refine"
        self._query: StreamingQuery | None = None

    def start(self) -> None:
        """Start, or go on."""
        self._query = (
            self._spark.readStream.format("iceberg")
            .option("streaming-max-rows-per-micro-batch", "7")
            .option("streaming-skip-delete-snapshots", "true")
            .option("streaming-skip-overwrite-snapshots", "true")
            .load(BRONZE_TRADES.path)
            .writeStream.format("iceberg")
            .option("checkpointLocation", str(self._checkpoint))
            .option("fanout-enabled", "true")
            .trigger(processingTime="100 milliseconds")
            .toTable(BRONZE_DEAD_LETTERS.path)
        )

    def read_all(self) -> None:
        """Read what there is."""
        assert self._query is not None
        self._query.processAllAvailable()

    def stop(self) -> None:
        """Stand still."""
        if self._query is not None:
            self._query.stop()


@pytest.fixture
def reader(spark: SparkSession, lake: Lake, tmp_path: Path) -> Iterator[Reader]:
    assert lake
    made = Reader(spark, tmp_path)
    yield made
    made.stop()


@pytest.mark.parametrize("begins_on_an_empty_table", [True, False])
def test_a_stream_over_a_table_that_is_maintained_stays_exact(
    lake: Lake, reader: Reader, tmp_path: Path, *, begins_on_an_empty_table: bool
) -> None:
    if not begins_on_an_empty_table:
        land(lake, range(5), days_ago=9)
    reader.start()
    if begins_on_an_empty_table:
        land(lake, range(5), days_ago=9)
    for number in range(1, 5):
        land(lake, range(number * 5, number * 5 + 5))
    reader.read_all()
    take(lake, SILVER_TRADES, 25)

    # While it runs: the old day goes, and the files are joined. Which snapshots expire depends on
    # the batches that the stream has made.
    (report,) = maintain(lake, BRONZE_TRADES, checkpoints=tmp_path).values()
    assert (report.rows_deleted, report.rewritten_files) == (5, 4)
    land(lake, range(25, 30))
    reader.read_all()
    reader.stop()

    # While it stands still: what it has not read yet stays for it.
    for number in range(6, 11):
        land(lake, range(number * 5, number * 5 + 5))
    (report,) = maintain(lake, BRONZE_TRADES, checkpoints=tmp_path).values()
    assert report.rewritten_files > 0
    land(lake, range(55, 60))
    (report,) = maintain(lake, BRONZE_TRADES, checkpoints=tmp_path).values()

    reader.start()
    reader.read_all()
    assert offsets_of(lake, BRONZE_DEAD_LETTERS) == list(range(60))
    assert offsets_of(lake, BRONZE_TRADES) == list(range(5, 60))


def test_whole_days_go_and_the_table_says_from_when_on_it_is_whole(lake: Lake) -> None:
    for days in (0, 6, 7, 8, 9):
        land(lake, range(days * 10, days * 10 + 3), days_ago=days, table=BRONZE_DEAD_LETTERS)

    (report,) = maintain(lake, BRONZE_DEAD_LETTERS).values()

    assert (report.rows_deleted, report.skipped) == (6, [])
    assert offsets_of(lake, BRONZE_DEAD_LETTERS) == [0, 1, 2, 60, 61, 62, 70, 71, 72]
    assert _retained_from(lake, BRONZE_DEAD_LETTERS) == _day(7)
    # Nothing but metadata was written.
    summary = load(lake.spark, BRONZE_DEAD_LETTERS).currentSnapshot().summary()
    assert (summary.get("deleted-data-files"), summary.get("added-data-files")) == ("2", None)

    # A longer time brings nothing back, so that the table goes on to say the same.
    land(lake, range(200, 203), days_ago=30, table=BRONZE_DEAD_LETTERS)
    keep = Retention(bronze_days=20)
    (report,) = maintain(lake, BRONZE_DEAD_LETTERS, retention=keep).values()
    assert report.rows_deleted == 3
    assert _retained_from(lake, BRONZE_DEAD_LETTERS) == _day(7)


def test_what_a_later_layer_has_not_taken_stays(lake: Lake) -> None:
    land(lake, range(10), days_ago=9)

    (report,) = maintain(lake, BRONZE_TRADES).values()
    assert report.skipped == ["silver.trades has taken nothing of it yet"]
    take(lake, SILVER_TRADES, 7)
    (report,) = maintain(lake, BRONZE_TRADES).values()
    assert report.skipped == ["3 old rows wait for silver.trades to take them"]
    assert _retained_from(lake, BRONZE_TRADES) is None
    assert report.rows_deleted == 0

    take(lake, SILVER_TRADES, 10)
    (report,) = maintain(lake, BRONZE_TRADES).values()
    assert (report.rows_deleted, report.skipped) == (10, [])


def test_silver_goes_once_gold_has_it_and_a_month_after_it_came(lake: Lake) -> None:
    names = lake.spark.table(SILVER_TRADES.path).columns
    for offset, traded, came in ((0, 40, 40), (1, 40, 2), (2, 2, 2)):
        values = {
            "topic": "'trades'",
            "partition": "0",
            "offset": str(offset),
            "timestamp": f"timestamp_millis({NOON_MS - traded * DAY_MS})",
            "kafka_timestamp": f"timestamp_millis({NOON_MS - came * DAY_MS})",
        }
        selected = ", ".join(f"{values.get(name, 'NULL')} AS `{name}`" for name in names)
        lake.spark.sql(f"INSERT INTO {SILVER_TRADES.path} SELECT {selected}")
    take(lake, GOLD_TRADES, 3)
    take(lake, GOLD_OHLCV, 0)
    (report,) = maintain(lake, SILVER_TRADES).values()
    assert report.skipped == ["1 old rows wait for gold.trades and gold.ohlcv to take them"]

    take(lake, GOLD_OHLCV, 3)
    (report,) = maintain(lake, SILVER_TRADES).values()

    assert report.rows_deleted == 1
    assert offsets_of(lake, SILVER_TRADES) == [1, 2]
    (report,) = maintain(lake, SILVER_TRADES).values()
    assert (report.rows_deleted, report.skipped) == (0, [])


def test_files_that_nothing_names_go_once_a_day(lake: Lake) -> None:
    land(lake, range(3))
    folder = _folder(lake, BRONZE_TRADES)
    strangers = [folder / "data" / "left.parquet", folder / "metadata" / "left.avro"]
    for stranger in strangers:
        stranger.write_text("left by a process that was killed", encoding="utf-8")

    first = maintain(lake, BRONZE_TRADES, now_ms=int(time.time() * 1000), orphan_age_ms=0)
    assert first["bronze.trades"].orphans_removed == 0
    later_ms = LATER_MS + DAY_MS
    (report,) = maintain(lake, BRONZE_TRADES, now_ms=later_ms, orphan_age_ms=0).values()
    assert report.orphans_removed >= 2
    assert [stranger.exists() for stranger in strangers] == [False, False]
    assert offsets_of(lake, BRONZE_TRADES) == [0, 1, 2]
    for stranger in strangers:
        stranger.write_text("left by another one", encoding="utf-8")
    (report,) = maintain(lake, BRONZE_TRADES, now_ms=later_ms + 1, orphan_age_ms=0).values()
    assert report.orphans_removed == 0


def test_tables_of_an_earlier_version_get_the_properties_of_this_one(lake: Lake) -> None:
    iceberg = load(lake.spark, BRONZE_TRADES)
    name = "write.metadata.previous-versions-max"
    iceberg.updateProperties().set(name, "7").set("k2.retained_from", "kept").commit()

    set_properties(iceberg, properties(1))

    stored = dict(load(lake.spark, BRONZE_TRADES).properties())
    # Ten minutes of a commit a second, and a quarter more.
    assert stored[name] == "750"
    assert properties(10)[name] == "200"
    assert stored[RETAINED_FROM] == "kept"
    before = load(lake.spark, BRONZE_TRADES).operations().current().metadataFileLocation()
    assert before.endswith(".gz.metadata.json")
    set_properties(load(lake.spark, BRONZE_TRADES), properties(1))
    after = load(lake.spark, BRONZE_TRADES).operations().current().metadataFileLocation()
    assert after == before


def test_what_fails_in_one_table_is_told_and_the_others_go_on(lake: Lake) -> None:
    land(lake, range(3))
    data = _folder(lake, BRONZE_TRADES) / "metadata"
    for manifest in data.glob("*-m0.avro"):
        manifest.unlink()

    run = Maintenance(lake.spark, "/none", Limits(compaction=SMALL))
    failed, whole = run.run(LATER_MS, [BRONZE_TRADES, BRONZE_DEAD_LETTERS])

    assert failed.failure is not None
    assert "\n" not in failed.failure
    assert whole.failure is None
    values = whole.as_values()
    assert (values["table"], values["failure"]) == ("bronze.dead_letters", None)
    assert values["files"] == {"before": 0, "after": 0}


def _folder(lake: Lake, table: Table) -> Path:
    location: str = load(lake.spark, table).location()
    return Path(location.removeprefix("file://").removeprefix("file:"))


def _retained_from(lake: Lake, table: Table) -> str | None:
    text: str | None = load(lake.spark, table).properties().get(RETAINED_FROM)
    return text


def _day(days_ago: int) -> str:
    day = time.gmtime((LATER_MS - days_ago * DAY_MS) / 1000)
    return time.strftime("%Y-%m-%dT00:00:00Z", day)
