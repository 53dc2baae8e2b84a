"""Which seeds a study runs: a list, or as many as the answer needs."""

from measures.outcome import LOOKS

PAPER = (42, 123, 456, 789, 2025)  # the paper's five paired seeds
FURTHER = 3000  # the seeds after them, fixed so that a study that goes on finds the runs that are there
AUTO = "auto"
LARGEST = 2**32 - 1  # NumPy's generator takes no larger one
STEP = 4  # pairs between looks beyond those of LOOKS


def first_seeds(count: int) -> tuple[int, ...]:
    """The paper's five, then 3000, 3001, ..."""
    return (*PAPER, *range(FURTHER, FURTHER + count))[:count]


def looks_of(text: str | None) -> tuple[int, ...] | None:
    """Numbers of pairs after which ``--seeds auto`` or ``auto:BUDGET`` looks; None for a list of seeds.

    The budget is part of the plan: the error that each look may spend follows from all of them, so it is chosen before
    the first look and not raised when the answer does not please.

    Raises:
        ValueError: the budget is no number of pairs that can be judged.
    """
    name, _, budget = (text or "").partition(":")
    if name != AUTO:
        return None
    if budget and not budget.isdigit():
        raise ValueError(f"--seeds {text}: the budget is a whole number of pairs, as in --seeds auto:20")
    most = int(budget) if budget else LOOKS[-1]
    if most < 2:
        raise ValueError(f"--seeds {text}: two pairs are the least that can be judged")
    planned = (*LOOKS, *range(LOOKS[-1] + STEP, most, STEP))
    return (*(n for n in planned if n < most), most)


def seeds_of(text: str | None) -> tuple[int, ...]:
    """The seeds of ``--seeds``, at most: all of the budget where they are added as needed."""
    looks = looks_of(text)
    if looks:
        return first_seeds(looks[-1])
    if text is None:
        return PAPER
    return seeds_given(text)


def seeds_given(text: str) -> tuple[int, ...]:
    """The seeds of a list.

    Raises:
        ValueError: one of them is none.
    """
    seeds = numbers(text, flag="--seeds")
    if wrong := [seed for seed in seeds if not 0 <= seed <= LARGEST]:
        raise ValueError(f"--seeds {text}: a seed is a whole number from 0 to {LARGEST}, not {wrong[0]}")
    return seeds


def numbers(text: str, *, flag: str) -> tuple[int, ...]:
    """Whole numbers, separated by commas, each once."""
    try:
        found = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise SystemExit(f"error: {flag} takes whole numbers separated by commas, got '{text}'") from None
    if len(set(found)) < len(found):
        raise SystemExit(f"error: {flag} {text} names a number twice")
    return found


def one_number(text: str, *, flag: str) -> int:
    """The number of a flag that takes a single one."""
    found = numbers(text, flag=flag)
    if len(found) > 1:
        raise ValueError(f"{flag} takes one number, got {text}")
    return found[0]
