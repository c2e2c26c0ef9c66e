"""Goal: the driver's JVM starts from the archive of classes that set-up has made.

Method: a real session; the kernel tells what its process has mapped into memory.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from lake import JAVA_OPTION
from session import CLASS_ARCHIVE, jvm


def test_the_jvm_starts_from_the_archive_of_classes(spark: SparkSession) -> None:
    assert f"/{CLASS_ARCHIVE}\n" in Path(f"/proc/{jvm(spark).pid}/maps").read_text()


def test_the_jvm_gets_the_options_of_the_configuration(spark: SparkSession) -> None:
    arguments = Path(f"/proc/{jvm(spark).pid}/cmdline").read_text().split("\0")
    assert JAVA_OPTION in arguments
