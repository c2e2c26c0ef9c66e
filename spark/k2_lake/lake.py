"""Opens the lake with DuckDB. Every table is a view, and nothing writes through a view.

Which tables there are and where each one's current metadata stands comes from the catalog (an
Iceberg JDBC catalog in SQLite), never from guessing a version out of file names. The catalog is
read once, and every view is bound to the snapshot that was current then: a notebook gives the same
answer until it connects again. gold.ohlcv may be one batch behind gold.trades.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb

_DATA_DIR = ".k2"
_MEMORY_LIMIT = "1GB"
_THREADS = 2
_BUSY_TIMEOUT_S = 15
#: The table whose commits are told of.
_COMMITS_OF = ("gold", "trades")
#: So many commits are told of, the newest ones: some hours of them.
_COMMITS_MAX = 5000
#: Where a snapshot's summary says what it has consumed.
_CONSUMED = "k2.consumed"


class LakeError(Exception):
    """There is no lake, or it cannot be read. The text says what to do."""


@dataclass(frozen=True)
class _Table:
    namespace: str
    name: str
    #: The current metadata file, an absolute path.
    metadata: str
    #: None: no row was ever written.
    snapshot_id: int | None
    #: committed_at in milliseconds since 1970, topic, partition, next_offset; oldest first.
    commits: Sequence[tuple[int, str, int, int]]


def connect(data_dir: str | os.PathLike[str] | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection with a view for every table of the lake, such as `gold.ohlcv`.

    The table `k2.commits` says when Spark committed to gold.trades, and how far it had come:
    `committed_at`, `topic`, `partition`, `next_offset`, of the last snapshots that there are.

    While a platform runs, connect again after some minutes: it keeps old metadata for no longer.

    Args:
        data_dir: the platform's data directory; K2_DATA_DIR or `.k2` without one.

    Raises:
        LakeError: there is no lake there, or it cannot be read.

    """
    folder = Path(data_dir or os.environ.get("K2_DATA_DIR") or _DATA_DIR).expanduser().resolve()
    tables = _read_tables(_catalog(folder))
    connection = duckdb.connect(
        config={
            "memory_limit": _MEMORY_LIMIT,
            "threads": _THREADS,
            # Else it spills into the folder that a notebook happens to run in.
            "temp_directory": str(folder / "duckdb" / str(os.getpid())),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    for extension in ("avro", "iceberg"):
        connection.execute(f"LOAD {_text(str(_extension(extension)))}")
    connection.execute("SET TimeZone = 'UTC'")
    _add_commits(connection, tables)
    for table in tables:
        schema, name = _identifier(table.namespace), _identifier(table.name)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(f"CREATE VIEW {schema}.{name} AS {_rows(table)}")
    return connection


def _catalog(data_dir: Path) -> Path:
    uri = os.environ.get("K2_CATALOG_URI", "").strip()
    if not uri:
        return data_dir / "lake" / "catalog.db"
    match = re.match(r"jdbc:sqlite:(/[^?]*)", uri)
    if match is None:
        raise LakeError(
            "K2_CATALOG_URI names a catalog that cannot be read here: it must be jdbc:sqlite: with"
            " an absolute path, or unset"
        )
    return Path(match[1])


def _read_tables(catalog: Path) -> Sequence[_Table]:
    no_lake = LakeError(
        f"There is no lake yet ({catalog} holds no table): run 'bun run start' and wait for its"
        " first bars, or set K2_DATA_DIR"
    )
    if not catalog.exists():
        raise no_lake
    try:
        address = f"{catalog.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S)) as connection:
            rows = connection.execute(
                "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables"
                " WHERE metadata_location IS NOT NULL ORDER BY 1, 2"
            ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            raise no_lake from error
        raise LakeError(f"Cannot read the catalog {catalog}: {error}") from error
    if not rows:
        raise no_lake
    return [_read_table(*row) for row in rows]


def _read_table(namespace: str, name: str, location: str) -> _Table:
    path = _path(location)
    try:
        content = Path(path).read_bytes()
        # Iceberg names packed metadata so; what an earlier version wrote is plain.
        packed = path.endswith(".gz.metadata.json")
        metadata = json.loads(gzip.decompress(content) if packed else content)
    except (OSError, EOFError, ValueError) as error:
        raise LakeError(
            f"Cannot read the metadata of {namespace}.{name}: {error}; the lake has changed or lost"
            " files, so connect again, and if it stays, restore the lake"
        ) from error
    current = metadata.get("current-snapshot-id")
    snapshot_id = None if current in (None, -1) else int(current)
    commits = _commits(metadata) if (namespace, name) == _COMMITS_OF else ()
    return _Table(namespace, name, path, snapshot_id, commits)


def _commits(metadata: dict[str, Any]) -> Sequence[tuple[int, str, int, int]]:
    return [
        (snapshot["timestamp-ms"], topic, int(partition), next_offset)
        for snapshot in metadata.get("snapshots", ())[-_COMMITS_MAX:]
        for topic, partitions in json.loads(
            snapshot.get("summary", {}).get(_CONSUMED, "{}")
        ).items()
        for partition, next_offset in partitions.items()
    ]


def _add_commits(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Table]) -> None:
    connection.execute("CREATE SCHEMA k2")
    connection.execute(
        "CREATE TABLE k2.commits (committed_at TIMESTAMPTZ, topic VARCHAR,"
        ' "partition" INTEGER, next_offset BIGINT)'
    )
    rows = ", ".join(
        f"(make_timestamptz({committed_ms * 1000}), {_text(topic)}, {partition}, {next_offset})"
        for table in tables
        for committed_ms, topic, partition, next_offset in table.commits
    )
    if rows:
        connection.execute(f"INSERT INTO k2.commits VALUES {rows}")


def _rows(table: _Table) -> str:
    if table.snapshot_id is None:
        return f"SELECT * FROM iceberg_scan({_text(table.metadata)}) WHERE false"
    snapshot = f"snapshot_from_id => {table.snapshot_id}"
    return f"SELECT * FROM iceberg_scan({_text(table.metadata)}, {snapshot})"


def _extension(name: str) -> Path:
    """Return the extension's file in the package that brings it."""
    package = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else spec.submodule_search_locations or []
    for folder in folders:
        found = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if found.exists():
            return found
    raise LakeError(
        f"DuckDB {duckdb.__version__} has no extension {name} here: install"
        " spark/k2_lake/requirements.txt into this Python"
    )


def _path(location: str) -> str:
    """Return the path of `file:/path`, `file:///path` or a plain path."""
    if location.startswith("/"):
        return location
    parts = urlsplit(location)
    if parts.scheme != "file":
        raise LakeError(f"{location} is not a local file: only local files can be read here")
    return unquote(parts.path)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
