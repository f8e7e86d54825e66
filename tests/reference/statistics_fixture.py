"""Writes probes/tests/fixtures/statistics.json: what scipy and scikit-learn make of calibration, BCa intervals,
multiple tests and detectable effects.

    python tests/reference/statistics_fixture.py

needs numpy, scipy and scikit-learn. DeLong's variances are worked out here by his definition, over all pairs of rows.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import optimize, stats
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

OUT = pathlib.Path(__file__).resolve().parents[2] / "probes" / "tests" / "fixtures" / "statistics.json"


def platt(decision, y):
    """Platt's log-loss with his targets, by another optimiser than Newton's."""
    positives, negatives = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters):
        margin = parameters[0] * decision + parameters[1]
        return np.sum(np.logaddexp(0, margin) - target * margin)

    return optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10000}).x


def calibration(rng, n, step):
    y = rng.integers(0, 2, n)
    decision = np.round((rng.normal(size=n) + 1.2 * y) / step) * step
    grid = np.linspace(-4, 5, 37)
    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(decision, y)
    sigmoid = _SigmoidCalibration().fit(decision, y)
    return {
        "y": y.tolist(), "decision": decision.tolist(), "grid": grid.tolist(),
        "isotonic": isotonic.predict(grid).tolist(),
        "sigmoid": sigmoid.predict(grid).tolist(),
        "platt": platt(decision, y).tolist(),
    }


def bca(rng):
    value = np.round(rng.exponential(size=60), 6)
    found = {"value": value.tolist()}
    for method in ["percentile", "BCa"]:
        interval = stats.bootstrap(
            (value,), lambda v, axis: np.mean(v, axis=axis) ** 2, n_resamples=200_000, method=method, rng=rng,
        ).confidence_interval
        found[method.lower()] = [interval.low, interval.high]
    return found


def placements(decision, y):
    """Of each row, the share of rows of the other class that it is rightly ordered against."""
    sign = np.where(y == 1, 1, -1)
    return np.array([
        np.mean([(np.sign(sign[i] * (decision[i] - decision[j])) + 1) / 2 for j in np.flatnonzero(y != y[i])])
        for i in range(len(y))
    ])


def delong(rng):
    n = 40
    y = rng.integers(0, 2, n)
    a = np.round(rng.normal(size=n) + y, 1)
    b = np.round(0.6 * a + 0.8 * rng.normal(size=n), 1)
    va, vb = placements(a, y), placements(b, y)
    theta = [va[y == 1].mean(), vb[y == 1].mean()]
    s10 = np.cov(va[y == 1], vb[y == 1])
    s01 = np.cov(va[y == 0], vb[y == 0])
    s = s10 / (y == 1).sum() + s01 / (y == 0).sum()
    return {
        "y": y.tolist(), "a": a.tolist(), "b": b.tolist(), "auroc": theta, "variance": [s[0, 0], s[1, 1]],
        "difference_variance": s[0, 0] + s[1, 1] - 2 * s[0, 1],
        "p": 2 * stats.norm.sf(abs(theta[0] - theta[1]) / np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])),
    }


def false_discovery(rng):
    p = np.round(rng.uniform(size=25) ** 2, 6)
    return {"p": p.tolist(), "q": stats.false_discovery_control(p).tolist()}


if __name__ == "__main__":
    rng = np.random.default_rng(3)
    made = {
        "scipy": scipy.__version__, "scikit-learn": sklearn.__version__,
        "calibration": [calibration(rng, 80, 0.001), calibration(rng, 300, 0.25)],
        "bootstrap": bca(rng), "delong": delong(rng), "false_discovery": false_discovery(rng),
    }
    OUT.write_text(json.dumps(made, separators=(",", ":")) + "\n")
