"""How the signal itself follows the axis over the scalp, for the report of a study."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from measures.topography import Topography
    from vaxis.axis import Axis


def topographies(data: Any, axis: "Axis") -> "list[Topography]":
    """How band features of the training subjects follow the axis over the scalp; none for raw signals."""
    from measures.topography import Topography, axis_topography
    from vaxis.targets import Targets

    if data.spec.features == "raw":
        return []
    data.setup()
    rows, trials = data.indices["train"], data.store.trials
    r = axis_topography(
        data.store.x[rows],
        stimulus=trials.stimulus[rows],
        subject=trials.subject[rows],
        v=Targets.from_axis(axis).v.numpy(),
    )
    people = len(set(trials.subject[rows].tolist()))
    return [
        Topography(
            title=f"{data.spec.features.upper()} of the {people} training subjects against the axis",
            r=r,
            channels=data.spec.channels,
            bands=("delta", "theta", "alpha", "beta", "gamma"),
            stimuli=len(data.spec.class_of),
        )
    ]
