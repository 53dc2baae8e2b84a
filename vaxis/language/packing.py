"""Several landing phrases after one text in one pass: every phrase sees the text and itself, none sees another."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pack(heads: Sequence[list[int]], tails: Sequence[list[int]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One row a text: its tokens, then those of all phrases, then padding.

    Args:
        heads: n texts as tokens.
        tails: S phrases as tokens.

    Returns:
        Tokens (n, T); positions (n, T), which start again after the text for each phrase; which tokens see which,
        (n, 1, T, T); and where each phrase ends, (n, S).
    """
    flat = [token for tail in tails for token in tail]
    width = max(map(len, heads)) + len(flat)
    tokens = torch.zeros(len(heads), width, dtype=torch.long)
    positions = torch.zeros_like(tokens)
    seen = torch.eye(width, dtype=torch.bool).repeat(len(heads), 1, 1)  # padding sees itself: no row may be empty
    ends = torch.zeros(len(heads), len(tails), dtype=torch.long)
    for row, head in enumerate(heads):
        start = len(head)
        tokens[row, : start + len(flat)] = torch.tensor(head + flat)
        positions[row, :start] = torch.arange(start)
        seen[row, :start, :start] = torch.ones(start, start, dtype=torch.bool).tril()
        begin = start
        for number, tail in enumerate(tails):
            end = begin + len(tail)
            positions[row, begin:end] = start + torch.arange(len(tail))
            seen[row, begin:end, :start] = True
            seen[row, begin:end, begin:end] = torch.ones(len(tail), len(tail), dtype=torch.bool).tril()
            ends[row, number] = end - 1
            begin = end
    return tokens, positions, seen[:, None], ends
