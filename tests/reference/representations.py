"""Writes probes/tests/fixtures/representations.json: what numpy, scipy and scikit-learn make of two sets of states.

    python tests/reference/representations.py

needs numpy, scipy and scikit-learn. States are multiples of 1/8, so they are the same in f32 and in JSON. Where there are
two ways to a number, this takes the other one than the crate: U-centred matrices for CKA, padding with zeros for
Procrustes, pairs of rows one by one for the unbiased norm.
"""

import json
import pathlib

import numpy as np
import scipy
import scipy.linalg
import scipy.stats
from sklearn.metrics import roc_auc_score

OUT = pathlib.Path(__file__).resolve().parents[2] / "probes" / "tests" / "fixtures"


def u_centred(x):
    """Székely and Rizzo (2014): off the diagonal, less the means of row and column, plus the mean of all."""
    n = len(x)
    k = x @ x.T
    np.fill_diagonal(k, 0)
    rows = k.sum(axis=1) / (n - 2)
    k = k - rows[:, None] - rows[None, :] + k.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(k, 0)
    return k


def cka(x, y):
    k, l = u_centred(x), u_centred(y)
    return (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())


def cka_jackknife(x, y, group, level=0.95):
    left = np.array([cka(x[group != g], y[group != g]) for g in np.unique(group)])
    error = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    reach = scipy.stats.norm.ppf((1 + level) / 2) * error
    return [cka(x, y) - reach, min(1, cka(x, y) + reach)]


def procrustes(x, y):
    d = max(x.shape[1], y.shape[1])
    x, y = (np.pad(a - a.mean(axis=0), ((0, 0), (0, d - a.shape[1]))) for a in (x, y))
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    rotation, _ = scipy.linalg.orthogonal_procrustes(x, y)
    return np.linalg.norm(x @ rotation - y) ** 2 / 2


def angles(x, y, k):
    def leading(a):
        return np.linalg.svd(a - a.mean(axis=0), full_matrices=False)[2][:k].T

    return np.sort(np.degrees(scipy.linalg.subspace_angles(leading(x), leading(y)))).tolist()


def compared(x, y, group):
    return {"cka": cka(x, y), "cka_jackknife": cka_jackknife(x, y, group), "procrustes": procrustes(x, y)}


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def shift(deltas, direction, group):
    n = len(deltas)
    mean = deltas.mean(axis=0)
    apart = [(i, j) for i in range(n) for j in range(n) if group[i] != group[j]]
    square = np.mean([deltas[i] @ deltas[j] for i, j in apart])
    values = np.linalg.svd(deltas, compute_uv=False) ** 2 / n
    carried = np.cumsum(values) / values.sum()
    return {
        "norm": np.linalg.norm(mean),
        "unbiased": np.sign(square) * np.sqrt(abs(square)),
        "cosine": cosine(mean, direction),
        "row_cosine": np.mean([cosine(row, direction) for row in deltas]),
        "eigenvalues": values.tolist(),
        "mean_share": n * (mean @ mean) / (deltas**2).sum(),
        "participation_ratio": values.sum() ** 2 / (values**2).sum(),
        "directions_for_90": int(np.argmax(carried >= 0.9)) + 1,
    }


def overlap(a, b):
    deviations = np.concatenate([a - a.mean(), b - b.mean()])
    iqr = scipy.stats.iqr(deviations)
    h = 0.9 * min(deviations.std(ddof=1), iqr / 1.34) * min(len(a), len(b)) ** -0.2
    at = np.linspace(min(a.min(), b.min()) - 8 * h, max(a.max(), b.max()) + 8 * h, 4097)
    f, g = (scipy.stats.gaussian_kde(sample, h / sample.std(ddof=1))(at) for sample in (a, b))
    return np.trapezoid(np.minimum(f, g), at)


def effect(before, after):
    return {
        "d": (after.mean() - before.mean()) / np.sqrt((after.var(ddof=1) + before.var(ddof=1)) / 2),
        "higher": scipy.stats.mannwhitneyu(after, before).statistic / len(after) ** 2,
        "sd_ratio": after.std(ddof=1) / before.std(ddof=1),
        "overlap": overlap(before, after),
    }


def d_prime(scores, label):
    zero, one = scores[label == 0], scores[label == 1]
    pooled = ((len(zero) - 1) * zero.var(ddof=1) + (len(one) - 1) * one.var(ddof=1)) / (len(scores) - 2)
    return (one.mean() - zero.mean()) / np.sqrt(pooled)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    eighths = lambda a: np.round(a * 8) / 8
    n, group = 24, np.repeat(np.arange(10), [1, 2, 3, 4, 2, 2, 1, 3, 4, 2])
    x = eighths(rng.normal(size=(n, 30)) * np.linspace(3, 0.5, 30) + 1)
    y = eighths(0.6 * x + rng.normal(size=30) + rng.normal(size=(n, 30)))
    other = eighths(x @ rng.normal(size=(30, 20)) / 4 + rng.normal(size=(n, 20)))
    direction = eighths(rng.normal(size=30))
    before, after = eighths(rng.normal(size=n)), eighths(1.5 * rng.normal(size=n) + 0.7)
    label = (np.arange(n) % 3 == 0).astype(int)
    made = {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "group": group.tolist(),
        "x": x.tolist(),
        "y": y.tolist(),
        "other": other.tolist(),
        "direction": direction.tolist(),
        "before": before.tolist(),
        "after": after.tolist(),
        "label": label.tolist(),
        "same_width": compared(x, y, group),
        "other_width": compared(x, other, group),
        "itself": compared(x, x, group),
        "tall": compared(x[:, :5], other[:, :3], group),
        "angles": angles(x, y, 4),
        "angles_tall": angles(x[:, :5], y[:, :5], 2),
        "shift": shift(y - x, direction, group),
        "shift_tall": shift((y - x)[:, :5], direction[:5], group),
        "effect": effect(before, after),
        "d_prime": [d_prime(scores, label) for scores in (before, after)],
        "auroc": [roc_auc_score(label, scores) for scores in (before, after)],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "representations.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
