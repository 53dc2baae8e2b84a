"""Classification scores of a confusion matrix, beside the score of guessing."""

import numpy as np


def classification_scores(confusion: np.ndarray, *, classes: tuple[str, ...]) -> dict:
    """Balanced accuracy, the score of guessing, Cohen's kappa, weighted F1 and the recall of each class.

    Classes without a trial are left out of the balanced accuracy and of ``chance`` and named in ``absent``.

    Args:
        confusion: (K, K) counts of trials, rows = true classes.
        classes: K names.
    """
    support, guesses, hits = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    present, n = np.flatnonzero(support), int(confusion.sum())
    recall = {classes[k]: float(hits[k] / support[k]) for k in present}
    expected = float(support @ guesses) / n**2
    f1 = 2 * hits / np.maximum(support + guesses, 1)
    return {
        "balanced_accuracy": float(np.mean(list(recall.values()))),
        "chance": 1 / len(present),
        "kappa": float((hits.sum() / n - expected) / (1 - expected)) if expected < 1 else float("nan"),
        "weighted_f1": float(f1 @ support / n),
        "per_class_recall": recall,
        "absent": [name for k, name in enumerate(classes) if not support[k]],
        "trials": n,
    }


def clip_balanced_accuracy(
    probabilities: np.ndarray, y: np.ndarray, *, subject: np.ndarray, stimulus: np.ndarray, n_classes: int
) -> float:
    """Balanced accuracy with one decision a person and clip: the mean probability over its windows, then the largest.

    A person watches a clip once and feels about it once, so windows are no independent trials; papers that score whole
    clips are compared with this number. Its chance is that of the windows: the same classes are there.

    Args:
        probabilities: (n, K) of windows.
        y: (n,) true classes, the same in all windows of a person and clip.
        subject: (n,) ids.
        stimulus: (n,) ids.
        n_classes: K.
    """
    _, first, clip = np.unique(np.stack([subject, stimulus]), axis=1, return_index=True, return_inverse=True)
    clip = clip.reshape(-1)  # NumPy 2.0 alone gives it a second axis
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, clip, probabilities)  # of equally many windows or not, the largest mean is the largest sum
    confusion = confusion_matrix(y[first], sums.argmax(axis=1), n_classes=n_classes)
    present = confusion.sum(axis=1) > 0
    return float((confusion.diagonal()[present] / confusion.sum(axis=1)[present]).mean())


def confusion_matrix(y: np.ndarray, predicted: np.ndarray, *, n_classes: int) -> np.ndarray:
    """(K, K) counts of true class (row) and predicted class (column) from two (n,) arrays of class ids."""
    return np.bincount(y * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
