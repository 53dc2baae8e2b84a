"""Colours and settings that all figures share."""

from typing import Any

# Okabe and Ito's colours: told apart with any common colour blindness, and in grey by lightness.
BLUE, SKY, GREEN, ORANGE, PINK = "#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7"
GREY, PALE, LINE = "#7a7a7a", "#e6e6e6", "#999999"
STYLE: dict[Any, Any] = {  # matplotlib types the keys as literals
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "legend.frameon": False,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}
