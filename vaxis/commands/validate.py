"""``python -m vaxis validate``: what an axis is worth on text that people have rated, beside every control."""

import argparse
import hashlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from records.files import atomic, cache_dir
from vaxis.commands.extract import add_model_arguments, model_options
from vaxis.commands.outputs import check_writable

if TYPE_CHECKING:
    from vaxis.axis import Axis
    from vaxis.language.cached_states import CachedStates
    from vaxis.language.hidden_states import HiddenStates
    from vaxis.validity.corpora import Corpus
    from vaxis.validity.rated_texts import Instrument

READOUTS = ("framed", "ensemble", "last")
CORPORA = ("tweets", "movies", "amazon", "nyt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; imports nothing heavy."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--axis", metavar="FILE", help="an artifact of extract; its model is opened again")
    what.add_argument("--llm", nargs="+", default=["bundled"], metavar="MODEL", help="bundled, folder, .gguf or hub id")
    parser.add_argument("--layer", default="penultimate", metavar="N", help="penultimate, final, or a number of blocks")
    parser.add_argument("--readouts", nargs="+", default=list(READOUTS), help="one or more of those that extract knows")
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own nine sentences")
    parser.add_argument(
        "--corpora",
        nargs="+",
        default=list(CORPORA),
        help="tweets movies amazon nyt; sst2 imdb yelp tweeteval rotten_tomatoes (package datasets); .csv, .tsv files "
        "with columns text and label (two values, or ratings with 0 as neutral); "
        "selection (other tweets: to choose on, never to report)",
    )
    parser.add_argument("--lexicons", nargs="*", default=["vader", "afinn"], help="rated words: vader, afinn")
    parser.add_argument(
        "--samples",
        type=int,
        default=1000,
        help="texts of each corpus, words of each lexicon; on top, each read-out reads 500 selection tweets for the "
        "ridge, and with made-up words 200 texts of each corpus and twelve versions of each sentence",
    )
    parser.add_argument("--draws", type=int, default=1000, help="random directions of each kind")
    parser.add_argument("--sets", action="store_true", help="also the axes of our independent sets of nine")
    add_model_arguments(parser)
    parser.add_argument("--picture", metavar="PNG", help="draw the axis, its validity and the nulls")
    parser.add_argument("--out", metavar="JSON", help="the results; by default in the cache")


def main(args: argparse.Namespace) -> int:
    """Validate one artifact or every model in turn; a model that fails is named and the next one is tried."""
    from vaxis.validity.validation_text import describe

    _check(args)
    failed = 0
    for llm in [None] if args.axis else args.llm:
        try:
            result = validate(args, llm=llm)
            print(describe(result))
            print(f"\n{save(result, _path(args, result, several=not args.axis and len(args.llm) > 1))}")
            if args.picture:
                print(_picture(result, args))
        except (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError) as error:
            print(f"error: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def validate(args: argparse.Namespace, *, llm: str | None) -> dict:
    """All numbers of one model as plain values: by read-out, then by corpus and lexicon."""
    from vaxis.validity.corpora import by_name, sample
    from vaxis.validity.lexicons import lexicon

    corpora = by_name(sample(name, args.samples) for name in args.corpora)
    for name in ("vader", *args.lexicons):  # vader also rates the texts; a failed download must not cost the reading
        lexicon(name)
    reader, axes, origin = _axes(args, llm)
    result = {**origin, "samples": args.samples, "draws": args.draws, "profile": _layers(reader, axes), "readouts": {}}
    for readout, axis in axes.items():
        instrument = _instrument(reader, axis, readout, args.draws)
        result["readouts"][readout] = _readout(args, instrument, corpora, readout)
        if args.sets:
            result["readouts"][readout]["sets"] = _sets(args, instrument, corpora)
    return result


def save(result: dict, path: Path) -> Path:
    """Write the results atomically; returns the path."""
    with atomic(path) as partial_path:
        partial_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def _check(args: argparse.Namespace) -> None:
    """Refuse what would fail, or be ignored, only after the model has been read."""
    from vaxis.axis import Axis
    from vaxis.language.readouts import readout_of

    if args.samples < 10 or args.draws < 20:
        raise ValueError("--samples must be at least 10 and --draws at least 20, or the intervals mean nothing")
    if not args.axis and not all(llm.strip() for llm in args.llm):
        raise ValueError("--llm is empty; name bundled, a folder, a .gguf file or a hub id")
    for name in args.readouts:
        readout_of(name)
    if args.axis and (args.sentences or args.layer != "penultimate"):
        raise ValueError("--axis brings its own sentences and layer; leave --sentences and --layer out")
    if args.axis and Path(args.axis).suffix in (".yaml", ".yml"):
        raise ValueError(
            f"--axis {args.axis} is YAML, not an artifact; if it holds sentences, give them as --sentences {args.axis}"
        )
    if args.axis and "arousal" in Axis.load(args.axis).provenance:
        raise ValueError(f"--axis {args.axis} is of arousal, and the texts are rated for valence; give a valence axis")
    for flag, path in (("--out", args.out), ("--picture", args.picture)):
        if path:
            check_writable(flag, Path(path))


def _say(line: str) -> None:
    """What begins now, for logs as well as terminals."""
    print(line, file=sys.stderr, flush=True)


def _axes(args: argparse.Namespace, llm: str | None) -> tuple["CachedStates", dict[str, "Axis"], dict]:
    """The model, the axis in each read-out, and where they come from."""
    from vaxis.axis import Axis, sentence_axis
    from vaxis.emotions import FACED
    from vaxis.language.cached_states import CachedStates
    from vaxis.language.hidden_states import HiddenStates
    from vaxis.language.texts import load_texts

    if llm is not None:
        sentences = load_texts("faced", args.sentences).sentences
        _say(f"opening {llm}")
        states = HiddenStates(llm, layer=args.layer, **model_options(args))
        reader = CachedStates(states, progress=sys.stderr.isatty())
        axes = {name: sentence_axis(partial(reader, readout=name), sentences, classes=FACED) for name in args.readouts}
        return reader, axes, _origin(llm, states)
    given = Axis.load(args.axis)
    request = given.provenance.get("request")
    if request is None:
        raise ValueError(f"--axis {args.axis} does not come from a language model: nothing to validate")
    states = _open_again(args, given)
    reader = CachedStates(states, progress=sys.stderr.isatty())
    sentences = given.provenance["sentences"]
    fit = partial(sentence_axis, sentences=sentences, classes=given.classes)
    others = [name for name in args.readouts if name != request["readout"]]
    axes = {request["readout"]: given} | {name: fit(partial(reader, readout=name)) for name in others}
    return reader, axes, _origin(request["llm"], states) | {"axis_file": str(args.axis)}


def _open_again(args: argparse.Namespace, given: "Axis") -> "HiddenStates":
    """The model of an artifact, in the precision that the artifact was made in."""
    import torch

    from vaxis.language.hidden_states import HiddenStates

    made, llm = given.provenance, given.provenance["request"]["llm"]
    if args.dtype not in ("auto", made["dtype"]):
        raise ValueError(f"--axis {args.axis} was made in {made['dtype']}; leave --dtype out, or extract it again")
    _say(f"opening {llm}")
    options = model_options(args) | {"dtype": getattr(torch, made["dtype"])}
    states = HiddenStates(llm, layer=made["layer"], **options)
    if states.fingerprint != made["weights"]:
        raise ValueError(f"--axis {args.axis} was made with other weights of {llm}; extract it again")
    return states


def _origin(llm: str, states: "HiddenStates") -> dict:
    return {"model": llm, "layer": states.layer, "weights": states.fingerprint}


def _instrument(reader: "CachedStates", axis: "Axis", readout: str, draws: int) -> "Instrument":
    from vaxis.validity.rated_texts import Instrument

    return Instrument(axis, partial(reader, readout=readout), draws=draws)


def _readout(args: argparse.Namespace, instrument: "Instrument", corpora: dict[str, "Corpus"], readout: str) -> dict:
    from vaxis.language.readouts import readout_of
    from vaxis.validity.rated_texts import measure, recover_lexicon

    axis = instrument.axis
    scores = axis.class_scores / axis.class_scores.std()
    found: dict = {
        "fingerprint": axis.fingerprint,
        "separation": axis.separation,
        "joy": axis.joy_is_positive,
        "explained_variance": axis.explained_variance,
        "positions": dict(zip(axis.classes.classes, scores.tolist())),
        "corpora": {},
        "lexicons": {},
    }
    for name, corpus in corpora.items():
        _say(f"{readout} read-out: {name}, {len(corpus)} texts")
        found["corpora"][name] = measure(instrument, corpus)
    for name in args.lexicons:
        _say(f"{readout} read-out: words of {name}")
        words = recover_lexicon(instrument, name, carrier=readout_of(readout).bare_word, samples=args.samples)
        found["lexicons"][name] = words
    return found


def _layers(reader: "CachedStates", axes: dict[str, "Axis"]) -> dict | None:
    """The nine sentences at every layer below: cosine with the axis that is used, and separation of the classes."""
    import numpy as np

    from vaxis.fit import fit_direction, separation
    from vaxis.validity.agreement import layer_profile

    readout, axis = next(iter(axes.items()))
    if any(len(group) > 1 for group in axis.provenance["sentences"].values()):
        return None
    nine, valence = [group[0] for group in axis.provenance["sentences"].values()], axis.classes.valence
    states = reader.states.profile(nine, readout=readout).astype(np.float64)
    separations = []
    for layer in states:
        equal = np.ptp(layer, axis=0).max() == 0  # framed, the embeddings of the last token are all the same
        fit = None if equal else fit_direction(layer, valence=valence)
        separations.append(None if fit is None else separation(fit.scores, valence=valence))
    cosines = [None if np.isnan(value) else float(value) for value in layer_profile(states, valence=valence)]
    return {"readout": readout, "cosine": cosines, "separation": separations}


def _sets(args: argparse.Namespace, instrument: "Instrument", corpora: dict) -> dict:
    from vaxis.validity.sentence_sets import load_sets, study_sets

    _say("independent sets of sentences")
    sets = {"this": instrument.axis.provenance["sentences"], **load_sets()}
    return study_sets(instrument.read, sets, corpora, draws=min(args.draws, 500))


def _path(args: argparse.Namespace, result: dict, *, several: bool) -> Path:
    if args.out:
        path = Path(args.out)
        return path.with_stem(f"{path.stem}-{_name(result)}") if several else path
    return cache_dir() / "validity" / f"{_name(result)}.json"


def _name(result: dict) -> str:
    axes = "".join(row["fingerprint"] for row in result["readouts"].values())
    name = "".join(letter if letter.isalnum() else "_" for letter in Path(result["model"]).name)
    return f"{name}-{hashlib.sha256(axes.encode()).hexdigest()[:8]}"


def _picture(result: dict, args: argparse.Namespace) -> Path:
    from vaxis.validity.validation_figure import draw

    several = not args.axis and len(args.llm) > 1
    path = Path(args.picture)
    return draw(result, path.with_stem(f"{path.stem}-{_name(result)}") if several else path)
