"""How a text is put to a model and which of its states is kept."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Readout:
    """A frame around the text and the tokens that are read.

    Attributes:
        name: what the user wrote.
        prefix: put before the text.
        suffix: put after it; never cut from long texts.
        pool: ``last`` token, or ``mean`` over tokens.
    """

    name: str
    prefix: str = ""
    suffix: str = ""
    pool: str = "last"

    @property
    def bare_word(self) -> str:
        """How a single word is best given: framed, it is read better in a sentence (r .80, not .75, with ratings)."""
        return "The word is {}." if self.prefix or self.suffix else "{}"


# `last` is the paper's: the bare sentence (arXiv 2606.00129, section 1). Small models need `framed`: without it the
# first component of the emotion sentences is not valence. The quote stays open on purpose: closing it costs .1 AUC.
READOUTS = {
    readout.name: readout
    for readout in (
        Readout(name="last"),
        Readout(name="framed", prefix='He said: "', suffix=" This makes me feel"),
        Readout(name="mean", pool="mean"),
    )
}
HELP = (
    "framed; last (the paper's: last token of the bare sentence); mean (over tokens); or prompt:TEXT with {text} where "
    "the sentence goes (at the start if TEXT has none)"
)


def readout_of(name: str) -> Readout:
    """The read-out of this name, or the one that ``prompt:TEXT`` describes.

    Raises:
        ValueError: no such read-out, or a prompt without words.
    """
    if name in READOUTS:
        return READOUTS[name]
    kind, _, prompt = name.partition(":")
    if kind != "prompt" or not prompt.replace("{text}", "").strip():
        raise ValueError(f"--readout {name}: choose from {', '.join(READOUTS)}, or give prompt:TEXT with words in it")
    prefix, _, suffix = prompt.rpartition("{text}") if "{text}" in prompt else ("", "", " " + prompt.strip())
    if "{text}" in prefix:
        raise ValueError(f"--readout {name}: {{text}} may stand in it once")
    return Readout(name=name, prefix=prefix, suffix=suffix)
