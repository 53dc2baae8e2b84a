"""How far a search is: a bar in a terminal, one line a trial that ended where there is none."""

import sys
import time
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm


class Progress:
    """Trials that ended, the best of them, and what was pruned or has failed.

    Args:
        trials: all of them, as the study has them at the start.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        self.terminal = sys.stderr.isatty()  # a log of a cluster would hold every state of the bar
        self.told = {trial.number for trial in trials if trial.state.is_finished()}
        off = not self.terminal
        self.bar = tqdm(total=len(trials), unit="trial", desc="search", mininterval=1.0, disable=off)

    def show(self, trials: Sequence[FrozenTrial]) -> None:
        """Tell what has ended since."""
        ended = [trial for trial in trials if trial.state.is_finished()]
        self.bar.set_postfix_str(_counts(trials), refresh=False)
        self.bar.update(len(ended) - self.bar.n)
        for trial in [trial for trial in ended if trial.number not in self.told]:
            self.told.add(trial.number)
            if not self.terminal:
                score = f" {trial.values[0]:.4f}" if trial.state == TrialState.COMPLETE else ""
                failed = f": {trial.user_attrs.get('error')}" if trial.state == TrialState.FAIL else ""
                what = f"trial {trial.number} {trial.state.name.lower()}{score}{failed}"
                print(f"{time.strftime('%H:%M:%S')} {what} ({len(ended)}/{len(trials)}, {_counts(trials)})", flush=True)

    def close(self) -> None:
        self.bar.close()


def _counts(trials: Sequence[FrozenTrial]) -> str:
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    pruned, failed = (sum(t.state == state for t in trials) for state in (TrialState.PRUNED, TrialState.FAIL))
    best = f"best {max(trial.values[0] for trial in complete):.4f}, " if complete else ""
    return f"{best}{pruned} pruned, {failed} failed"
