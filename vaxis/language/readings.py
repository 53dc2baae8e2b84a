"""The same sentences read in several ways, each beside random texts: which read-out and which layer show valence?"""

from functools import partial
from typing import TYPE_CHECKING

from vaxis.axis import Axis, sentence_axis
from vaxis.emotions import Taxonomy
from vaxis.language.modes import MODES
from vaxis.language.null_texts import null_distributions
from vaxis.language.texts import Texts

if TYPE_CHECKING:
    from vaxis.language.reading_once import ReadingOnce


class Readings:
    """Axes of the same sentences in several read-outs and layers, each read once and scored beside random texts.

    Args:
        once: the model, opened at its final layer.
        texts: sentences and random texts.
        classes: the taxonomy.
        draws: sets of random texts.
    """

    def __init__(self, once: "ReadingOnce", texts: Texts, *, classes: Taxonomy, draws: int) -> None:
        self._once, self._texts, self._classes, self._draws = once, texts, classes, draws
        self._known: dict[tuple[str, int], tuple[Axis, dict]] = {}

    def axis(self, readout: str, layer: int) -> Axis:
        """The axis without positions."""
        return self._at(readout, layer)[0]

    def row(self, readout: str, layer: int) -> dict:
        """Separation, explained variance, joy, and the null of random everyday texts for these and the rated clips."""
        return self._at(readout, layer)[1]

    def modes(self) -> dict[str, dict]:
        """``row`` of every mode, with the layer it was read at; before any block is dropped."""
        places = {name: (mode.readout, self._once.states.number_of(mode.layer)) for name, mode in MODES.items()}
        return {name: {"layer": layer, **self.row(readout, layer)} for name, (readout, layer) in places.items()}

    def _at(self, readout: str, layer: int) -> tuple[Axis, dict]:
        if (readout, layer) not in self._known:
            read = partial(self._once, readout=readout, layer=layer)
            axis = sentence_axis(read, self._texts.sentences, classes=self._classes)
            null = null_distributions(read, axis, self._texts, kinds=("everyday",), draws=self._draws)["everyday"]
            row = {"separation": axis.separation, "explained_variance": axis.explained_variance}
            self._known[readout, layer] = axis, row | {"joy": axis.joy_is_positive, "everyday": null}
        return self._known[readout, layer]
