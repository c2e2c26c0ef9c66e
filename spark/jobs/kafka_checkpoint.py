"""The checkpoint of a query that reads Kafka: from where Spark would go on, and its removal.

Spark writes down where a batch ends before it reads it, and that it is done after its commit. A
batch that is not known as done is read again from where the one before it ended.
"""

from __future__ import annotations

from pyspark.sql import SparkSession

from positions import Positions, parse_positions


def next_offsets(session: SparkSession, checkpoint: str) -> Positions | None:
    """Return the offsets that Spark reads next, None without a checkpoint.

    Raises:
        ValueError: the checkpoint's files are not what Spark writes.

    """
    planned = _batches(session, f"{checkpoint}/offsets")
    if not planned:
        return None
    newest = max(planned)
    if newest in _batches(session, f"{checkpoint}/commits"):
        return _read(session, f"{checkpoint}/offsets/{newest}")
    if newest - 1 in planned:
        return _read(session, f"{checkpoint}/offsets/{newest - 1}")
    return _read(session, f"{checkpoint}/sources/0/0")


def drop_checkpoint(session: SparkSession, checkpoint: str) -> None:
    """Remove a checkpoint; one that is not there is no error."""
    path = session._jvm.org.apache.hadoop.fs.Path(checkpoint)
    path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf()).delete(path, True)


def _batches(session: SparkSession, folder: str) -> set[int]:
    path = session._jvm.org.apache.hadoop.fs.Path(folder)
    files = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
    if not files.exists(path):
        return set()
    names = (status.getPath().getName() for status in files.listStatus(path))
    return {int(name) for name in names if name.isdigit()}


def _read(session: SparkSession, file: str) -> Positions:
    """Read offsets: the last line of a file that Spark wrote."""
    row = session.read.text(file, wholetext=True).first()
    lines = [] if row is None else row.value.strip().splitlines()
    if not lines:
        raise ValueError(f"{file} is empty: remove the checkpoint's folder and start again")
    return parse_positions(lines[-1])
