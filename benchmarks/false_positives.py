"""How often does the verdict speak where there is nothing to say? ``python -m benchmarks.false_positives``.

Two null worlds. *Networks*: small simulated cohorts, each with a pool of runs of one decoder that differ in their seed
alone; half of a comparison's runs are called treated. *Tables*: normal differences of seeds and people with a mean of
zero, in which people do differ, so that only an interval for new people may call them nothing.

Everything is judged by the functions that judge real runs. The networks are the default one on band features in a plain
loop and not through the Trainer: thousands of runs in minutes. SIMULATED throughout.
"""

import sys
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from console.arguments import Arguments
from console.errors import one_line_errors
from measures.outcome import LOOKS, judged
from measures.paired import paired
from measures.people import crossed, person_scores

SEEDS, EPOCHS, PEOPLE = 5, 10, 30
WRONG = ("helps", "hurts")


def pools(cohorts: int, *, runs: int, people: int, epochs: int) -> Iterator[np.ndarray]:
    """Balanced accuracy (runs, test people) of equal decoders, a table for each simulated cohort.

    Args:
        cohorts: how many.
        runs: of each.
        people: of each, over all three parts of the split.
        epochs: of a run.
    """
    import torch

    from benchmarks.band_decoders import draw, networks
    from datamodules.simulation.faced_files import faced_cohort
    from datamodules.simulation.folder import choose_axis
    from vaxis.emotions import FACED

    torch.set_num_threads(1)
    for seed in tqdm(range(cohorts), unit="cohort", desc="null cohorts"):
        axis = choose_axis(None, taxonomy=FACED, seed=seed)
        parts = draw(faced_cohort(axis, snr=0.8, seed=seed), n_subjects=people)
        test = parts[2]
        y, predicted = test.y.numpy(), networks(parts, seeds=range(runs), epochs=epochs).argmax(dim=2).numpy()
        subject = np.repeat(np.arange(len(y) // (len(FACED.class_of) * 3)), len(FACED.class_of) * 3)
        yield np.array([list(person_scores(y, run, subject, n_classes=9).values()) for run in predicted])


def of_pools(tables: Iterator[np.ndarray]) -> dict[str, list[bool]]:
    """Whether each null comparison was called an effect, by way of judging."""
    called: dict[str, list[bool]] = {"seeds, 5 pairs": [], "seeds, as needed": [], "seeds x people, 5 pairs": []}
    used: list[int] = []
    for table in tables:
        # Every run takes part in one comparison of each kind, so comparisons of a kind share no run.
        for control, treated in _pairs(table, SEEDS):
            difference = treated - control
            called["seeds, 5 pairs"].append(judged(_compare(control, treated)).outcome in WRONG)
            interval = crossed(difference)
            called["seeds x people, 5 pairs"].append(not interval.low <= 0 <= interval.high)
        for control, treated in _pairs(table, LOOKS[-1]):
            for n in LOOKS:
                outcome = judged(_compare(control[:n], treated[:n]), looks=LOOKS).outcome
                if outcome != "unresolved":
                    break
            called["seeds, as needed"].append(outcome in WRONG)
            used.append(n)
    print(f"seeds as needed stopped after {np.mean(used):.1f} of {LOOKS[-1]} pairs on average\n")
    return called


def of_tables(draws: int) -> dict[str, list[bool]]:
    """The same for differences in which people vary about a mean of zero."""
    rng = np.random.default_rng(0)
    called: dict[str, list[bool]] = {"seeds alone, people differ": [], "seeds x people, people differ": []}
    for _ in range(draws):
        d = 0.01 * rng.normal(size=(SEEDS, 1)) + 0.03 * rng.normal(size=(1, 23)) + 0.03 * rng.normal(size=(SEEDS, 23))
        interval, seeds = crossed(d), judged(paired([0.0] * SEEDS, d.mean(axis=1).tolist()))
        called["seeds alone, people differ"].append(seeds.outcome in WRONG)
        called["seeds x people, people differ"].append(not interval.low <= 0 <= interval.high)
    return called


def _pairs(table: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(table) - 2 * n + 1, 2 * n):
        yield table[start : start + n], table[start + n : start + 2 * n]


def _compare(control: np.ndarray, treated: np.ndarray):
    return paired(control.mean(axis=1), treated.mean(axis=1))


def _row(name: str, called: list[bool]) -> str:
    from scipy.stats import binomtest

    found = binomtest(sum(called), len(called))
    low, high = found.proportion_ci()
    return f"| {name} | {len(called)} | {100 * found.statistic:.1f} % | {100 * low:.1f} to {100 * high:.1f} % |"


def main(argv: list[str]) -> None:
    """Draw, judge and print one table in Markdown.

    Args:
        argv: words of the command line.
    """
    parser = Arguments("python -m benchmarks.false_positives", about=__doc__)
    parser.add_argument("--cohorts", type=int, default=150, help="simulated cohorts, each with 80 runs")
    parser.add_argument("--draws", type=int, default=2000, help="tables of normal differences")
    args = parser.parse_args(argv)
    runs = 4 * LOOKS[-1]
    called = of_pools(pools(args.cohorts, runs=runs, people=PEOPLE, epochs=EPOCHS)) | of_tables(args.draws)
    print("| judged over (SIMULATED, no effect) | comparisons | called an effect | 95 % interval |\n|---|---|---|---|")
    print("\n".join(_row(name, values) for name, values in called.items()))


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
