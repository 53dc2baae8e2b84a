"""Strategies that compare clips with each other: closed forms, invariances, outside oracles."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr
from torch.autograd import gradcheck
from torchmetrics.functional.shape import procrustes_disparity

from losses._geometry import condition_means, correlation, cosine, pairwise_distances, soft_rank
from losses.base import Output
from losses.procrustes import Procrustes, without_means
from losses.rkd import RKD, angle_cosines, defined_angles, relative_distances
from losses.rsa import RSA
from losses.soft_supcon import SoftSupCon
from tests.loss_cases import ALL, CLASS_LEVEL, STIMULI, TARGETS, B, D, batch_of, built, normal, value


@pytest.mark.parametrize(
    "loss",
    [RKD(), RKD(teacher="text"), Procrustes(mode="orthogonal")],
    ids=lambda loss: type(loss).__name__,
)
def test_gradcheck(loss):
    loss = built(loss, TARGETS).double()
    h = normal(8, D).requires_grad_()
    assert gradcheck(lambda h: value(loss, h, torch.tensor([0, 0, 3, 9, 13, 13, 20, 27])), (h,))


@pytest.mark.parametrize(
    "loss",
    [RKD(), RKD(teacher="text"), Procrustes(), Procrustes(mode="orthogonal"), SoftSupCon(projection="identity")],
    ids=lambda loss: type(loss).__name__,
)
def test_rotation_scale_and_sign_of_the_axis_change_nothing(loss):
    h, rotation = normal(B, D), torch.linalg.qr(normal(D, D, seed=1)).Q
    expected = value(built(loss, TARGETS).double(), h, STIMULI)
    torch.testing.assert_close(value(loss, 3 * h @ rotation, STIMULI), expected)
    flipped = built(loss, replace(TARGETS, v=-TARGETS.v, v_class=-TARGETS.v_class)).double()
    torch.testing.assert_close(value(flipped, h, STIMULI), expected)


class TestRKD:
    def test_zero_exactly_for_similar_figures(self):
        line = TARGETS.v[:, None].double() * normal(1, D)
        assert value(built(RKD(), TARGETS).double(), 5 * line + 2, ALL) < 1e-20
        figure = TARGETS.embeddings.double() @ torch.linalg.qr(normal(D, D)).Q
        assert value(built(RKD(teacher="text"), TARGETS).double(), 7 * figure - 1, ALL) < 1e-20

    def test_an_offset_between_distances_is_not_free(self):
        """Simplex features have equal distances: what RSA calls an offset costs here."""
        loss = built(RKD(), TARGETS)
        taught = relative_distances(TARGETS.v[:3, None], torch.ones(3, dtype=torch.bool))
        expected = F.smooth_l1_loss(torch.ones(3), taught)
        torch.testing.assert_close(value(loss, torch.eye(3, D), torch.arange(3)), expected)

    def test_matches_the_definition_pair_by_pair_and_triple_by_triple(self):
        x, t = normal(7, D), TARGETS.embeddings[:7].double()
        huber = lambda d: 0.5 * d**2 if abs(d) < 1 else abs(d) - 0.5  # noqa: E731
        pairs = list(itertools.combinations(range(7), 2))
        dx, dt = ([float((a[i] - a[j]).norm()) for i, j in pairs] for a in (x, t))
        distance = np.mean([huber(p / np.mean(dx) - q / np.mean(dt)) for p, q in zip(dx, dt)])
        cos = lambda a, i, j, k: float(F.cosine_similarity(a[i] - a[j], a[k] - a[j], dim=0))  # noqa: E731
        triples = itertools.permutations(range(7), 3)
        angle = np.mean([huber(cos(x, *triple) - cos(t, *triple)) for triple in triples])
        found = value(built(RKD(teacher="text"), TARGETS).double(), x, torch.arange(7))
        assert math.isclose(found, distance + 2 * angle, rel_tol=1e-9)

    def test_angles_on_a_line_are_flat_and_refused(self):
        line = TARGETS.v[:5, None]
        torch.testing.assert_close(angle_cosines(line)[defined_angles(line)].abs(), torch.ones(60))
        with pytest.raises(ValueError, match="angle_weight must be 0 with teacher axis"):
            RKD(angle_weight=2.0)

    def test_equal_texts_teach_no_angle_at_each_other(self):
        texts = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
        assert defined_angles(texts).nonzero().tolist() == [[2, 0, 1], [2, 1, 0]]

    def test_collapsed_features_have_a_value_and_no_gradient(self):
        h = torch.ones(28, D, requires_grad=True)
        loss = built(RKD(teacher="text"), TARGETS)
        found = value(loss, h, ALL)
        found.backward()
        assert found > 0.3
        assert torch.equal(h.grad, torch.zeros(28, D))
        assert loss.degenerate_batches == 0

    def test_undefined_without_distances_to_learn(self):
        loss = built(RKD(), CLASS_LEVEL)
        assert value(loss, torch.randn(6, D), torch.tensor([0, 1, 2, 0, 1, 2])) == 0
        assert value(loss, torch.randn(4, D), torch.tensor([0, 0, 9, 9])) == 0
        assert loss.degenerate_batches == 2


class TestProcrustes:
    def test_zero_exactly_when_residuals_follow_the_axis(self):
        class_of = TARGETS.class_of
        means, direction = 10 * normal(9, D), normal(1, D)
        h = means[class_of] + (TARGETS.v - TARGETS.v_class[class_of])[:, None].double() * direction
        assert value(built(Procrustes(), TARGETS).double(), h, ALL).abs() < 1e-6

    def test_is_cosine_loss_plus_error_of_standardised_scores(self):
        h, batch = normal(B, D), batch_of(STIMULI)
        residual = h.clone()
        position = TARGETS.v[STIMULI].double()
        for k in range(9):
            rows = batch.y == k
            residual[rows] -= h[rows].mean(dim=0)
            position[rows] -= position[rows].mean()
        scores = residual @ np.linalg.svd(residual.numpy())[2][0]
        c = F.cosine_similarity(scores, position, dim=0)
        error = (c.sign() * scores / scores.square().mean().sqrt() - position / position.square().mean().sqrt()) ** 2
        found = value(built(Procrustes(mse_coef=0.3), TARGETS).double(), h, STIMULI)
        assert math.isclose(found, 1 - c**2 + 0.3 * error.mean(), rel_tol=1e-6)
        assert 0 <= found <= 1.6

    @pytest.mark.parametrize("center_by", ["class", "class_and_subject"])
    def test_leaves_the_means_alone(self, center_by):
        loss = built(Procrustes(center_by=center_by), TARGETS).double()
        subject = torch.arange(B) % 4
        h, shift = normal(B, D).requires_grad_(), 50 * normal(9, D, seed=2)
        batch = batch_of(STIMULI)._replace(subject=subject)
        found = loss(Output(h=h), batch)
        (gradient,) = torch.autograd.grad(found, h)
        assert gradient.norm() > 1e-3
        sums = [gradient[batch.y == k].sum(dim=0).norm() for k in range(9)]
        sums += [gradient[subject == p].sum(dim=0).norm() for p in range(4)] if "subject" in center_by else []
        assert max(sums) < 1e-14
        moved = h + shift[batch.y] + (shift[subject] if "subject" in center_by else 0)
        torch.testing.assert_close(loss(Output(h=moved), batch), found)

    def test_gradient_holds_the_direction_fixed(self):
        loss = built(Procrustes(), TARGETS).double()
        h, y = normal(B, D).requires_grad_(), batch_of(STIMULI).y
        (found,) = torch.autograd.grad(value(loss, h, STIMULI), h)
        direction = torch.linalg.svd(without_means(h.detach(), y)).Vh[0]
        position = without_means(loss.v[STIMULI][:, None], y)[:, 0]
        c = F.cosine_similarity(without_means(h, y) @ direction, position, dim=0)
        (expected,) = torch.autograd.grad(1 - c**2 + 0.2 * (1 - c.abs()), h)
        torch.testing.assert_close(found, expected)

    def test_a_trial_alone_in_its_class_counts_nothing(self):
        loss = built(Procrustes(), TARGETS).double()
        h, stimulus = normal(7, D), torch.tensor([0, 1, 2, 12, 13, 14, 27])
        h[6] *= 100
        torch.testing.assert_close(value(loss, h, stimulus), value(loss, h[:6], stimulus[:6]))

    def test_positions_of_classes_give_no_signal_at_any_batch_size(self):
        loss = built(Procrustes(), CLASS_LEVEL)
        for size in (36, 1024):
            h = torch.randn(size, D, requires_grad=True)
            found = value(loss, h, torch.randint(28, (size,)))
            found.backward()
            assert found == 0
            assert torch.equal(h.grad, torch.zeros(size, D))
        assert loss.degenerate_batches == 2

    def test_without_means_is_the_two_way_least_squares_residual(self):
        x = normal(12, 3)
        a, b = torch.arange(12) % 3, torch.arange(12) // 6
        residual = without_means(x, a, b)
        balanced = x.clone()
        for group in (a, b):
            for g in group.unique():
                balanced[group == g] -= balanced[group == g].mean(dim=0)
        torch.testing.assert_close(residual, balanced)

    def test_orthogonal_matches_torchmetrics(self):
        h = normal(28, D)
        padded = torch.zeros(28, D, dtype=torch.float64)
        padded[:, 0] = TARGETS.v
        expected = procrustes_disparity(padded[None], h[None])[0]
        assert math.isclose(
            value(built(Procrustes(mode="orthogonal"), TARGETS).double(), h, ALL), expected, rel_tol=1e-6
        )

    def test_orthogonal_compares_clips_and_not_trials(self):
        """Clips have unequally many trials here, so their mean weighs each of them otherwise than the trials do."""
        h, (means, there) = normal(B, D), condition_means(normal(B, D), STIMULI, count=28)
        assert len(set(STIMULI.bincount()[there[: STIMULI.max() + 1]].tolist())) > 2
        padded = torch.zeros(int(there.sum()), D, dtype=torch.float64)
        padded[:, 0] = TARGETS.v[there]
        expected = procrustes_disparity(padded[None], means[there][None])[0]
        found = value(built(Procrustes(mode="orthogonal"), TARGETS).double(), h, STIMULI)
        assert math.isclose(found, expected, rel_tol=1e-6)

    def test_orthogonal_is_zero_on_a_line(self):
        h = TARGETS.v[:, None].double() * normal(1, D) + 4
        assert value(built(Procrustes(mode="orthogonal"), TARGETS).double(), h, ALL).abs() < 1e-12


class TestGeometry:
    def test_gradients(self):
        generator = torch.Generator().manual_seed(0)
        a, b = (torch.randn(7, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
        x = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        assert gradcheck(correlation, (a, b))
        assert gradcheck(cosine, (a, b))
        for metric in ("euclidean", "sqeuclidean", "cosine", "correlation"):
            assert gradcheck(lambda x, metric=metric: pairwise_distances(x, metric=metric), (x,))
        assert gradcheck(lambda x: condition_means(x, torch.tensor([4, 4, 1, 1, 9]), count=10)[0], (x,))

    def test_correlation_matches_numpy_and_is_zero_for_a_constant(self):
        a, b = torch.randn(2, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        assert math.isclose(correlation(a, b), np.corrcoef(a, b)[0, 1], rel_tol=1e-12)
        constant = torch.ones(11, requires_grad=True)
        value = correlation(constant, b.float())
        value.backward()
        assert value == 0
        assert torch.equal(constant.grad, torch.zeros(11))

    def test_the_softness_of_ranks_is_a_unit_and_no_way_to_learn(self):
        """Ranks are sharper or softer for all alike; a gradient through that would change distances to no purpose."""
        x, weights = normal(9).requires_grad_(), normal(9, seed=1)
        (found,) = torch.autograd.grad((weights * soft_rank(x, softness=0.3)).sum(), x)
        scale = 0.3 * float(x.detach().std())
        (expected,) = torch.autograd.grad((weights * torch.sigmoid((x[:, None] - x) / scale).sum(dim=1)).sum(), x)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

    def test_distances_match_cdist(self):
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        full = torch.cdist(x, x)
        upper = torch.triu_indices(6, 6, offset=1)
        torch.testing.assert_close(pairwise_distances(x), full[upper[0], upper[1]])


class TestRSA:
    @pytest.mark.parametrize("compare", ["pearson", "cosine", "cka"])
    def test_zero_for_features_on_a_line(self, compare, targets):
        direction = torch.randn(D, generator=torch.Generator().manual_seed(4))
        h = targets.v[:, None] * direction
        assert built(RSA(compare=compare), targets)(Output(h=h), batch_of(torch.arange(28))) < 1e-5

    @pytest.mark.parametrize("compare", ["pearson", "cosine", "spearman_soft", "cka"])
    def test_invariant_to_rotation_shift_and_scale(self, compare, targets):
        loss, h = built(RSA(compare=compare), targets), torch.randn(B, D)
        rotation = torch.linalg.qr(torch.randn(D, D)).Q
        value = loss(Output(h=h), batch_of(STIMULI))
        torch.testing.assert_close(loss(Output(h=3 * h @ rotation + 1), batch_of(STIMULI)), value, atol=1e-4, rtol=1e-4)
        assert 0 <= value <= 2

    def test_sign_of_the_axis_does_not_matter(self, targets):
        flipped, h = replace(targets, v=-targets.v, v_class=-targets.v_class), torch.randn(B, D)
        values = [built(RSA(), t)(Output(h=h), batch_of(STIMULI)) for t in (targets, flipped)]
        torch.testing.assert_close(*values)

    def test_collapsed_features_score_one_without_gradient(self, targets):
        h = torch.ones(B, D, requires_grad=True)
        value = built(RSA(), targets)(Output(h=h), batch_of(STIMULI))
        value.backward()
        assert value == 1
        assert torch.equal(h.grad, torch.zeros(B, D))

    @pytest.mark.parametrize("level", ["stimulus", "trial"])
    def test_patterns_are_clips_or_trials(self, level):
        """Pairs of trials of one clip count at the level of trials, where the axis says that they are equal."""
        h = normal(B, D)
        clips = STIMULI.unique() if level == "stimulus" else STIMULI
        patterns = torch.stack([h[s == STIMULI].mean(dim=0) for s in clips]) if level == "stimulus" else h
        expected = 1 - pearsonr(pdist(patterns), pdist(TARGETS.v[clips, None].double())).statistic
        found = value(built(RSA(level=level), TARGETS).double(), h, STIMULI)
        assert math.isclose(found, expected, rel_tol=1e-5)

    def test_two_stimuli_are_counted_as_degenerate(self, targets):
        loss = built(RSA(), targets)
        assert loss(Output(h=torch.randn(4, D)), batch_of(torch.tensor([0, 0, 1, 1]))) == 0
        assert loss.degenerate_batches == 1

    def test_gradcheck(self, targets):
        loss = built(RSA(), targets).double()
        h = torch.randn(8, D, dtype=torch.float64, requires_grad=True)
        assert gradcheck(lambda h: loss(Output(h=h), batch_of(torch.arange(8))), (h,))
