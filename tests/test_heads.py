"""Heads have the published sizes and read the tokens as described."""

import pytest
import torch
import torch.nn.functional as F

from eeg.batch import Batch
from lightning_modules.heads import ChannelPool, HeadName, build_head

NAMES = HeadName.__args__
PUBLISHED = [
    ("emod", {"rows": 32, "n_tokens": 50, "dim": 128, "n_classes": 9}, 3_344_266),
    ("flatten_mlp", {"rows": 32, "n_tokens": 10, "dim": 200, "n_classes": 9}, 128_404_009),
    ("flatten_mlp", {"rows": 62, "n_tokens": 1, "dim": 200, "n_classes": 5}, 10_082_005),
    ("mean_linear", {"rows": 32, "n_tokens": 10, "dim": 200, "n_classes": 9}, 1_809),
]


CLASS_OF = (0, 0, 1, 2, 2, 3, 4, 4)


def small(name: str, *, dropout: float = 0.0) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_head(name, rows=4, n_tokens=3, dim=8, n_classes=5, dropout=dropout, class_of=CLASS_OF)


@pytest.mark.parametrize(("name", "sizes", "parameters"), PUBLISHED)
def test_published_parameter_counts(name, sizes, parameters):
    with torch.device("meta"):
        head = build_head(name, **sizes, dropout=0.1)
    assert sum(p.numel() for p in head.parameters()) == parameters


@pytest.mark.parametrize("name", NAMES)
def test_logits_of_every_head(name):
    head, tokens = small(name), torch.randn(6, 4, 3, 8, requires_grad=True)
    logits = head(tokens)
    assert logits.shape == (6, 5)
    F.cross_entropy(logits, torch.arange(6) % 5).backward()
    assert (tokens.grad.flatten(2).abs().sum(dim=2) > 0).all()
    assert all(p.grad.abs().sum() > 0 for n, p in head.named_parameters() if "score.bias" not in n)


@pytest.mark.parametrize("name", ["emod", "flatten_mlp"])
def test_dropout_is_active_in_training_only(name):
    head, tokens = small(name, dropout=0.5), torch.randn(6, 4, 3, 8)
    assert not torch.equal(head(tokens), head(tokens))
    head.eval()
    assert torch.equal(head(tokens), head(tokens))


def test_mean_linear_reads_only_the_mean():
    head, tokens = small("mean_linear"), torch.randn(2, 4, 3, 8)
    h = tokens.mean(dim=(1, 2))
    torch.testing.assert_close(head(tokens), head(h[:, None, None].expand_as(tokens)))


def test_channel_pool_is_a_softmax_mean():
    torch.manual_seed(0)
    pool, tokens = ChannelPool(dim=8, dropout=0.25).eval(), torch.randn(2, 4, 3, 8)
    expected = torch.zeros(2, 3, 8)
    for b in range(2):
        for n in range(3):
            weights = torch.stack([pool.score(tokens[b, c, n]).squeeze() for c in range(4)]).softmax(dim=0)
            expected[b, n] = weights @ tokens[b, :, n]
    torch.testing.assert_close(pool(tokens), expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_head_fits_one_row_of_tokens_and_uses_all_its_parameters(name):
    torch.manual_seed(0)
    head = build_head(name, rows=1, n_tokens=3, dim=8, n_classes=5, dropout=0.0, class_of=CLASS_OF)
    tokens = torch.randn(6, 1, 3, 8, requires_grad=True)
    F.cross_entropy(head(tokens), torch.arange(6) % 5).backward()
    assert (tokens.grad.abs().sum(dim=3) > 0).all()
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())


def test_emod_head_says_that_it_has_nothing_to_pool(caplog):
    small("emod")
    assert not caplog.text
    one = build_head("emod", rows=1, n_tokens=3, dim=8, n_classes=5, dropout=0.25)
    assert "one row of tokens" in caplog.text
    # What the pool makes of one row, but for two parameters that nothing depends on.
    pooled, tokens = ChannelPool(dim=8, dropout=0.25).eval(), torch.randn(6, 1, 3, 8)
    torch.testing.assert_close(one.eval()(tokens), one(pooled(tokens)))


def test_unknown_head_lists_the_names():
    with pytest.raises(ValueError, match="mean_linear"):
        small("linear")


def test_a_class_has_the_summed_probability_of_its_clips():
    head, tokens = small("folded_clips"), 30 * torch.randn(6, 4, 3, 8)  # so far apart that some underflow
    clips = head.clips(tokens).softmax(dim=1)
    expected = torch.stack([clips[:, torch.tensor(CLASS_OF) == k].sum(dim=1) for k in range(5)], dim=1)
    torch.testing.assert_close(head(tokens).exp(), expected)
    torch.testing.assert_close(head(tokens).softmax(dim=1), expected)  # what metrics and votes make of it


def test_the_folded_head_learns_clips_and_classes():
    head, tokens = small("folded_clips"), torch.randn(6, 4, 3, 8)
    stimulus = torch.arange(6)
    y = torch.tensor(CLASS_OF)[stimulus]
    batch = Batch(x=tokens, y=y, stimulus=stimulus, subject=stimulus, index=stimulus)
    loss = head.task_loss(tokens, batch, label_smoothing=0.1)
    of_classes = F.nll_loss(head(tokens), y)
    of_clips = F.cross_entropy(head.clips(tokens), stimulus, label_smoothing=0.1)
    torch.testing.assert_close(loss, of_classes + of_clips)
    loss.backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in head.parameters())


@pytest.mark.parametrize("class_of", [None, (0, 1, 2, 3)])
def test_the_folded_head_refuses_classes_without_clips(class_of):
    with pytest.raises(ValueError, match="folded_clips"):
        build_head("folded_clips", rows=1, n_tokens=1, dim=8, n_classes=5, dropout=0.0, class_of=class_of)
