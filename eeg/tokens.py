"""How the tokens of an encoder lie: what a network states, and what heads, losses and callbacks size themselves by."""

from collections.abc import Iterable
from dataclasses import dataclass

from eeg.montage import channel_indices


@dataclass(frozen=True, kw_only=True)
class TokenGrid:
    """The grid (C', N) of tokens (B, C', N, D).

    Attributes:
        network: name of the network, for errors.
        rows: C'.
        columns: N, tokens a row: stretches of time or frequency bands.
        electrodes: C' names where each row belongs to one electrode; None where the network mixes electrodes before
            its tokens, so that a row has no place on the scalp.
    """

    network: str
    rows: int
    columns: int
    electrodes: tuple[str, ...] | None

    def rows_of(self, names: Iterable[str], *, reader: str) -> list[int]:
        """Rows of these electrodes, in the order asked for; absent ones are skipped up to half of them.

        Args:
            names: electrode names, any case, old or new temporal names.
            reader: which loss asks, for the error.

        Raises:
            ValueError: the rows are no electrodes, or fewer than half of the named electrodes are among them.
        """
        if self.electrodes is None:
            raise ValueError(no_electrodes(reader, network=self.network))
        return channel_indices(names, montage=self.electrodes)


def no_electrodes(reader: str, *, network: str) -> str:
    """The one line that a strategy on single electrodes ends with where there are none."""
    return (
        f"--loss {reader} reads the tokens of single electrodes, but --network {network} mixes the electrodes before "
        "its tokens; take a network that keeps them (--network global_context_de or emod) or a strategy on features "
        "(--loss vaxis_mse)"
    )
