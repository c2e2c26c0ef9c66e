"""Goal: the driver says what is wrong in one line, and never leaves a process behind.

Method: the real program in a process group of its own, told over stdin; after its end the group
must be empty. Its queries are shown by the end-to-end test, which has a broker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from lake import Lake
from waiting import WAIT_S_MAX, until

ROOT = Path(__file__).resolve().parents[3]


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "spark" / "jobs" / "driver.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        text=True,
        start_new_session=True,
    )


def config(folder: Path, **more: object) -> str:
    values = {
        "bootstrap_servers": "127.0.0.1:9",
        "trade_topics": ["trades"],
        "schema_registry_url": "http://127.0.0.1:9",
        "catalog_uri": f"jdbc:sqlite:{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
        "checkpoint_dir": f"{folder}/checkpoints",
        "temp_dir": f"{folder}/temp",
        "jars_dir": str(ROOT / ".setup" / "spark"),
        **more,
    }
    return json.dumps(values) + "\n"


def all_said(driver: subprocess.Popen[str], told: str) -> str:
    """Tell it its configuration and read all that it says until it ends by itself."""
    assert driver.stdin is not None
    assert driver.stdout is not None
    driver.stdin.write(told)
    driver.stdin.flush()
    said = driver.stdout.read()
    driver.wait(WAIT_S_MAX)
    return said


def is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until_empty(group: int) -> None:
    until("the end of all that the driver started", lambda: is_empty(group))


def test_a_wrong_configuration_is_said_in_one_line(tmp_path: Path) -> None:
    driver = start(tmp_path)

    out, _ = driver.communicate('{"trade_topics": []}\n', timeout=WAIT_S_MAX)

    (line,) = out.splitlines()
    assert json.loads(line)["type"] == "failed"
    assert "bootstrap_servers" in json.loads(line)["reason"]
    assert driver.returncode == 1


def test_the_end_of_stdin_ends_it_and_its_jvm_before_it_is_ready(tmp_path: Path) -> None:
    driver = start(tmp_path)
    assert driver.stdin is not None
    driver.stdin.write(config(tmp_path))
    driver.stdin.flush()
    conn = tmp_path / "temp" / "work"
    # PySpark's folder for the address of its JVM.
    until("the start of a JVM", lambda: driver.poll() is not None or any(conn.glob("tmp*")))

    assert driver.poll() is None
    out, _ = driver.communicate(timeout=WAIT_S_MAX)

    assert driver.returncode == 0
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["drained"]
    wait_until_empty(driver.pid)
    assert {path.name for path in tmp_path.iterdir()} <= {"temp"}


def test_a_drain_ends_it_and_its_jvm_with_nothing_left_behind(tmp_path: Path) -> None:
    driver = start(tmp_path)
    assert driver.stdin is not None
    assert driver.stdout is not None
    driver.stdin.write(config(tmp_path))
    driver.stdin.flush()
    said = json.loads(driver.stdout.readline())
    assert said["type"] == "session"
    assert said["pid"] == driver.pid
    os.kill(said["jvm_pid"], 0)

    driver.stdin.write('not a command\n{"command": "drain"}\n')
    driver.stdin.flush()

    assert driver.wait(WAIT_S_MAX) == 0
    assert json.loads(driver.stdout.read().splitlines()[-1])["type"] == "drained"
    wait_until_empty(driver.pid)
    assert not (tmp_path / "temp" / "work").exists()


def test_a_lake_is_maintained_once_without_any_query_or_kafka(
    lake: Lake, spark: SparkSession, tmp_path: Path
) -> None:
    catalog = str(spark.conf.get("spark.sql.catalog.lake.uri"))
    lake.land([b"one"])
    lake.land([b"another"])
    driver = start(tmp_path)

    told = config(
        tmp_path,
        mode="maintain",
        catalog_uri=catalog,
        warehouse=str(spark.conf.get("spark.sql.catalog.lake.warehouse")),
    )
    out = all_said(driver, told)

    session, maintained = (json.loads(line) for line in out.splitlines())
    assert (session["type"], maintained["type"]) == ("session", "maintained")
    assert maintained["failure"] is None
    bronze = next(table for table in maintained["tables"] if table["table"] == "bronze.trades")
    assert bronze["files"]["before"] == 2
    assert {table["failure"] for table in maintained["tables"]} == {None}
    assert driver.returncode == 0
    wait_until_empty(driver.pid)
    assert not (tmp_path / "temp" / "work").exists()


def test_without_a_lake_there_is_nothing_to_maintain(tmp_path: Path) -> None:
    driver = start(tmp_path)

    out = all_said(driver, config(tmp_path, mode="maintain"))

    assert json.loads(out.splitlines()[-1])["reason"].startswith("There is no lake yet")
    assert driver.returncode == 1
