"""Which snapshots of a table a stream still needs, read from the stream's checkpoint.

A stream remembers in each offset file the snapshot up to which it has read. The last batch may have
to be repeated, from where the one before it ended; so the last two files count, whether a process
runs on the checkpoint or not.
"""

from __future__ import annotations

import json

from pyspark.sql import SparkSession

from tables import BRONZE_FRAMES, BRONZE_TRADES, Table

#: Bronze table -> the queries that read it, by the names of their folders among the checkpoints.
READERS = {BRONZE_TRADES: ("refine",), BRONZE_FRAMES: ("silver_frames",)}
_FILES_NEEDED = 2


def needed_snapshots(session: SparkSession, checkpoint_dir: str, table: Table) -> frozenset[int]:
    """Return the snapshots of a table from which a stream may have to go on."""
    return frozenset(
        snapshot
        for query in READERS.get(table, ())
        for text in _last_offsets(session, f"{checkpoint_dir}/{query}/offsets")
        for snapshot in snapshots_in(text)
    )


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


def _last_offsets(session: SparkSession, folder: str) -> list[str]:
    jvm = session._jvm
    path = jvm.org.apache.hadoop.fs.Path(folder)
    files = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
    if not files.exists(path):
        return []
    names = (status.getPath().getName() for status in files.listStatus(path))
    batches = sorted(int(name) for name in names if name.isdigit())
    texts = []
    for batch in batches[-_FILES_NEEDED:]:
        stream = files.open(jvm.org.apache.hadoop.fs.Path(f"{folder}/{batch}"))
        try:
            texts.append(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()
    return texts
