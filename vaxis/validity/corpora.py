"""Texts whose valence people have rated, and which of them may be used for choosing anything.

Choices of this project (the phrases of the ensemble) look at the first ``SELECTION`` tweets of a fixed permutation and
at nothing else; reported numbers come from other tweets and other corpora. One choice is older: the
phrase of the ``framed`` read-out was found in a pilot on tweets and movie texts that were not recorded, some of which
may be among the reported ones. Amazon and NYT took no part in it.
"""

import ast
import csv
import html
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vaxis.language.pypi import VADER

SEED = 0  # of the permutation that samples are cut from
SELECTION_CORPUS, SELECTION = "tweets", 1000
LEAST = 10  # texts; nine of them are drawn for the null

# Hutto and Gilbert 2014: file stem and what it holds. Ratings run from -4 to 4, the mean of about 20 people.
RATED = {
    "tweets": "tweets",
    "movies": "movieReviewSnippets",
    "amazon": "amazonReviewSnippets",
    "nyt": "nytEditorialSnippets",
}
_FOLDER = "hutto_ICWSM_2014"
_OUTER = f"vaderSentiment-3.3.2/additional_resources/{_FOLDER}.tar.gz"

# Hub data sets by short name: id, configuration, split, text column, and the valence of each label.
HUB = {
    "sst2": ("stanfordnlp/sst2", None, "validation", "sentence", (-1, 1)),
    "imdb": ("stanfordnlp/imdb", None, "test", "text", (-1, 1)),
    "yelp": ("fancyzhx/yelp_polarity", None, "test", "text", (-1, 1)),
    "tweeteval": ("cardiffnlp/tweet_eval", "sentiment", "test", "text", (-1, 0, 1)),
    "rotten_tomatoes": ("cornell-movie-review-data/rotten_tomatoes", None, "test", "text", (-1, 1)),
}


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Rated texts.

    Attributes:
        name: short name.
        texts: n texts.
        ratings: (n,) valence; positive above 0. Labels count as -1 and 1.
        raters: the single ratings of each text, where they are public; an empty list where they are in doubt.
    """

    name: str
    texts: list[str]
    ratings: np.ndarray
    raters: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Corpus":
        """The chosen rows, in this order."""
        raters = None if self.raters is None else [self.raters[i] for i in rows]
        return replace(self, texts=[self.texts[i] for i in rows], ratings=self.ratings[rows], raters=raters)


def sample(name: str, samples: int) -> Corpus:
    """The texts that a command works on: ``selection``, or the reported ones of a corpus; see both."""
    return selection(samples) if name == "selection" else reported(name, samples)


def selection(samples: int = SELECTION) -> Corpus:
    """Tweets that choices may look at, at most ``SELECTION``."""
    corpus = load(SELECTION_CORPUS)
    return replace(corpus.take(_permutation(len(corpus))[: min(samples, SELECTION)]), name="selection")


def reported(name: str, samples: int) -> Corpus:
    """Texts to report on; of the selection corpus those after the selection sample.

    Args:
        name: see ``load``.
        samples: at most this many.
    """
    corpus = load(name)
    first = SELECTION if name == SELECTION_CORPUS else 0
    sample = corpus.take(_permutation(len(corpus))[first : first + samples])
    if len(sample) < LEAST:
        raise ValueError(
            f"--corpora {name}: the {len(sample)} texts drawn are fewer than {LEAST}; give a larger corpus or more "
            f"--samples"
        )
    if not 0 < np.sum(sample.ratings > 0) < len(sample):
        raise ValueError(
            f"--corpora {name}: the {len(sample)} texts drawn are all of one sign; centre the labels so that 0 is "
            f"neutral, or give texts of both signs"
        )
    return sample


def by_name(corpora: Iterable[Corpus], *, taken: tuple[str, ...] = ()) -> dict[str, Corpus]:
    """Corpora by name, so that results never stand under the name of another corpus.

    Args:
        corpora: what was asked for.
        taken: names that the results use for something else.

    Raises:
        ValueError: two corpora of one name, or one of a taken name.
    """
    found: dict[str, Corpus] = {}
    for corpus in corpora:
        if corpus.name in found or corpus.name in taken:
            raise ValueError(f"--corpora: the name '{corpus.name}' is taken twice; rename the file or leave one out")
        found[corpus.name] = corpus
    return found


def load(name: str) -> Corpus:
    """A whole corpus.

    Args:
        name: one of ``RATED`` (fetched through pip), one of ``HUB`` (needs the ``datasets`` package and its hub or
            cache), or a ``.csv`` or ``.tsv`` file with the columns ``text`` and ``label``.

    Raises:
        ValueError: no such corpus, or a malformed file; names the fix.
    """
    if name in RATED:
        return _rated(name)
    if name in HUB:
        return _from_hub(name)
    if Path(name).suffix in (".csv", ".tsv"):
        return _from_file(Path(name))
    known = ", ".join([*RATED, "selection", *HUB])
    raise ValueError(f"--corpora {name}: choose from {known}, or give a .csv or .tsv file with columns text and label")


def _permutation(n: int) -> np.ndarray:
    return np.random.default_rng(SEED).permutation(n)


def _rated(name: str) -> Corpus:
    truth = dict(_rows(RATED[name], "GroundTruth"))
    raters = {key: ast.literal_eval(columns[-1]) for key, columns in _rows(RATED[name], "anonDataRatings")}
    ratings = np.array([float(rating) for rating, _ in truth.values()])
    # The two files disagree about 199 tweets: there the single ratings belong to other texts.
    consistent = [abs(np.mean(raters[key]) - rating) < 1e-6 for key, rating in zip(truth, ratings)]
    return Corpus(
        name=name,
        texts=[html.unescape(text).strip() for _, text in truth.values()],
        ratings=ratings,
        raters=[raters[key] if good else [] for key, good in zip(truth, consistent)],
    )


def _rows(stem: str, kind: str) -> Iterator[tuple[str, list[str]]]:
    """Lines of one file of the archive, as (id, other columns); the texts themselves hold no tab."""
    content = VADER.read(_OUTER, f"{_FOLDER}/{stem}_{kind}.txt").decode("utf-8-sig")
    for line in content.split("\n"):
        if line.strip():
            key, *columns = line.rstrip("\r").split("\t")
            yield key, columns


def _from_hub(name: str) -> Corpus:
    path, configuration, split, column, valence = HUB[name]
    if find_spec("datasets") is None:
        raise ValueError(
            f"--corpora {name}: needs the package datasets (pip install datasets) and the hub; or save {path} as a "
            f".csv with columns text and label and give that file"
        )
    from datasets import load_dataset

    try:
        rows = load_dataset(path, configuration, split=split)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"--corpora {name}: {path} cannot be loaded ({reason}); give a .csv file instead") from error
    ratings = np.array([valence[label] for label in rows["label"]], dtype=float)
    return Corpus(name=name, texts=list(rows[column]), ratings=ratings).take(np.flatnonzero(ratings))


def _from_file(path: Path) -> Corpus:
    """Two labels count as negative (the lower) and positive; more are ratings, and those of 0 are left out."""
    csv.field_size_limit(sys.maxsize)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # Excel begins a file with a byte order mark
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
        texts = [row["text"].strip() for row in rows]
        ratings = np.array([float(row["label"]) for row in rows])
    except KeyError as error:
        raise ValueError(f"--corpora {path}: no column {error}; the header must name text and label") from error
    except OSError as error:
        raise ValueError(f"--corpora {path} cannot be read ({error.strerror or error}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"--corpora {path} cannot be read ({error}); save it as a text table in UTF-8") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f"--corpora {path} cannot be read: a row lacks its text or its label; complete it") from error
    except ValueError as error:
        raise ValueError(f"--corpora {path} cannot be read ({error}); labels must be numbers") from error
    if not texts or not all(texts) or not np.isfinite(ratings).all():
        raise ValueError(f"--corpora {path}: empty texts or labels that are not finite; remove those rows")
    if len(values := np.unique(ratings)) == 2:
        ratings = np.where(ratings == values[1], 1.0, -1.0)
    elif len(values) > 2 and values[0] >= 0:
        raise ValueError(
            f"--corpora {path}: labels {values[0]:g}..{values[-1]:g} have no sign; centre them so that 0 is neutral"
        )
    return Corpus(name=path.stem, texts=texts, ratings=ratings).take(np.flatnonzero(ratings))
