"""Goal: Python reads the lake as the platform's own commands do, exactly and pinned.

Method: a real lake that Spark's own code wrote, in the state of its catalog's copy.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from k2_lake import LakeError, connect


@pytest.fixture
def whole(lakes: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect(lakes / "whole")) as connection:
        yield connection


def test_every_table_is_there_by_its_name(whole: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT table_schema || '.' || table_name FROM information_schema.tables ORDER BY 1"
    assert [name for (name,) in whole.execute(query).fetchall()] == [
        *("bronze.dead_letters", "bronze.events", "bronze.frames", "bronze.trades"),
        *("gold.ohlcv", "gold.trades", "k2.commits"),
        *("silver.coverage", "silver.frames", "silver.gaps"),
        *("silver.quarantine", "silver.sessions", "silver.trades"),
    ]


def test_decimals_and_times_are_exact(whole: duckdb.DuckDBPyConnection) -> None:
    query = (
        "SELECT price, quantity, quote_quantity, epoch_us(timestamp), timestamp FROM gold.trades"
        " WHERE message_id = 'binance:SHIBBTC:3'"
    )
    price, quantity, product, timestamp_us, timestamp = whole.execute(query).fetchone()
    assert (price, quantity) == (Decimal("1.000000001"), Decimal("0.999999999"))
    assert product == price * quantity == Decimal("0.999999999999999999")
    assert timestamp_us == 1_787_745_603_000_000
    assert timestamp.isoformat() == "2026-08-26T12:00:03+00:00"


def test_commits_say_when_gold_had_come_how_far(whole: duckdb.DuckDBPyConnection) -> None:
    query = (
        'SELECT "partition", max(next_offset), min(committed_at) > now() - INTERVAL 1 HOUR'
        " FROM k2.commits GROUP BY ALL ORDER BY ALL"
    )
    assert whole.execute(query).fetchall() == [(0, 1044, True), (1, 20, True)]


def test_a_connection_stays_at_its_snapshot(lakes: Path, tmp_path: Path) -> None:
    shutil.copytree(lakes / "before_gold.trades", tmp_path / "data")
    count = "SELECT count(*) FROM gold.trades"
    with closing(connect(tmp_path / "data")) as connection:
        shutil.copy(lakes / "whole/lake/catalog.db", tmp_path / "data/lake/catalog.db")
        assert connection.execute(count).fetchone() == (1002,)
    with closing(connect(tmp_path / "data")) as connection:
        assert connection.execute(count).fetchone() == (1062,)


def test_an_empty_lake_has_its_columns(lakes: Path) -> None:
    with closing(connect(lakes / "empty")) as connection:
        assert connection.execute("SELECT vwap, is_complete FROM gold.ohlcv").fetchall() == []


def test_nothing_writes_through_a_view(whole: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error):
        whole.execute("DELETE FROM gold.ohlcv")


def test_the_data_directory_comes_from_the_environment(
    lakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K2_DATA_DIR", str(lakes / "whole"))
    with closing(connect()) as connection:
        assert connection.execute("SELECT count(*) FROM gold.trades").fetchone() == (1062,)


def test_a_lake_that_cannot_be_read_is_one_sentence(lakes: Path, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"There is no lake yet .* run 'bun run start'"):
        connect(tmp_path)
    (tmp_path / "lake").mkdir()
    catalog = tmp_path / "lake" / "catalog.db"
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("CREATE TABLE other (i INT)")
    with pytest.raises(LakeError, match="There is no lake yet"):
        connect(tmp_path)
    shutil.copy(lakes / "whole/lake/catalog.db", catalog)
    with closing(sqlite3.connect(catalog)) as connection, connection:
        connection.execute("UPDATE iceberg_tables SET metadata_location = '/gone.metadata.json'")
    with pytest.raises(LakeError, match=r"Cannot read the metadata of bronze\.dead_letters"):
        connect(tmp_path)
    with closing(sqlite3.connect(catalog)) as connection, connection:
        connection.execute("UPDATE iceberg_tables SET metadata_location = 's3://lake/m.json'")
    with pytest.raises(LakeError, match="only local files"):
        connect(tmp_path)


def test_a_catalog_elsewhere_is_named_by_a_setting(
    lakes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K2_CATALOG_URI", f"jdbc:sqlite:{lakes}/whole/lake/catalog.db?x=1")
    with closing(connect(tmp_path)) as connection:
        assert connection.execute("SELECT count(*) FROM gold.trades").fetchone() == (1062,)
    monkeypatch.setenv("K2_CATALOG_URI", "jdbc:postgresql://127.0.0.1/lake")
    with pytest.raises(LakeError, match="K2_CATALOG_URI"):
        connect(tmp_path)


def test_requirements_hold_one_duckdb() -> None:
    text = (Path(__file__).resolve().parents[2] / "spark/k2_lake/requirements.txt").read_text()
    versions = {line.split("==")[1] for line in text.splitlines() if line.startswith("duckdb")}
    assert versions == {duckdb.__version__}
