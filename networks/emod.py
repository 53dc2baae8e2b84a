"""EMOD: raw EEG to five tokens a second, mixed along electrodes and along time by axial attention."""

import logging
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eeg.batch import DataSpec
from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS, canonical
from networks._pooled_filters import pooled_filters
from networks.base import Adaptable, Network
from networks.weights import load_strictly, pretraining_of, read_weights

TOKENS_PER_SECOND = 5
MAX_TOKENS = 50  # length of the released relative-position table: trials of up to 10 s
HEAD_DIM = 8
TABLE_ROWS = 72  # 68 electrode names and spare rows, as released

# Row of an electrode in the embedding table: rank, from 1, among the upper-case names of all corpora of the release.
# Those are FACED, SEED-V and subsets of them, and one corpus with the old temporal names.
_NAMES = sorted({name.upper() for name in (*FACED_CHANNELS, *SEEDV_CHANNELS, "T3", "T4", "T5", "T6")})
# The release lists the last two rows of FACED as A1, A2; its files hold the right mastoid, A2, first. Weights belong to
# rows, so the row order of the release is kept.
ELECTRODE_ID = {name: rank for rank, name in enumerate(_NAMES, start=1)} | {"A2": 1, "A1": 2}

_log = logging.getLogger(__name__)


class Tokeniser(nn.Module):
    """Waveform and spectrum of each electrode, each filtered and pooled to N positions, fused by one linear layer.

    The spectrum is the real part of the Fourier transform of the whole trial, so position n pairs the n-th stretch of
    time with the n-th stretch of frequency. Group statistics run over electrodes and samples: relative power between
    electrodes survives, absolute scale mostly does not.
    """

    def __init__(self, *, dim: int, n_tokens: int) -> None:
        super().__init__()
        self.n_tokens = n_tokens
        self.time, self.frequency = self._filters(dim), self._filters(dim)
        self.fuse = nn.Linear(2 * dim, dim)

    @staticmethod
    def _filters(dim: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(1, dim, kernel_size=(1, 25), padding="same"), nn.GroupNorm(4, dim), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, N, D)."""
        spectrum = torch.fft.rfft(x, norm="forward").real
        features = [self._pooled(x, self.time), self._pooled(spectrum, self.frequency)]
        return F.gelu(self.fuse(torch.cat(features, dim=1).permute(0, 2, 3, 1)))

    def _pooled(self, x: Tensor, filters: nn.Sequential) -> Tensor:
        # The layers hold the parameters, under the names of the released weights; run one by one they are half a step.
        convolution, norm = cast(nn.Conv2d, filters[0]), cast(nn.GroupNorm, filters[1])
        return pooled_filters(x, convolution=convolution, norm=norm, positions=self.n_tokens)


class Attention(nn.Module):
    """Multi-head self-attention over sequences (M, L, D), optionally with relative positions shared by the heads."""

    def __init__(self, *, dim: int, relative: bool) -> None:
        super().__init__()
        self.heads = dim // HEAD_DIM
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative = nn.Parameter(torch.randn(2 * MAX_TOKENS - 1, HEAD_DIM)) if relative else None

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, HEAD_DIM)).permute(2, 0, 3, 1, 4)
        position = None if self.relative is None else self._position_logits(q, self.relative)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=position)
        return self.proj(out.transpose(1, 2).flatten(2))

    def _position_logits(self, q: Tensor, relative: Tensor) -> Tensor:
        """(M, H, L, L): query i times the vector of distance i - j, not scaled by the head width (as released)."""
        steps = torch.arange(q.shape[2], device=q.device)
        table = relative[steps[:, None] - steps + MAX_TOKENS - 1]
        return torch.einsum("mhid,ijd->mhij", q, table)


class Block(nn.Module):
    """Pre-norm residual block: attention along electrodes, attention along time, feed-forward."""

    def __init__(self, *, dim: int, dropout: float, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.channel_norm, self.channel_attention = nn.LayerNorm(dim), Attention(dim=dim, relative=False)
        self.time_norm, self.time_attention = nn.LayerNorm(dim), Attention(dim=dim, relative=True)
        self.ffn_norm = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim), nn.Dropout(dropout)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N, D) to the same shape."""
        x = x + self.dropout(self._along_channels(self.channel_norm(x)))
        x = x + self.dropout(self._along_time(self.time_norm(x)))
        return x + self.ffn(self.ffn_norm(x))

    def _along_channels(self, x: Tensor) -> Tensor:
        batch, channels, n_tokens, dim = x.shape
        out = self.channel_attention(x.transpose(1, 2).reshape(batch * n_tokens, channels, dim))
        return out.view(batch, n_tokens, channels, dim).transpose(1, 2)

    def _along_time(self, x: Tensor) -> Tensor:
        """Under ``released`` the (D, N) numbers of an electrode are cut anew into N rows of D: a token of the attention
        then holds all time points of about D / N features, and the result is added back without undoing the cut."""
        rows = x.transpose(2, 3) if self.layout == "released" else x
        return self.time_attention(rows.reshape(-1, *x.shape[2:])).view(x.shape)


class EMOD(Network):
    """EMOD encoder (Chen, Zhao, Li, Pan, AAAI 2026, arXiv 2511.05863), written anew from its published architecture.

    Five tokens a second whatever the sampling rate; no norm after the last block. It is meant for signals in microvolt
    (``data.scale`` 1): in smaller units the biases of the filters outweigh the signal in the group statistics. Backbone
    parameters at width 128: 845,384 with depth 3 and 1,641,488 with depth 6, the two of arXiv 2606.00129.

    Args:
        depth: number of axial blocks.
        dim: token width D, a multiple of 8 (attention heads are 8 wide).
        time_axis_layout: ``released`` repeats a layout slip of the authors' code, by which the second attention mixes
            time and features instead of attending along time; their weights, and the numbers of arXiv 2606.00129,
            belong to it. ``proper`` attends along time: another model, the one to prefer for science.
        dropout: dropout probability, 0.1 in the authors' pretraining and 0.25 in their fine-tuning.
        weights: path to a checkpoint with the authors' parameter names (their licence is unstated, so none is shipped),
            or of ``train.py pretrain``; a network deeper than the file keeps its further blocks random.

    Attributes:
        loaded: names of the parameters that came from the file.
    """

    reads = ("raw",)

    def __init__(
        self,
        *,
        depth: int = 3,
        dim: int = 128,
        time_axis_layout: Literal["released", "proper"] = "released",
        dropout: float = 0.25,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if dim <= 0 or dim % HEAD_DIM:
            raise ValueError(f"network.dim must be a positive multiple of {HEAD_DIM}, got {dim}")
        self.depth, self.dim, self.dropout, self.weights = depth, dim, dropout, weights
        self.time_axis_layout = time_axis_layout
        self.loaded: tuple[str, ...] = ()

    def build(self, spec: DataSpec) -> None:
        if spec.features != "raw":
            raise ValueError(f"EMOD reads raw EEG, data.features is '{spec.features}'; set data.features to raw")
        self.n_tokens = round(TOKENS_PER_SECOND * spec.window_seconds)
        if not 1 <= self.n_tokens <= MAX_TOKENS:
            raise ValueError(
                f"EMOD's position table holds 1 to {MAX_TOKENS} tokens at {TOKENS_PER_SECOND} a second; trials of "
                f"{spec.window_seconds:g} s need {self.n_tokens}: use at most {MAX_TOKENS // TOKENS_PER_SECOND} s"
            )
        self.register_buffer("electrodes", electrode_ids(spec.channels), persistent=False)
        self.tokeniser = Tokeniser(dim=self.dim, n_tokens=self.n_tokens)
        self.electrode_table = nn.Embedding(TABLE_ROWS, self.dim)
        self.blocks = nn.Sequential(
            *(Block(dim=self.dim, dropout=self.dropout, layout=self.time_axis_layout) for _ in range(self.depth))
        )
        if self.weights:
            self.loaded = load_released(self, self.weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.tokeniser(x) + self.electrode_table(self.electrodes)[:, None])

    def adaptable(self) -> list[Adaptable]:
        blocks = cast("list[Block]", list(self.blocks))
        attention = [a for block in blocks for a in (block.channel_attention, block.time_attention)]
        # One fused layer makes queries, keys and values; only the last two thirds of its outputs are attended to.
        mixing = [Adaptable(a.qkv, "weight", "mixing", slice(self.dim, 3 * self.dim)) for a in attention]
        mixing += [Adaptable(a.proj, "weight", "mixing") for a in attention]
        return mixing + [Adaptable(block.ffn[3], "weight", "ffn_out") for block in blocks]


def electrode_ids(channels: tuple[str, ...]) -> Tensor:
    """(C,) int64 rows of the electrodes in the embedding table."""
    unknown = [name for name in channels if canonical(name) not in ELECTRODE_ID]
    if unknown:
        raise ValueError(f"EMOD has no embedding for electrodes {unknown}; it knows {sorted(ELECTRODE_ID)}")
    return torch.tensor([ELECTRODE_ID[canonical(name)] for name in channels])


# The authors' parameter names (regular expressions) and ours.
RENAMED = {
    r"^embd\.time_tokenConv\.": "tokeniser.time.",
    r"^embd\.freq_tokenConv\.": "tokeniser.frequency.",
    r"^embd\.l\.1\.": "tokeniser.fuse.",
    r"^pos_embeddings\.": "electrode_table.",
    r"^axial_transformer\.layers\.": "blocks.",
    r"\.height_attn\.": ".channel_attention.",
    r"\.width_attn\.rel_pos_embed\.rel_embed$": ".time_attention.relative",
    r"\.width_attn\.": ".time_attention.",
    r"\.norm_height\.": ".channel_norm.",
    r"\.norm_width\.": ".time_norm.",
    r"\.norm_ffn\.": ".ffn_norm.",
}
HEADS = ("projection_head.", "classifier.")  # of pretraining and of fine-tuning; ours is the decoder's


def load_released(network: EMOD, path: str) -> tuple[str, ...]:
    """Copy a checkpoint with the authors' names into the network.

    Returns:
        names of the parameters that were set; blocks beyond the depth of the file keep their random start, as in the
        six-block model of arXiv 2606.00129.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not a state dict, or of another architecture; names the first tensor that differs.
    """
    # Of one shape in both layouts, so no load would notice; the authors' were trained with theirs.
    trained = pretraining_of(path).get("network", {}).get("time_axis_layout", "released")
    if network.time_axis_layout != trained:
        raise ValueError(f"network.weights were trained with time_axis_layout '{trained}'; set that, or drop weights")
    state = read_weights(path, renamed=RENAMED, dropped=HEADS)
    held = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    random = list(range(len(held), network.depth)) if held else []
    loaded = load_strictly(
        network,
        state,
        path=path,
        fix=f"the file has {len(held)} blocks; set --network.dim and --network.depth to those of the file",
        may_lack=tuple(f"blocks.{i}." for i in random),
    )
    if random:
        _log.warning("%s has %d blocks; blocks %s keep their random start", path, len(held), random)
    return loaded
