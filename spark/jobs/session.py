"""The one place where Spark is started: its settings, its JVM, its folders.

PySpark starts a JVM and talks to it; this process only sends plans. Everything that Spark, Hadoop,
SQLite or the JVM would put in a temporary or working folder goes to `temp_dir`. Hadoop's own local
file system starts a process for every file it touches, so another implementation takes its place,
which makes batches three to five times faster.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from config import Config
from tables import CATALOG

_LOCAL_FS = "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem"
_CHECKPOINTS = (
    "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
)

#: Name of the archive of classes beside the jars, see `class_archive.py`.
CLASS_ARCHIVE = "classes.jsa"


def open_session(config: Config, *, archive_to: Path | None = None) -> SparkSession:
    """Start the JVM and return its session. The working directory becomes `temp_dir`.

    Args:
        config: the driver's.
        archive_to: where the JVM is to write an archive of its classes when it ends.

    """
    os.chdir(config.temp_dir)
    os.environ["TMPDIR"] = tempfile.tempdir = config.temp_dir
    os.environ["SPARK_LOCAL_DIRS"] = config.temp_dir
    os.environ["SPARK_LAUNCHER_OPTS"] = "-XX:-UsePerfData"
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join(_submit_arguments(config, archive_to))
    builder = SparkSession.builder.appName("k2")
    for name, value in _settings(config).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def jvm(session: SparkSession) -> subprocess.Popen[bytes]:
    """Return the session's JVM."""
    process: subprocess.Popen[bytes] = session.sparkContext._gateway.proc
    return process


def _submit_arguments(config: Config, archive_to: Path | None) -> list[str]:
    jars = sorted(str(jar) for jar in Path(config.jars_dir).glob("*.jar"))
    if not jars:
        raise FileNotFoundError(f"There are no jars in {config.jars_dir}: run the set-up again")
    java = [
        "-XX:+UseSerialGC",
        # Both compilers, but only what runs tens of thousands of times is measured for the
        # optimizing one, and nothing while others wait for it. As the JVM has it by default, the
        # first five minutes' batches take twice as long; with the quick one alone, all later ones.
        "-XX:Tier3DelayOn=0",
        "-XX:Tier2InvokeNotifyFreqLog=15",
        # A driver out of memory is worth nothing; its supervisor starts a new one.
        "-XX:+ExitOnOutOfMemoryError",
        # Without it every JVM leaves a file in the system's temporary folder.
        "-XX:-UsePerfData",
        # Quoted, because Spark splits this text at spaces.
        *_class_archive(config, archive_to),
        f'"-Djava.io.tmpdir={config.temp_dir}"',
        f'"-Dderby.system.home={config.temp_dir}"',
        config.driver_java_options,
    ]
    arguments = [
        *("--master", config.master),
        *("--driver-memory", config.driver_memory),
        # By file: the catalog's address may hold a password, and arguments are seen by everybody.
        *("--properties-file", str(_write_properties(config))),
        # By class path: jars given otherwise are copied at every start.
        *("--driver-class-path", ":".join(jars)),
        *("--driver-java-options", " ".join(java)),
    ]
    if not config.master.startswith("local"):
        arguments += ["--jars", ",".join(jars)]
    return [*arguments, "pyspark-shell"]


def _class_archive(config: Config, archive_to: Path | None) -> list[str]:
    archive = Path(config.jars_dir) / CLASS_ARCHIVE
    if archive_to is not None:
        return [f'"-XX:ArchiveClassesAtExit={archive_to}"']
    return [f'"-XX:SharedArchiveFile={archive}"'] if archive.exists() else []


def _write_properties(config: Config) -> Path:
    path = Path(config.temp_dir) / "catalog.conf"
    path.touch(mode=0o600)
    path.chmod(0o600)
    lines = (f"{name} {_escape(value)}\n" for name, value in _catalog(config).items())
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _escape(value: str) -> str:
    """Return a value as a Java properties file wants it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _settings(config: Config) -> dict[str, str]:
    local = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    return {
        **(local if config.master.startswith("local") else {}),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": f"{config.temp_dir}/spark-warehouse",
        "spark.local.dir": config.temp_dir,
        "spark.hadoop.fs.file.impl": _LOCAL_FS,
        "spark.sql.streaming.checkpointFileManagerClass": _CHECKPOINTS,
        # A live batch is small: a second partition costs a task and a file, and gains nothing.
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.optimizer.runtime.rowLevelOperationGroupFilter.enabled": "false",
        # The quotient of two DECIMAL(38,18) keeps its 18 decimals only without precision loss.
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",
        "spark.sql.ansi.enabled": "true",
        "spark.scheduler.mode": "FAIR",
        "spark.cleaner.periodicGC.interval": "5min",
        "spark.sql.streaming.minBatchesToRetain": "20",
        # A batch plans what the one before did, and nobody reads the plans as text.
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.debug.maxToStringFields": "1",
        "spark.locality.wait": "0",
        # Otherwise each column that is named here asks the JVM where that was.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # Without its pages, Spark still keeps what it would show: a thousand plans and their tasks.
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "100",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _catalog(config: Config) -> dict[str, str]:
    prefix = f"spark.sql.catalog.{CATALOG}"
    settings = {
        "spark.sql.extensions": (
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        ),
        "spark.sql.defaultCatalog": CATALOG,
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "jdbc",
        f"{prefix}.uri": config.catalog_uri,
        f"{prefix}.warehouse": config.warehouse,
        # Every query has a session, and every session would have a cache of its own: what one
        # commits the others would not see.
        f"{prefix}.cache-enabled": "false",
        f"{prefix}.jdbc.schema-version": "V1",
    }
    if config.catalog_uri.startswith("jdbc:sqlite:"):
        # Several queries commit while readers poll: they wait for one another instead of failing.
        settings[f"{prefix}.jdbc.journal_mode"] = "WAL"
        settings[f"{prefix}.jdbc.busy_timeout"] = "15000"
        settings[f"{prefix}.jdbc.synchronous"] = "NORMAL"
    return settings
