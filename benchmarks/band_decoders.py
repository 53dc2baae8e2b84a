"""Decoders of band features by hand: ridge, logistic regression and the default network in a loop of a few lines.

They train in a second or two on one thread, without files, Trainer or callbacks, so that a table over cohorts, seeds
and arms takes minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from datamodules.simulation.faced_files import PARTS, clip_entropy, spread_subjects
from datamodules.simulation.signal import Cohort
from eeg.batch import DataSpec
from eeg.montage import FACED_CHANNELS
from lightning_modules.heads import FoldedClips
from lightning_modules.optimisation import Optimisation, configure
from measures.scores import classification_scores, confusion_matrix
from networks.global_context_de import GlobalContextDE
from vaxis.emotions import FACED

WINDOWS, WINDOW_SECONDS = 3, 10
BATCH = 128
CLASS_OF = torch.tensor(FACED.class_of)
SPEC = DataSpec(
    dataset="faced",
    features="de",
    channels=tuple(FACED_CHANNELS),
    shape=(len(FACED_CHANNELS), 5),
    sampling_rate=1 / WINDOW_SECONDS,
    window_seconds=WINDOW_SECONDS,
    classes=FACED.classes,
    class_of=FACED.class_of,
    subjects=(),
    simulated=True,
)


class Trials(NamedTuple):
    """Ten-second windows of one part of the split.

    Attributes:
        x: (n, 32, 5) z-scored differential entropy.
        y: (n,) class ids.
        clip: (n,) clip ids.
    """

    x: Tensor
    y: Tensor
    clip: Tensor

    def of_clips(self, chosen: Tensor) -> "Trials":
        """The windows of some clips, by a mask over all of them."""
        return Trials(*(field[chosen[self.clip]] for field in self))


def draw(
    cohort: Cohort, *, centred: bool = False, n_subjects: int = 123, scaled: bool = True
) -> tuple[Trials, Trials, Trials]:
    """Training, validation and test people, z-scored with training statistics.

    Args:
        cohort: of which simulated world.
        centred: subtract each person's own mean over all his trials first, which looks at unlabelled test data.
        n_subjects: fewer are taken evenly from the three parts.
        scaled: False leaves entropies as they are.
    """
    numbers, people = spread_subjects(n_subjects), []
    for number in numbers:
        seconds = cohort.estimate(clip_entropy(cohort, number), seconds=1, rng=cohort.rng(number, "features"))
        clips, electrodes, _, bands = seconds.shape
        windows = seconds.reshape(clips, electrodes, WINDOWS, WINDOW_SECONDS, bands).mean(axis=3).swapaxes(1, 2)
        people.append(windows - windows.mean(axis=(0, 1)) if centred else windows)
    x = torch.tensor(np.stack(people), dtype=torch.float32)
    rows = [torch.tensor([i for i, number in enumerate(numbers) if number in part]) for part in PARTS]
    clip = torch.arange(len(CLASS_OF)).repeat_interleave(WINDOWS)
    mean, spread = x[rows[0]].mean(dim=(0, 1, 2)), x[rows[0]].std(dim=(0, 1, 2))
    if not scaled:
        mean, spread = torch.zeros(()), torch.ones(())
    train, val, test = (
        Trials(((x[part] - mean) / spread).flatten(0, 2), CLASS_OF[clip].repeat(len(part)), clip.repeat(len(part)))
        for part in rows
    )
    return train, val, test


def accuracy(scores: Tensor, y: Tensor) -> float:
    """Balanced accuracy of (n, K) scores."""
    confusion = confusion_matrix(y.numpy(force=True), scores.argmax(dim=1).numpy(force=True), n_classes=scores.shape[1])
    return classification_scores(confusion, classes=FACED.classes)["balanced_accuracy"]


def ridge(train: Trials, val: Trials, test: Trials) -> Tensor:
    """Test scores of least squares on indicators of the classes; the penalty is the best on validation people."""
    x, (mean, target) = train.x.flatten(1).double(), _indicators(train.y)
    values, vectors = torch.linalg.eigh(x.T @ x)
    rotated = vectors.T @ (x.T @ target)
    weights = [vectors @ (rotated / (values + len(x) * 10.0**power)[:, None]) for power in range(-5, 2)]
    scores = [[part.x.flatten(1).double() @ weight + mean for weight in weights] for part in (val, test)]
    return scores[1][int(np.argmax([accuracy(score, val.y) for score in scores[0]]))]


def _indicators(y: Tensor) -> tuple[Tensor, Tensor]:
    one_hot = F.one_hot(y, len(FACED.classes)).double()
    return one_hot.mean(dim=0), one_hot - one_hot.mean(dim=0)


def logistic_regression(train: Trials, val: Trials, test: Trials) -> Tensor:
    """Test scores of multinomial logistic regression; the penalty is the best on validation people."""
    fitted = []
    for penalty in (1e-4, 1e-3, 1e-2, 1e-1):
        linear = nn.Linear(train.x[0].numel(), len(FACED.classes))
        optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=100, line_search_fn="strong_wolfe")

        def loss(linear=linear, optimizer=optimizer, penalty=penalty) -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(linear(train.x.flatten(1)), train.y) + penalty * linear.weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        with torch.no_grad():
            fitted.append((accuracy(linear(val.x.flatten(1)), val.y), linear(test.x.flatten(1))))
    return max(fitted, key=lambda pair: pair[0])[1]


class Member(nn.Module):
    """The default network with a classifier and, beside it, a linear head for the position of the clip on the axis."""

    def __init__(self, *, outputs: int = len(FACED.classes)) -> None:
        super().__init__()
        self.network, self.to_axis = GlobalContextDE(), nn.Linear(32, 1)
        self.network.build(SPEC)
        self.head = nn.Linear(self.network.dim, outputs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and positions (B,); the mean token is computed without making tokens, which is quicker."""
        own = x.flatten(1) @ self.network.gain.flatten(0, 1) + self.network.offset.mean(dim=(0, 1))
        h = own + self.network.context(x)
        return self.head(h), self.to_axis(h).squeeze(1)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """S trained networks, each as it was after the epoch that validation prefers.

    Attributes:
        predict: (n, 32, 5) trials, and which members, to (S, n, K) probabilities.
        test: (S, n, K) those of the test trials.
        validation: (S,) balanced accuracy on validation people.
    """

    predict: Callable[..., Tensor]
    test: Tensor
    validation: Tensor


def networks(
    parts: tuple[Trials, Trials, Trials], *, seeds: Sequence[int], epochs: int, v: Tensor | None = None
) -> Tensor:
    """Test probabilities (S, n, K) of the default network, one a seed; see ``fitted``."""
    return fitted(parts, seeds=seeds, epochs=epochs, v=v).test


def fitted(
    parts: tuple[Trials, Trials, Trials],
    *,
    seeds: Sequence[int],
    epochs: int,
    v: Tensor | None = None,
    change: Callable[[Tensor, Tensor], Tensor] | None = None,
    folded: bool = False,
    soft: Tensor | None = None,
    decay: float = 0.0,
) -> Fitted:
    """The default network, each after the epoch that validation prefers, one a seed.

    The default recipe. Members are stacked, which takes less than half the time of one after the other, and nothing
    passes between them: gradients of a sum and AdamW act on each alone.

    Args:
        parts: training, validation and test trials.
        seeds: of weights and order; dropout is drawn for all members together.
        epochs: length, the cosine's too.
        v: (28,) positions of the clips: add half the mean squared error of a linear head on h, as ``vaxis_mse`` does at
            weight 0.5.
        change: augmentation of trials (n, 32, 5), given their rows in training.
        folded: the head ``folded_clips``.
        soft: (n, K) probabilities of a teacher for the training trials: distillation at temperature 1 beside labels.
        decay: of a moving average of the weights over steps, which is then validated and tested.
    """
    heads = FoldedClips(dim=1, class_of=FACED.class_of)
    fold = heads.folded if folded else (lambda logits: logits)
    members, device = [], parts[0].x.device
    for seed in seeds:
        torch.manual_seed(seed)
        members.append((Member(outputs=len(CLASS_OF)) if folded else Member()).to(device))
    parameters, _ = stack_module_state(members)
    predict = vmap(partial(functional_call, members[0]), in_dims=(0, 0), randomness="different")
    evaluate = vmap(partial(functional_call, members[0]), in_dims=(0, None))
    (x, y, clip), val, test = parts
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    recipe = configure(
        Optimisation(),
        encoder_params=parameters.values(),
        other_params=(),
        steps_per_epoch=len(x) // BATCH,
        epochs=epochs,
    )
    optimizer, schedule = recipe["optimizer"], recipe["lr_scheduler"]["scheduler"]
    averaged = {name: value.detach().clone() for name, value in parameters.items()} if decay else parameters
    best, chosen = torch.full((len(members),), -1.0), {n: value.detach().clone() for n, value in parameters.items()}
    for _ in range(epochs):
        members[0].train()
        order = torch.stack([torch.randperm(len(x), generator=own) for own in orders]).to(device)
        for rows in order.split(BATCH, dim=1)[: len(x) // BATCH]:
            trials = (
                x[rows] if change is None else change(x[rows.flatten()], rows.flatten()).view(*rows.shape, *x.shape[1:])
            )
            logits, positions = predict(parameters, (trials,))
            logits = logits.flatten(0, 1)
            if folded:
                loss = F.cross_entropy(logits, clip[rows].flatten(), label_smoothing=0.1)
                loss = (loss + F.nll_loss(heads.folded(logits), y[rows].flatten())) * len(members)
            else:
                loss = F.cross_entropy(logits, y[rows].flatten(), label_smoothing=0.1) * len(members)
            if v is not None:
                loss = loss + 0.5 * F.mse_loss(positions, v[clip[rows]]) * len(members)
            if soft is not None:
                loss = loss + F.cross_entropy(logits, soft[rows].flatten(0, 1)) * len(members)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if decay:
                for name, value in parameters.items():
                    averaged[name].lerp_(value.detach(), 1 - decay)
        members[0].eval()
        with torch.no_grad():
            scores = torch.tensor([accuracy(fold(logits), val.y) for logits in evaluate(averaged, (val.x,))[0]])
            better = scores > best
            best[better] = scores[better]
            for name, value in averaged.items():
                chosen[name][better] = value[better]

    @torch.no_grad()
    def probabilities(trials: Tensor, which: slice = slice(None)) -> Tensor:
        logits = evaluate({name: value[which] for name, value in chosen.items()}, (trials,))[0]
        return torch.stack([fold(one) for one in logits]).softmax(-1)

    return Fitted(predict=probabilities, test=probabilities(test.x), validation=best)
