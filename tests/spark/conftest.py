"""What the tests of the lake share: one Spark session for all, and an empty lake for each.

A session costs several seconds, so there is one; its tables are real Iceberg tables in a temporary
folder. Kafka is left out: the tests append to Bronze what its query would have appended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from config import Config
from lake import JAVA_OPTION, Lake
from make_lake import build
from session import open_session
from tables import TABLES, definitions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("lake")
    (folder / "temp").mkdir()
    config = Config(
        bootstrap_servers="127.0.0.1:9",
        trade_topics=("trades",),
        schema_registry_url="http://127.0.0.1:9",
        catalog_uri=f"jdbc:sqlite:{folder}/catalog.db",
        warehouse=f"file://{folder}/warehouse",
        checkpoint_dir=f"{folder}/checkpoints",
        temp_dir=f"{folder}/temp",
        jars_dir=str(ROOT / ".setup" / "spark"),
        driver_java_options=JAVA_OPTION,
        master="local[2]",
    )
    before = Path.cwd()
    session = open_session(config)
    yield session
    session.stop()
    os.chdir(before)


@pytest.fixture(scope="session")
def lakes(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small whole lake and its earlier states, for tests that only read."""
    folder = tmp_path_factory.mktemp("lakes")
    build(spark, folder)
    return folder


@pytest.fixture
def lake(spark: SparkSession) -> Lake:
    for table in TABLES:
        spark.sql(f"DROP TABLE IF EXISTS {table.path}")
    for definition in definitions():
        spark.sql(definition)
    return Lake(spark)
