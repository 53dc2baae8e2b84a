"""How a text is put to a model and which of its states is kept."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Readout:
    """A frame around the text and the tokens that are read.

    Attributes:
        name: what the user wrote.
        prefix: put before the text.
        suffixes: landing phrases put after it, each alone; never cut from long texts. With several, the state is the
            mean of the states after each, every one scaled to unit RMS.
        pool: ``last`` token, or ``mean`` over tokens; see ``HiddenStates`` for the first one.
    """

    name: str
    prefix: str = ""
    suffixes: tuple[str, ...] = ("",)
    pool: str = "last"

    @property
    def bare_word(self) -> str:
        """How a single word is best given: framed, it is read better in a sentence (r .80, not .75, with ratings)."""
        return "The word is {}." if self.prefix or any(self.suffixes) else "{}"


# `last` is that of the published paper (arXiv 2606.00129 v1, section 1), `mean` that of its revision. Small models need
# `framed`: without it the first component of the emotion sentences is not valence. The quote stays open on purpose:
# closing it costs .1 AUC.
# `ensemble`: of all subsets of at most four of twelve phrases, those within .005 of the best held-out AUC between our
# own sets of sentences (`layer_choice`, no ratings), and of these the largest margin over nine random texts on
# the selection tweets.
READOUTS = {
    readout.name: readout
    for readout in (
        Readout(name="last"),
        Readout(name="framed", prefix='He said: "', suffixes=(" This makes me feel",)),
        Readout(
            name="ensemble",
            prefix='He said: "',
            suffixes=(" This makes me feel", " The mood is", " Overall, this is", " My reaction:"),
        ),
        Readout(name="mean", pool="mean"),
    )
}
HELP = (
    "framed; ensemble (mean over four phrases); last (token of the bare sentence); mean (over the tokens of the bare "
    "sentence); or prompt:TEXT with {text} where the sentence goes (at the start if TEXT has none) and | between "
    "phrases to average over"
)


def readout_of(name: str) -> Readout:
    """The read-out of this name, or the one that ``prompt:TEXT`` describes.

    Raises:
        ValueError: no such read-out, or a prompt without words.
    """
    if name in READOUTS:
        return READOUTS[name]
    kind, _, prompt = name.partition(":")
    if kind != "prompt" or not all(map(str.strip, prompt.replace("{text}", "").split("|"))):
        raise ValueError(f"--readout {name}: choose from {', '.join(READOUTS)}, or give prompt:TEXT with words in it")
    prefix, _, rest = prompt.rpartition("{text}") if "{text}" in prompt else ("", "", " " + prompt.strip())
    if "{text}" in prefix:
        raise ValueError(f"--readout {name}: {{text}} may stand in it once")
    first, *others = (phrase.rstrip() for phrase in rest.split("|"))
    return Readout(name=name, prefix=prefix, suffixes=(first, *(f" {phrase.lstrip()}" for phrase in others)))
