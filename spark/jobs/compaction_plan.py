"""Which partitions are worth rewriting, and into how large files.

Readers open every file, so many small ones cost them time; each rewrite costs us the same bytes
again. So a partition that still grows is only touched when it has many files, one whose period is
over and that nothing has touched for a while as soon as two fit together, and a file that is large
enough is left alone. The target is small for Iceberg, about 150,000 trades: joining one file is one
task, which takes a core from the queries for as long as it runs. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1024 * 1024
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: A file of at least this share of the target is large enough.
LARGE_SHARE = 0.75


@dataclass(frozen=True)
class Compaction:
    """How files are to be."""

    target_bytes: int = 4 * MIB
    #: An open partition with more small files than this is compacted.
    open_files_max: int = 50
    #: A partition that something has been written to within this time is still open.
    settle_ms: int = HOUR_MS
    #: One run rewrites about so much in all tables together; what is left waits for the next one.
    run_bytes_max: int = 256 * MIB
    #: How long to rest after each step, in parts of the time that it took.
    rest_share: float = 0


@dataclass(frozen=True)
class Field:
    """One field of a table's partitioning, as Iceberg's specification has it."""

    column: str
    #: `day` or `identity`.
    transform: str


@dataclass(frozen=True)
class Partition:
    """What the metadata says of one partition."""

    #: One value for each field: days since 1970, an hour, a text.
    values: tuple[int | str, ...]
    files: int
    size_bytes: int
    #: When something was last written to it, milliseconds since 1970; None: long ago.
    touched_ms: int | None


def ends_ms(fields: Sequence[Field], values: Sequence[int | str]) -> int | None:
    """Return when a partition's period is over, None for a partition without a period."""
    by_column = dict(zip((field.column for field in fields), values, strict=True))
    days = [
        value
        for field, value in zip(fields, values, strict=True)
        if field.transform == "day" or field.column == "exchange_date"
    ]
    if not days:
        return None
    start_ms = int(days[0]) * DAY_MS
    hour = by_column.get("exchange_hour")
    return start_ms + DAY_MS if hour is None else start_ms + (int(hour) + 1) * HOUR_MS


def is_closed(
    fields: Sequence[Field], partition: Partition, compaction: Compaction, now_ms: int
) -> bool:
    """Return whether nothing more is expected in a partition."""
    end_ms = ends_ms(fields, partition.values)
    if end_ms is None or end_ms > now_ms:
        return False
    return partition.touched_ms is None or partition.touched_ms <= now_ms - compaction.settle_ms


def may_need_rewrite(partition: Partition, compaction: Compaction, *, closed: bool) -> bool:
    """Return whether a look at the single files is worth it."""
    if not closed:
        return partition.files > compaction.open_files_max
    return partition.files > -(-partition.size_bytes // compaction.target_bytes)


def files_to_rewrite(sizes: Sequence[int], compaction: Compaction, *, closed: bool) -> int:
    """Return how many of a partition's small files the next step takes; 0: none needs it.

    Args:
        sizes: the bytes of each file of the partition.
        compaction: how files are to be.
        closed: whether nothing more is expected in it.

    """
    target = compaction.target_bytes
    small = sorted(size for size in sizes if size < LARGE_SHARE * target)
    enough = 2 if closed else compaction.open_files_max + 1
    # Two that do not fit together stay as they are.
    if len(small) < enough or small[0] + small[1] > target:
        return 0
    average = max(1, sum(small) // len(small))
    return max(2, min(len(small), target // average))


def rewrite_options(files: int, compaction: Compaction) -> dict[str, str]:
    """Return Iceberg's options for one step."""
    target = compaction.target_bytes
    return {
        "target-file-size-bytes": str(target),
        "min-file-size-bytes": str(int(LARGE_SHARE * target)),
        # A file that is larger than it need be is left alone.
        "max-file-size-bytes": str(2**62),
        "min-input-files": "2",
        "max-files-to-rewrite": str(files),
        # A group is one task and one new file.
        "max-file-group-size-bytes": str(target),
        "max-concurrent-file-group-rewrites": "1",
    }
