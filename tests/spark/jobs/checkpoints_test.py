"""Goal: a snapshot from which a stream may go on is known, also while the stream does not run.

Method: offset files as Spark writes them.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from checkpoints import needed_snapshots, snapshots_in
from tables import BRONZE_EVENTS, BRONZE_TRADES


def offsets(snapshot: int) -> str:
    source = f'{{"version":1,"snapshot_id":{snapshot},"position":1,"scan_all_files":false}}'
    return f'v1\n{{"batchWatermarkMs":0,"batchTimestampMs":1,"conf":{{}}}}\n{source}'


def test_a_stream_at_its_beginning_needs_none() -> None:
    assert snapshots_in(offsets(-1)) == frozenset()
    assert snapshots_in(offsets(6_111_222_333_444_555_666)) == {6_111_222_333_444_555_666}


def test_the_last_two_batches_of_a_stream_count(spark: SparkSession, tmp_path: Path) -> None:
    assert needed_snapshots(spark, f"{tmp_path}", BRONZE_TRADES) == frozenset()
    folder = tmp_path / "refine" / "offsets"
    folder.mkdir(parents=True)
    for batch in range(8, 12):
        (folder / str(batch)).write_text(offsets(batch * 100), encoding="utf-8")
    (folder / ".11.crc").write_text("", encoding="utf-8")

    assert needed_snapshots(spark, f"{tmp_path}", BRONZE_TRADES) == {1000, 1100}
    assert needed_snapshots(spark, f"file://{tmp_path}", BRONZE_TRADES) == {1000, 1100}
    assert needed_snapshots(spark, f"{tmp_path}", BRONZE_EVENTS) == frozenset()
