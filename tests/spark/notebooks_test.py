"""Goal: every notebook runs as it stands in the repository, and shows what is in the lake.

Method: a real lake that Spark's own code wrote; the notebook is executed by Jupyter's own client
with a last cell added that hands its values over. They are compared with what the lake was made of.
"""

from __future__ import annotations

import base64
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from pyspark.sql import SparkSession

from make_lake import build, trades_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "spark" / "notebooks"
TOUR = NOTEBOOKS / "gold_tour.ipynb"

HAND_OVER = """
import json
print(json.dumps({
    "market": market,
    "candles": [[str(value) for value in candle] for candle in candles],
    "by_exchange": by_exchange,
}))
"""


@pytest.fixture(scope="module")
def tour(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("notebooks")
    build(spark, folder / "lakes")
    notebook = nbformat.read(TOUR, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(HAND_OVER))
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
        "K2_DATA_DIR": str(folder / "lakes" / "whole"),
        "PYTHONPATH": str(ROOT / "spark"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home.items():
            patch.setenv(name, value)
        resources = {"metadata": {"path": str(NOTEBOOKS)}}
        NotebookClient(notebook, timeout=120, resources=resources).execute(env=environment)
    return notebook


def test_notebooks_are_stored_without_outputs() -> None:
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert TOUR in notebooks
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            assert not cell.get("outputs"), path
            assert cell.get("execution_count") is None, path


def test_the_tour_shows_the_candles_of_the_busiest_market(tour: Any) -> None:
    values = _handed_over(tour)
    assert values["market"] == ["binance", "BTCUSDT", "BTC/USDT"]
    trades = [trade for trade in trades_of(range(40, 530)) if trade["native_symbol"] == "BTCUSDT"]
    first_minute = [
        t for t in trades if t["timestamp"] < trades[0]["timestamp"] // 60e6 * 60e6 + 60e6
    ]
    prices = [Decimal(trade["price"]) for trade in first_minute]
    _, _, open_, high, low, close, volume, _, trade_count = values["candles"][0]
    assert [Decimal(value) for value in (open_, high, low, close)] == [
        *(prices[0], max(prices), min(prices), prices[-1]),
    ]
    assert Decimal(volume) == sum(Decimal(trade["quantity"]) for trade in first_minute)
    assert int(trade_count) == len(first_minute)
    assert sum(int(candle[-1]) for candle in values["candles"]) == len(trades)


def test_the_tour_counts_trades_by_exchange(tour: Any) -> None:
    # The four trades of large_trades() are Binance's.
    assert _handed_over(tour)["by_exchange"] == {"binance": 494, "kraken": 490}


def test_the_tour_draws_two_charts(tour: Any) -> None:
    images = [
        output.data["image/png"]
        for cell in tour.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(images) == 2
    for image in images:
        assert base64.b64decode(image).startswith(b"\x89PNG")


def _handed_over(notebook: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(notebook.cells[-1].outputs[-1].text)
    return values
