"""Strategies that set trials against each other or texts: closed forms, invariances, outside oracles."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from losses._geometry import unit
from losses.clip_infonce import ClipInfoNCE, position_features
from losses.crd import CRD
from losses.soft_supcon import SoftSupCon
from tests.loss_cases import ALL, CLASS_LEVEL, STIMULI, TARGETS, B, D, built, normal, value
from vaxis.emotions import FACED


@pytest.mark.parametrize(
    "loss",
    [
        SoftSupCon(),
        SoftSupCon(projection="identity", level="class"),
        ClipInfoNCE(),
        ClipInfoNCE(text="rbf", negatives="all"),
        ClipInfoNCE(false_negatives="naive"),
        CRD(),
        CRD(negatives="class"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_gradcheck(loss):
    loss = built(loss, TARGETS).double()
    h = normal(8, D).requires_grad_()
    assert gradcheck(lambda h: value(loss, h, torch.tensor([0, 0, 3, 9, 13, 13, 20, 27])), (h,))


class TestSoftSupCon:
    # Made by SupConLoss of pytorch-metric-learning 2.9.0 on these features and labels.
    @pytest.mark.parametrize(("temperature", "expected"), [(0.07, 16.416098003166834), (0.5, 3.4554391189332962)])
    def test_hard_weights_match_pytorch_metric_learning(self, temperature, expected):
        h = torch.zeros(12, D, dtype=torch.float64)
        h[:, :4] = torch.sin(torch.arange(48, dtype=torch.float64).reshape(12, 4) ** 1.3)
        first = torch.tensor([0, 3, 6, 9, 12, 16])  # first clip of classes 0 to 5
        labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5])
        for level in ("class", "stimulus"):
            loss = SoftSupCon(projection="identity", temperature=temperature, d_max=1e-4, level=level)
            found = value(built(loss, CLASS_LEVEL).double(), h, first[labels])
            assert math.isclose(found, expected, rel_tol=1e-6)

    def test_matches_the_definition_sum_by_sum(self):
        h = normal(9, D)
        loss = built(SoftSupCon(projection="identity", temperature=0.3), TARGETS).double()
        z, t = h / h.norm(dim=1, keepdim=True), loss.v[STIMULI[:9]]
        reach = 0.625 * (loss.v.max() - loss.v.min())
        anchors = []
        for i in range(9):
            others = [j for j in range(9) if j != i]
            weights = [max(0.0, float(1 - (t[i] - t[j]).abs() / reach)) for j in others]
            scores = [math.exp(float(z[i] @ z[j]) / 0.3) for j in others]
            if sum(weights):
                terms = [w * math.log(s / sum(scores)) for w, s in zip(weights, scores)]
                anchors.append(-sum(terms) / sum(weights))
        assert math.isclose(value(loss, h, STIMULI[:9]), np.mean(anchors), rel_tol=1e-6)

    def test_never_below_the_entropy_of_the_weights(self):
        loss = built(SoftSupCon(projection="identity"), TARGETS).double()
        t = loss.v[STIMULI]
        weights = (1 - (t[:, None] - t).abs() / loss.reach).clamp_min(0) * (1 - torch.eye(B))
        share = weights / weights.sum(dim=1, keepdim=True)
        entropy = torch.special.entr(share).sum(dim=1).mean()
        for seed in range(20):
            assert value(loss, normal(B, D, seed=seed), STIMULI) >= entropy

    def test_trials_without_company_are_left_out(self):
        loss = built(SoftSupCon(projection="identity", d_max=1e-6), TARGETS).double()
        h, stimulus = normal(4, D), torch.tensor([0, 0, 13, 27])
        similarity = unit(h) @ unit(h).T / 0.07
        pair = [similarity[i, [j for j in range(4) if j != i]].logsumexp(0) - similarity[0, 1] for i in (0, 1)]
        torch.testing.assert_close(value(loss, h, stimulus), (pair[0] + pair[1]) / 2)
        assert value(loss, h[1:], stimulus[1:]) == 0
        assert loss.degenerate_batches == 1

    def test_infinite_reach_is_least_for_equal_similarities(self):
        loss = built(SoftSupCon(projection="identity", d_max=1e9), TARGETS).double()
        assert math.isclose(value(loss, torch.eye(8, D).double(), torch.arange(8)), math.log(7), rel_tol=1e-6)
        assert value(loss, normal(8, D), torch.arange(8)) > math.log(7)


class TestClipInfoNCE:
    def test_distinct_clips_give_the_classic_symmetric_loss(self):
        h = normal(28, D)
        merged, naive, everything = (
            value(built(ClipInfoNCE(**settings), TARGETS).double(), h, ALL)
            for settings in ({}, {"false_negatives": "naive"}, {"negatives": "all"})
        )
        loss = built(ClipInfoNCE(), TARGETS).double()
        eeg = F.normalize(loss.eeg_head(h), dim=1)
        text = F.normalize(loss.text_head(TARGETS.embeddings.double()), dim=1)
        logits = eeg @ text.T / 0.07
        classic = (F.cross_entropy(logits, ALL) + F.cross_entropy(logits.T, ALL)) / 2
        for found in (merged, naive, everything):
            torch.testing.assert_close(found, classic, rtol=1e-6, atol=0)

    def test_matches_the_definition_with_repeated_clips(self):
        h, loss = normal(B, D), built(ClipInfoNCE(), TARGETS).double()
        a = F.normalize(loss.eeg_head(h), dim=1)
        b = F.normalize(loss.text_head(TARGETS.embeddings.double()), dim=1)
        scores, present = a @ b.T / 0.07, STIMULI.unique()
        to_text = torch.stack([scores[i, present].logsumexp(0) - scores[i, s] for i, s in enumerate(STIMULI)]).mean()
        to_trials = torch.stack([scores[:, u].logsumexp(0) - scores[u == STIMULI, u].mean() for u in present]).mean()
        torch.testing.assert_close(value(loss, h, STIMULI), (to_text + to_trials) / 2, rtol=1e-6, atol=0)

    def test_all_texts_are_told_apart_also_those_of_no_trial(self):
        """From trial to text; from text to trial only texts that have a trial can be asked."""
        h, stimulus = normal(6, D), torch.tensor([3, 3, 9, 13, 20, 20])
        loss = built(ClipInfoNCE(negatives="all"), TARGETS).double()
        scores = (
            F.normalize(loss.eeg_head(h), dim=1) @ F.normalize(loss.text_head(TARGETS.embeddings.double()), dim=1).T
        )
        scores = scores / 0.07
        to_text = F.cross_entropy(scores, stimulus)
        present = stimulus.unique()
        to_trials = torch.stack([scores[:, u].logsumexp(0) - scores[u == stimulus, u].mean() for u in present]).mean()
        found = value(loss, h, stimulus)
        torch.testing.assert_close(found, (to_text + to_trials) / 2, rtol=1e-6, atol=0)
        loss.negatives = "batch"
        assert value(loss, h, stimulus) < found - 0.1

    def test_uniform_scores_give_logarithms_and_false_negatives_a_floor(self):
        present, counts = STIMULI.unique(return_counts=True)
        loss = built(ClipInfoNCE(), TARGETS).double()
        torch.nn.init.zeros_(loss.eeg_head.weight)
        expected = (math.log(len(present)) + math.log(B)) / 2
        torch.nn.init.zeros_(loss.text_head.weight)
        assert math.isclose(value(loss, normal(B, D), STIMULI).item(), expected, rel_tol=1e-6)
        floors = {}
        for kind in ("merge", "naive"):
            loss = built(ClipInfoNCE(false_negatives=kind, dim=D), TARGETS).double()
            for head in (loss.eeg_head, loss.text_head):
                torch.nn.init.eye_(head.weight)
                torch.nn.init.zeros_(head.bias)
            torch.nn.init.constant_(loss.log_scale, 9.0)  # held at 100
            floors[kind] = value(loss, loss.texts[loss.text_of[STIMULI]], STIMULI).item()
        own = counts.double().log()
        assert math.isclose(floors["merge"], own.mean() / 2, rel_tol=1e-6)
        assert math.isclose(floors["naive"], (own * counts).sum() / B, rel_tol=1e-6)

    def test_scale_and_both_heads_learn(self):
        loss = built(ClipInfoNCE(), TARGETS).double()
        value(loss, normal(B, D), STIMULI).backward()
        assert all(p.grad.abs().sum() > 0 for p in (loss.log_scale, loss.eeg_head.weight, loss.text_head.weight))

    def test_renaming_clips_is_neutral(self):
        order = torch.randperm(28, generator=torch.Generator().manual_seed(1))
        renamed = replace(TARGETS, embeddings=TARGETS.embeddings[order.argsort()])
        values = [
            value(built(ClipInfoNCE(), t).double(), normal(B, D), s)
            for t, s in ((TARGETS, STIMULI), (renamed, order[STIMULI]))
        ]
        torch.testing.assert_close(*values)

    def test_equal_texts_are_one(self):
        for text in ("embedding", "rbf"):
            loss = built(ClipInfoNCE(text=text), CLASS_LEVEL)
            assert len(loss.texts) == 9
            assert len({(k, int(t)) for k, t in zip(FACED.class_of, loss.text_of)}) == 9
            assert value(loss, torch.randn(3, D), torch.tensor([0, 1, 2])) == 0
            assert loss.degenerate_batches == 1

    def test_features_of_a_position_are_not_only_its_sign(self):
        features = position_features(TARGETS.v)
        assert features.shape == (28, 16)
        assert torch.linalg.matrix_rank(F.normalize(features, dim=1)) > 5
        near = (TARGETS.v[:, None] - TARGETS.v).abs()
        cosine = F.normalize(features, dim=1) @ F.normalize(features, dim=1).T
        assert cosine[near < 0.1].min() > 0.9
        assert cosine[near > 2.0].max() < 0.1

    def test_contrastive_only_drops_the_task(self):
        task, alignment = torch.tensor(2.0), torch.tensor(3.0)
        assert ClipInfoNCE(task_weight=0.0).combine(task=task, alignment=alignment, progress=0.0) == 1.5
        assert ClipInfoNCE().combine(task=task, alignment=alignment, progress=0.0) == 3.5


class TestCRD:
    @pytest.mark.parametrize("negatives", ["stimulus", "class"])
    def test_is_the_original_critic(self, negatives):
        h, stimulus = normal(5, D), torch.tensor([0, 4, 4, 13, 27])
        loss = built(CRD(negatives=negatives), TARGETS).double()
        scores = (F.normalize(loss.eeg_head(h), dim=1) @ loss.texts.T / 0.07).exp()
        trials = []
        for i, s in enumerate(stimulus.tolist()):
            same = [u for u in range(28) if FACED.class_of[u] == FACED.class_of[s]] if negatives == "class" else [s]
            others = [u for u in range(28) if u not in same]
            found, n = scores[i, loss.text_of], len(others)
            critic = found / (found + n / 28)
            trials.append(-(critic[s].log() + (1 - critic[others]).log().sum()) / (n + 1))
        torch.testing.assert_close(value(loss, h, stimulus), torch.stack(trials).mean(), rtol=1e-6, atol=0)

    def test_falls_with_the_own_score_and_rises_with_any_other(self):
        loss = built(CRD(dim=D), TARGETS).double()
        torch.nn.init.eye_(loss.eeg_head.weight)
        torch.nn.init.zeros_(loss.eeg_head.bias)
        own, other = loss.texts[loss.text_of[3]], loss.texts[loss.text_of[20]]
        h = normal(1, D)
        base, toward, astray = (value(loss, unit(x), torch.tensor([3])) for x in (h, h + 2 * own, h + 2 * other))
        assert toward < base < astray

    def test_order_one_at_the_start_and_trials_do_not_couple(self):
        loss = built(CRD(), TARGETS).double()
        h = normal(B, D)
        together = value(loss, h, STIMULI)
        alone = torch.stack([value(loss, h[i : i + 1], STIMULI[i : i + 1]) for i in range(B)]).mean()
        torch.testing.assert_close(alone, together)
        assert 0.3 < together < 2
        assert not CRD().couples_samples

    def test_projection_of_texts_is_the_same_every_time_and_keeps_angles(self):
        first = built(CRD(), TARGETS)
        torch.manual_seed(99)
        second = built(CRD(), TARGETS)
        assert torch.equal(first.texts, second.texts)
        placed = first.texts[first.text_of]
        torch.testing.assert_close(placed @ placed.T, TARGETS.embeddings @ TARGETS.embeddings.T, atol=1e-5, rtol=0)

    def test_equal_texts_are_one_and_need_another(self):
        loss = built(CRD(), CLASS_LEVEL)
        assert loss.negative.shape == (28, 9)
        assert torch.equal(loss.negative.sum(dim=1), torch.full((28,), 8))
        assert torch.equal(loss.negative, built(CRD(negatives="class"), CLASS_LEVEL).negative)
        with pytest.raises(ValueError, match="texts that differ"):
            built(CRD(), replace(CLASS_LEVEL, embeddings=torch.ones(28, 16)))
