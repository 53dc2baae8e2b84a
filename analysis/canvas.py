"""What the figures of a report share: their style, bare axes without pyplot, and PNG."""

import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from figures.style import BLUE, GREY, ORANGE, PALE, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

DPI = 150
WITHOUT, WITH, CHANCE, GRID = GREY, BLUE, ORANGE, PALE


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw under ``STYLE``: matplotlib reads it when a text or a legend is made, not when the figure is."""

    @functools.wraps(draw)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return within


def head(figure: "Figure", what: str, *, simulated: bool) -> None:
    """A line above all panels: what was read, and whether anybody was recorded. A picture travels without its page."""
    kind = "SIMULATED data, no person was recorded: " if simulated else ""
    figure.suptitle(kind + what, fontsize=10, x=0.01, ha="left")


def png(figure: "Figure", *, dpi: int = DPI) -> bytes:
    """The figure as a PNG on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def empty(rows: int, columns: int, *, width: float, height: float) -> tuple["Figure", list["Axes"]]:
    """A bare figure: no pyplot, so no window, no global state and the Agg canvas."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def sides(ax: "Axes") -> None:
    """Say at the top of a plot of differences which side of zero is which."""
    ax.annotate("◀ hurts", (0, 1), xycoords=("data", "axes fraction"), xytext=(-6, -3), textcoords="offset points",
                ha="right", va="top", fontsize=8, color="#555555")  # fmt: skip
    ax.annotate("helps ▶", (0, 1), xycoords=("data", "axes fraction"), xytext=(6, -3), textcoords="offset points",
                ha="left", va="top", fontsize=8, color="#555555")  # fmt: skip
