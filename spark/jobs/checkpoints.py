"""The checkpoints of queries: from where Spark would go on, and which snapshots it then needs.

Spark writes down where a batch ends before it reads it, and that it is done after its commit. A
batch that is not known as done is read again, from where the one before it ended. So the last two
files of a stream's offsets count, whether a process runs on the checkpoint or not.
"""

from __future__ import annotations

import json

from pyspark.sql import SparkSession

from positions import Positions, parse_positions
from tables import BRONZE_FRAMES, BRONZE_TRADES, Table

#: Bronze table -> the queries that read it, by the names of their folders among the checkpoints.
READERS = {BRONZE_TRADES: ("refine",), BRONZE_FRAMES: ("silver_frames",)}
_FILES_NEEDED = 2


def next_offsets(session: SparkSession, checkpoint: str) -> Positions | None:
    """Return the offsets that a query of Kafka reads next, None without a checkpoint.

    Raises:
        ValueError: the checkpoint's files are not what Spark writes.

    """
    planned = _batches(session, f"{checkpoint}/offsets")
    if not planned:
        return None
    newest = max(planned)
    if newest in _batches(session, f"{checkpoint}/commits"):
        return _positions_in(session, f"{checkpoint}/offsets/{newest}")
    if newest - 1 in planned:
        return _positions_in(session, f"{checkpoint}/offsets/{newest - 1}")
    return _positions_in(session, f"{checkpoint}/sources/0/0")


def drop_checkpoint(session: SparkSession, checkpoint: str) -> None:
    """Remove a checkpoint; one that is not there is no error."""
    path = session._jvm.org.apache.hadoop.fs.Path(checkpoint)
    path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf()).delete(path, True)


def needed_snapshots(session: SparkSession, checkpoint_dir: str, table: Table) -> frozenset[int]:
    """Return the snapshots of a table from which a stream may have to go on."""
    found: set[int] = set()
    for query in READERS.get(table, ()):
        folder = f"{checkpoint_dir}/{query}/offsets"
        for batch in sorted(_batches(session, folder))[-_FILES_NEEDED:]:
            found |= snapshots_in(_text_of(session, f"{folder}/{batch}"))
    return frozenset(found)


def snapshots_in(text: str) -> frozenset[int]:
    """Return the snapshots that an offset file names; a stream at its very beginning names none."""
    found = set()
    for line in text.splitlines():
        try:
            offset = json.loads(line)
        except ValueError:
            # The first line is the file's version.
            continue
        if isinstance(offset, dict) and offset.get("snapshot_id", -1) != -1:
            found.add(offset["snapshot_id"])
    return frozenset(found)


def _batches(session: SparkSession, folder: str) -> set[int]:
    path = session._jvm.org.apache.hadoop.fs.Path(folder)
    files = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
    if not files.exists(path):
        return set()
    names = (status.getPath().getName() for status in files.listStatus(path))
    return {int(name) for name in names if name.isdigit()}


def _positions_in(session: SparkSession, file: str) -> Positions:
    """Read offsets: the last line of a file that Spark wrote."""
    lines = _text_of(session, file).strip().splitlines()
    if not lines:
        raise ValueError(f"{file} is empty: remove the checkpoint's folder and start again")
    return parse_positions(lines[-1])


def _text_of(session: SparkSession, file: str) -> str:
    jvm = session._jvm
    path = jvm.org.apache.hadoop.fs.Path(file)
    files = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
    stream = files.open(path)
    try:
        text: str = jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
    finally:
        stream.close()
    return text
