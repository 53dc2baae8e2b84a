"""Bad arguments, pictures and scores."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from callbacks.residual_alignment import ResidualAlignment
from callbacks.residual_gradient import ResidualGradient
from callbacks.wandb_figures import WandbFigures
from callbacks.wandb_scalp import WandbScalp
from measures.scores import classification_scores, clip_balanced_accuracy, confusion_matrix
from tests.small_decoder import SmallDecoder, make_axis, make_trainer
from vaxis.emotions import FACED


@pytest.mark.parametrize(
    "build",
    [
        lambda: ResidualGradient(every_n_steps=0),
        lambda: ResidualAlignment(pick="worst"),
        lambda: WandbFigures(every_n_epochs=0),
    ],
)
def test_bad_arguments_are_refused(build):
    with pytest.raises(ValueError, match="must be"):
        build()


class PictureLogger(CSVLogger):
    """Takes pictures as the W&B logger does."""

    def __init__(self, folder):
        super().__init__(folder)
        self.pictures = []

    def log_image(self, key, images):
        self.pictures += [(key, image) for image in images]


def test_figures_are_drawn_at_their_epochs_and_at_the_end(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    logger, model = PictureLogger(tmp_path), SmallDecoder(axis_path=path)
    options = {"callbacks": [WandbFigures(every_n_epochs=2)], "max_epochs": 3, "enable_checkpointing": False}
    trainer = make_trainer(tmp_path, logger=logger, **options)
    trainer.fit(model)
    trainer.test(model, verbose=False)
    names = ["confusion", "leading_direction"]
    assert [key for key, _ in logger.pictures] == [f"{split}/{name}" for split in ("val", "test") for name in names]
    for _, figure in logger.pictures:
        assert "simulated" in figure.axes[0].get_title()
    matrix = logger.pictures[-2][1].axes[0].images[0].get_array()
    assert np.asarray(matrix).sum(axis=1) == pytest.approx(100 * np.ones(9))
    make_trainer(tmp_path, **options).fit(model)


@pytest.mark.parametrize(
    ("launched", "long", "drawn"),
    [(("VAXIS_STUDY",), False, False), (("VAXIS_STUDY",), True, True), (("VAXIS_STUDY", "VAXIS_TRIAL"), True, False)],
    ids=["short run of a study", "long run of a study", "trial"],
)
def test_short_runs_of_a_study_and_trials_are_not_drawn(tmp_path, monkeypatch, launched, long, drawn):
    _, path = make_axis(tmp_path / "axis.npz")
    for variable in launched:
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("callbacks.drawing.LONG", 0.0 if long else 1e9)
    logger = PictureLogger(tmp_path)
    trainer = make_trainer(tmp_path, logger=logger, callbacks=[WandbFigures()], enable_checkpointing=False)
    model = SmallDecoder(axis_path=path)
    trainer.fit(model)
    trainer.test(model, verbose=False)
    assert [key for key, _ in logger.pictures] == ["test/confusion", "test/leading_direction"] * drawn


def test_ranks_whose_clocks_differ_agree_on_what_is_drawn(monkeypatch):
    monkeypatch.setenv("VAXIS_STUDY", "1")
    monkeypatch.setattr("callbacks.drawing.LONG", 0.0)  # this rank alone would draw
    asked = []

    def broadcast(value):
        asked.append(value)
        return False  # what the first rank has found

    trainer = SimpleNamespace(strategy=SimpleNamespace(broadcast=broadcast))
    for callback in (WandbFigures(), WandbScalp()):
        callback.setup(trainer, None, "test")
        assert callback._worth is False
    assert asked == [True, True]


def test_scores_agree_with_torchmetrics():
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_cohen_kappa,
        multiclass_f1_score,
        multiclass_recall,
    )

    generator = torch.Generator().manual_seed(0)
    y = torch.multinomial(torch.arange(1.0, 10.0), 500, replacement=True, generator=generator)  # unbalanced
    logits = torch.randn(500, 9, generator=generator) + 2 * nn.functional.one_hot(y, 9)
    confusion = confusion_matrix(y.numpy(), logits.argmax(dim=1).numpy(), n_classes=9)
    found = classification_scores(confusion, classes=FACED.classes)
    assert found["balanced_accuracy"] == pytest.approx(float(multiclass_accuracy(logits, y, 9, average="macro")))
    assert found["kappa"] == pytest.approx(float(multiclass_cohen_kappa(logits, y, 9)), abs=1e-6)
    assert found["weighted_f1"] == pytest.approx(float(multiclass_f1_score(logits, y, 9, average="weighted")))
    assert list(found["per_class_recall"].values()) == pytest.approx(
        multiclass_recall(logits, y, 9, average="none").tolist()
    )
    assert found["absent"] == []


def test_absent_classes_are_left_out_and_named():
    confusion = confusion_matrix(np.array([0, 0, 2]), np.array([0, 1, 2]), n_classes=3)
    found = classification_scores(confusion, classes=("a", "b", "c"))
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["chance"] == 0.5
    assert found["absent"] == ["b"]
    assert "b" not in found["per_class_recall"]


def test_a_clip_is_decided_by_the_mean_probability_of_its_windows():
    """Person 0 has one clip, whose sure window outvotes two that err narrowly; person 1 has two, one of them wrong."""
    probabilities = np.array([[0.45, 0.55], [0.45, 0.55], [0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.9, 0.1]])
    y, subject, stimulus = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 1, 2, 2])
    options = {"subject": subject, "stimulus": stimulus, "n_classes": 2}
    assert clip_balanced_accuracy(probabilities, y, **options) == (1 + 1 / 2) / 2
    windows = confusion_matrix(y, probabilities.argmax(axis=1), n_classes=2)
    assert classification_scores(windows, classes=("a", "b"))["balanced_accuracy"] == pytest.approx(1 / 3)
    order = np.array([3, 0, 5, 1, 4, 2])
    options = {"subject": subject[order], "stimulus": stimulus[order], "n_classes": 3}
    three = np.hstack([probabilities, np.zeros((6, 1))])[order]
    assert clip_balanced_accuracy(three, y[order], **options) == 3 / 4, "a class without trials does not count"
