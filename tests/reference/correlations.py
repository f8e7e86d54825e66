"""Correlations of grouped rows by numpy and scipy, for src/analysis/correlation.rs: python correlations.py > ../fixtures/correlations.json"""

import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(7)
sizes = [1, 2, 3, 5, 4, 4, 6, 7]
groups = np.repeat(np.arange(len(sizes)), sizes)
n = len(groups)
shared = rng.normal(size=len(sizes))[groups]
x = np.round(rng.normal(size=n) + shared, 1)
covariates = np.stack([np.round(rng.normal(size=n) + 0.5 * x, 2), rng.integers(0, 2, n), rng.integers(0, 2, n)])
y = np.round(0.6 * x + 0.4 * covariates[0] + rng.normal(size=n) - shared, 1)


def centred(values):
    means = np.bincount(groups, values) / np.bincount(groups)
    return values - means[groups]


def left(values):
    columns = np.column_stack([np.ones(n)] + [centred(column) for column in covariates])
    return values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]


cx, cy = centred(x), centred(y)
print(json.dumps({
    "groups": [f"g{group}" for group in groups],
    "x": x.tolist(),
    "y": y.tolist(),
    "covariates": covariates.tolist(),
    "pearson": stats.pearsonr(x, y).statistic,
    "spearman": stats.spearmanr(x, y).statistic,
    "within_pearson": stats.pearsonr(cx, cy).statistic,
    "within_spearman": stats.spearmanr(np.round(cx, 12), np.round(cy, 12)).statistic,
    "within_partial": stats.pearsonr(left(cx), left(cy)).statistic,
}))
