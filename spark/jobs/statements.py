"""The SQL of the lake, one statement a file in `spark/sql`.

SQL stands in files of its own so that it reads, diffs and highlights as SQL. `$name` is replaced by
text that this program made itself: numbers, our own column and table names, quoted text.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

SQL_DIR = Path(__file__).resolve().parent.parent / "sql"


@cache
def _template(name: str) -> Template:
    return Template((SQL_DIR / f"{name}.sql").read_text(encoding="utf-8"))


def statement(name: str, **values: object) -> str:
    """Return the statement in `spark/sql/<name>.sql` with its values put in.

    Raises:
        KeyError: a `$name` of the file was not given.

    """
    return _template(name).substitute(values)


def literal(text: str) -> str:
    """Return a text as a literal of Spark's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
