"""Goal: every notebook runs as it stands in the repository, and shows what is in the lake.

Method: a real lake that Spark's own code wrote; each notebook is executed by Jupyter's own client
with a last cell added that hands its values over. They are compared with what the lake was made of.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from make_lake import trades_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "spark" / "notebooks"

#: The names whose values each notebook hands over, and how many charts it draws.
TOUR = ("gold_tour", ("market", "candles", "by_exchange", "spreads"))
QUALITY = ("data_quality", ("gaps", "sessions", "complete", "medians", "fresh"))
ANALYSIS = ("your_analysis", ("columns", "sizes"))
CHARTS = {TOUR[0]: 3, QUALITY[0]: 3, ANALYSIS[0]: 0}

HAND_OVER = """
import json
def plain(value):
    if hasattr(value, "fetchall"):
        value = value.fetchall()
    if hasattr(value, "to_dict"):
        value = value.to_dict("records")
    if isinstance(value, dict):
        return {"|".join(k) if isinstance(k, tuple) else k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (int, float)) else str(value)
print(json.dumps({name: plain(globals()[name]) for name in %r}))
"""

Run = Callable[[tuple[str, tuple[str, ...]]], Any]


@pytest.fixture(scope="module")
def run(lakes: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("notebooks")
    home = {
        name: str(folder / "jupyter")
        for name in (
            *("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"),
            *("IPYTHONDIR", "MPLCONFIGDIR"),
        )
    }
    environment = {
        **os.environ,
        **home,
        "K2_DATA_DIR": str(lakes / "whole"),
        "PYTHONPATH": str(ROOT / "spark"),
    }

    def execute(which: tuple[str, tuple[str, ...]]) -> Any:
        name, handed_over = which
        notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
        notebook.cells.append(nbformat.v4.new_code_cell(HAND_OVER % (handed_over,)))
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in home.items():
                patch.setenv(variable, value)
            resources = {"metadata": {"path": str(NOTEBOOKS)}}
            NotebookClient(notebook, timeout=120, resources=resources).execute(env=environment)
        images = [
            output.data["image/png"]
            for cell in notebook.cells
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        assert len(images) == CHARTS[name]
        for image in images:
            assert base64.b64decode(image).startswith(b"\x89PNG")
        return json.loads(notebook.cells[-1].outputs[-1].text)

    return execute


def test_every_notebook_is_text_and_has_a_pair_that_is_not_stored() -> None:
    names = {path.stem for path in NOTEBOOKS.glob("*.py")}
    assert names == set(CHARTS)
    for name in names:
        notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
        nbformat.validate(notebook)
        assert notebook.metadata["jupytext"]["formats"] == "ipynb,py:percent"
        # Opening and saving it changes no line that is stored.
        text = (NOTEBOOKS / f"{name}.py").read_text()
        assert jupytext.writes(notebook, fmt="py:percent") == text
        assert len(notebook.cells) > 2
    assert "*.ipynb" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_tour_shows_the_candles_of_the_busiest_market(run: Run) -> None:
    values = run(TOUR)
    assert values["market"] == ["binance", "BTCUSDT", "BTC/USDT"]
    trades = [trade for trade in trades_of(range(40, 530)) if trade["native_symbol"] == "BTCUSDT"]
    minute = trades[0]["timestamp"] // 60_000_000
    first_minute = [trade for trade in trades if trade["timestamp"] // 60_000_000 == minute]
    prices = [Decimal(trade["price"]) for trade in first_minute]
    _, _, open_, high, low, close, volume, _, trade_count = values["candles"][0]
    assert [Decimal(value) for value in (open_, high, low, close)] == [
        *(prices[0], max(prices), min(prices), prices[-1]),
    ]
    assert Decimal(volume) == sum(Decimal(trade["quantity"]) for trade in first_minute)
    assert trade_count == len(first_minute)
    assert sum(candle[-1] for candle in values["candles"]) == len(trades)
    # The four trades of large_trades() are Binance's.
    assert values["by_exchange"] == {"binance": 494, "kraken": 490}
    assert {pair for pair, _, _ in values["spreads"]} == {"binance BTC/USDT - kraken BTC/USD"}
    assert len(values["spreads"]) == len(values["candles"])
    assert all(-10 < spread < 10 for _, _, spread in values["spreads"])


def test_the_quality_of_the_data_is_that_of_the_lake(run: Run) -> None:
    values = run(QUALITY)
    assert [row[:5] for row in values["gaps"]] == [
        ["", "all", "unfillable", 1, 0],
        ["binance", "BTCUSDT", "unfillable", 1, 1],
        ["kraken", "BTC/USD", "absent", 1, 1],
    ]
    assert {row[1]: row[4] for row in values["sessions"]} == {
        **dict.fromkeys(("kraken-1", "binance-1", "binance-rest-1"), "closed"),
        "binance-2": "open",
    }
    # Confirmed are five whole minutes from noon; the day before, one of Binance's touches its gap.
    complete = {(row[0], row[1], row[2][:10]): row[3:] for row in values["complete"]}
    assert complete["kraken", "BTC/USD", "2026-08-25"] == [1, 1]
    assert complete["binance", "BTCUSDT", "2026-08-25"] == [1, 0]
    assert complete["kraken", "BTC/USD", "2026-08-26"] == [7, 5]
    # The first step is what make_lake gives every trade: five milliseconds.
    assert values["medians"]["kraken|to_receipt"] == pytest.approx(0.005)
    assert {key.split("|")[1] for key in values["medians"]} == {
        *("to_receipt", "to_kafka", "to_gold"),
    }
    assert [row[:2] for row in values["fresh"]] == [
        *(["binance", "BTCUSDT"], ["binance", "SHIBBTC"], ["kraken", "BTC/USD"]),
    ]


def test_a_start_of_ones_own_gives_columns_and_a_data_frame(run: Run) -> None:
    values = run(ANALYSIS)
    assert "message_id" in [row[0] for row in values["columns"]]
    assert [(row["exchange"], row["trades"]) for row in values["sizes"]] == [
        *(("binance", 529), ("kraken", 529), ("binance", 4)),
    ]
