"""What one run of maintenance found and did, as the parent is told. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from table_files import Measure


@dataclass
class TableReport:
    """One table."""

    table: str
    before: Measure
    after: Measure
    rows_deleted: int = 0
    rewritten_files: int = 0
    rewritten_bytes: int = 0
    orphans_removed: int = 0
    #: What was left undone, and why, a sentence each.
    skipped: list[str] = field(default_factory=list)
    #: What went wrong; None: nothing.
    failure: str | None = None

    def as_values(self) -> dict[str, object]:
        """Return it as JSON has it: each size with its `before` and its `after`."""
        values = asdict(self)
        before, after = values.pop("before"), values.pop("after")
        sizes = {name: {"before": before[name], "after": after[name]} for name in before}
        return values | sizes
