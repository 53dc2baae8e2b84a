"""CBraMod: one token a second and electrode, mixed by criss-cross attention."""

from typing import cast

import torch
from torch import Tensor, nn

from eeg.batch import DataSpec
from networks._attention import SelfAttention
from networks.base import Adaptable, Contract, Network
from networks.weights import load_strictly, read_weights

PATCH = 200  # samples a token: one second at 200 Hz
DIM = 200
FILTERS, GROUPS = 25, 5
HEADS = 4  # of each half of the features
HIDDEN = 800

# The names of the authors' file, which braindecode's port shares, and ours.
RENAMED = {
    r"^backbone\.": "",
    r"^patch_embedding\.proj_in\.": "patches.time.",
    r"^patch_embedding\.spectral_proj\.0\.": "patches.frequency.",
    r"^patch_embedding\.positional_encoding\.0\.": "positions.",
    r"^encoder\.layers\.": "blocks.",
    r"\.self_attn_s\.in_proj_(weight|bias)$": r".channel_attention.qkv.\1",
    r"\.self_attn_t\.in_proj_(weight|bias)$": r".time_attention.qkv.\1",
    r"\.self_attn_s\.out_proj\.": ".channel_attention.proj.",
    r"\.self_attn_t\.out_proj\.": ".time_attention.proj.",
    r"\.norm1\.": ".attention_norm.",
    r"\.norm2\.": ".ffn_norm.",
    r"\.linear1\.": ".ffn.0.",
    r"\.linear2\.": ".ffn.3.",
}
# Of masked pretraining: the layer that reconstructs, and the mask token, which is zero and not trained. Then heads.
LEFT_OUT = (
    *("proj_out.", "patch_embedding.mask_encoding", "backbone.proj_out.", "backbone.patch_embedding.mask_encoding"),
    *("classifier.", "final_layer."),
)


class Patches(nn.Module):
    """A second of an electrode as 200 numbers: filtered in time, plus a linear map of its amplitude spectrum.

    The group statistics run over all electrodes and seconds of a trial, so tokens are compared within it.
    """

    def __init__(self, *, dropout: float) -> None:
        super().__init__()
        # 200 samples in steps of 25 leave 8 positions; 25 filters times 8 positions are the 200 numbers.
        layers: list[nn.Module] = [nn.Conv2d(1, FILTERS, kernel_size=(1, 49), stride=(1, 25), padding=(0, 24))]
        layers += [nn.GroupNorm(GROUPS, FILTERS), nn.GELU()]
        for _ in range(2):
            layers += [nn.Conv2d(FILTERS, FILTERS, kernel_size=(1, 3), padding=(0, 1))]
            layers += [nn.GroupNorm(GROUPS, FILTERS), nn.GELU()]
        self.time = nn.Sequential(*layers)
        self.frequency = nn.Linear(PATCH // 2 + 1, DIM)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N, 200) to the same shape."""
        waves = self.time(x.flatten(1, 2)[:, None])  # (B, 25, C N, 8)
        spectrum = torch.fft.rfft(x, norm="forward").abs()
        return waves.transpose(1, 2).reshape(x.shape) + self.dropout(self.frequency(spectrum))


class Block(nn.Module):
    """Pre-norm residual block: half of the features attend across electrodes, half across seconds; a feed-forward."""

    def __init__(self, *, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.channel_attention = SelfAttention(dim=DIM // 2, heads=HEADS, dropout=dropout)
        self.time_attention = SelfAttention(dim=DIM // 2, heads=HEADS, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.ffn = nn.Sequential(
            nn.Linear(DIM, HIDDEN), nn.GELU(), nn.Dropout(dropout), nn.Linear(HIDDEN, DIM), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N, 200) to the same shape."""
        across_channels, across_time = self.attention_norm(x).chunk(2, dim=-1)
        mixed = [self._channels(across_channels), self._seconds(across_time)]
        x = x + self.dropout(torch.cat(mixed, dim=-1))
        return x + self.ffn(self.ffn_norm(x))

    def _channels(self, x: Tensor) -> Tensor:
        columns = x.transpose(1, 2)  # (B, N, C, 100)
        return self.channel_attention(columns.flatten(0, 1)).view(columns.shape).transpose(1, 2)

    def _seconds(self, x: Tensor) -> Tensor:
        return self.time_attention(x.flatten(0, 1)).view(x.shape)


class CBraMod(Network):
    """CBraMod (Wang et al. 2025, ICLR, arXiv 2412.07236): criss-cross attention over electrodes and seconds.

    Trials are 200 Hz in units of 100 microvolt (``--data.scale 100``, the default) and are cut into seconds. Positions
    are a depthwise convolution over rows and seconds and know no electrode names, so the order of channels matters.

    The published numbers belong to the head ``flatten_mlp`` with dropout 0.1 and to pretrained weights;
    ``configs/cbramod.yaml`` sets both but the path.

    Args:
        depth: number of blocks, 12 as published.
        dropout: on attention, feed-forward and spectrum; 0.1 as published.
        weights: path of the authors' ``pretrained_weights.pth``, of braindecode's port of it, which has the same
            names, or of a file of ``train.py pretrain``; random without.

    Attributes:
        loaded: names of the parameters that came from the file.
    """

    reads = ("raw",)
    contract = Contract(sampling_rate=200, whole_seconds=True, scale=100)

    def __init__(self, *, depth: int = 12, dropout: float = 0.1, weights: str | None = None) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"network.depth must be at least 1, got {depth}")
        self.dim, self.depth, self.dropout, self.weights = DIM, depth, dropout, weights
        self.loaded: tuple[str, ...] = ()

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        self.n_tokens = spec.shape[1] // PATCH
        self.patches = Patches(dropout=self.dropout)
        # 19 electrodes by 7 seconds: the montage of the authors' pretraining data had 19.
        self.positions = nn.Conv2d(DIM, DIM, kernel_size=(19, 7), padding=(9, 3), groups=DIM)
        self.blocks = nn.Sequential(*(Block(dropout=self.dropout) for _ in range(self.depth)))
        self.apply(_start)
        if self.weights:
            state = read_weights(self.weights, renamed=RENAMED, dropped=LEFT_OUT)
            held = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
            fix = f"the file has {held} blocks; set --network.depth to their number, or name a CBraMod checkpoint"
            self.loaded = load_strictly(self, state, path=self.weights, fix=fix)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x.unflatten(-1, (self.n_tokens, PATCH)))
        positions = self.positions(patches.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.blocks(patches + positions)

    def adaptable(self) -> list[Adaptable]:
        blocks = cast("list[Block]", list(self.blocks))
        mixing = [
            a for block in blocks for part in (block.channel_attention, block.time_attention) for a in part.adaptable()
        ]
        return mixing + [Adaptable(block.ffn[3], "weight", "ffn_out") for block in blocks]


def _start(module: nn.Module) -> None:
    """Random start of the authors: linear layers normal with variance 2 / outputs, attention inputs as in PyTorch."""
    if isinstance(module, SelfAttention):
        nn.init.xavier_uniform_(module.qkv.weight)
        nn.init.zeros_(module.qkv.bias)
        nn.init.zeros_(module.proj.bias)
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
