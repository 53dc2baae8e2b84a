"""The published ways of reading an axis out of a model, by name."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A read-out together with the layer it is used at.

    Attributes:
        readout: see ``vaxis.language.readouts``.
        layer: ``penultimate`` or ``final``.
        words: what it is and whose.
    """

    readout: str
    layer: str
    words: str


# The published version and the authors' revision of arXiv 2606.00129 read the model differently, and no result of one
# need hold for the other. Ours is the default because on small models neither of theirs makes valence the first
# component of nine sentences.
MODES = {
    "framed": Mode(readout="framed", layer="penultimate", words="ours: in a frame, its last token, penultimate layer"),
    "v1": Mode(readout="last", layer="penultimate", words="arXiv v1, May 2026: last token, penultimate layer"),
    "revision": Mode(
        readout="mean",
        layer="final",
        words="authors' revision, September 2026: mean over tokens, final layer after its norm",
    ),
}


def mode_of(readout: str, layer: int, *, total: int) -> str | None:
    """The mode that reads like this at this layer of a model of ``total`` blocks, however the layer was asked for."""
    named = {total - 1: "penultimate", total: "final"}.get(layer)
    return next((name for name, mode in MODES.items() if (mode.readout, mode.layer) == (readout, named)), None)


def choose(*, mode: str | None, readout: str | None, layer: str | int | None) -> tuple[str, str | int]:
    """Read-out and layer of a mode, or those asked for one by one.

    Raises:
        ValueError: both were given.
    """
    if mode is None:
        return readout or MODES["framed"].readout, layer or MODES["framed"].layer
    if readout is not None or layer is not None:
        raise ValueError(f"--mode {mode} is a read-out and a layer by itself; leave --readout and --layer out")
    return MODES[mode].readout, MODES[mode].layer
