"""What Lightning does around each of its hook calls where nobody listens: nothing."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import lightning as L
from lightning.pytorch.profilers import PassThroughProfiler

# Called at every batch, for each of some twenty callbacks of which one or two do something.
OF_BATCHES = (
    *(f"on_{stage}_batch_{end}" for stage in ("train", "validation", "test") for end in ("start", "end")),
    *("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step"),
)
OURS = ("callbacks.", "lightning_modules.")


class Unprofiled(PassThroughProfiler):
    """The profiler of a run without one, which Lightning enters at each hook call.

    Its own ``PassThroughProfiler`` makes a generator each time.
    """

    NOTHING = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]  # a context, too
        return self.NOTHING


def lean(trainer: L.Trainer) -> L.Trainer:
    """The Trainer, which skips batch hooks that callbacks of this project leave as they are, and profiles if asked to.

    Lightning passes over a hook that cannot be called. Those that a callback inherits from ``Callback`` do nothing, yet
    each is named for the profiler, looked up and called: with the callbacks of a run 100 times a step. Callbacks from
    elsewhere stay whole: who wrote them may call their hooks himself.
    """
    given: Any = trainer  # profiler and callbacks are set from outside its class
    if type(given.profiler) is PassThroughProfiler:
        given.profiler = Unprofiled()
    for callback in (one for one in given.callbacks if type(one).__module__.startswith(OURS)):
        for hook in OF_BATCHES:
            if getattr(type(callback), hook) is getattr(L.Callback, hook):
                vars(callback).setdefault(hook, None)
    return trainer
