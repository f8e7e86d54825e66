"""Writes probes/tests/fixtures/estimators.json: what scikit-learn and numpy make of a wide and a tall data set.

    python tests/reference/estimators_fixture.py

needs numpy, scipy and scikit-learn. Features are multiples of 1/8, so they are the same in f32 and in JSON.
"""

import json
import pathlib

import numpy as np
import sklearn
from scipy.stats import pearsonr, spearmanr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

OUT = pathlib.Path(__file__).resolve().parents[2] / "probes" / "tests" / "fixtures"


def linear(coef, intercept):
    return {"coef": np.ravel(coef).tolist(), "intercept": float(np.ravel(intercept)[0])}


def ridge(x, y, group):
    found = []
    for standardise in [True, False]:
        z = StandardScaler().fit_transform(x) if standardise else x
        for alpha in [0.5, 100.0]:
            fit = Ridge(alpha=alpha).fit(z, 2 * y - 1)
            entry = {"alpha": alpha, "standardise": standardise, **linear(fit.coef_, fit.intercept_)}
            for name, block in [("row", np.arange(len(y))), ("group", group)]:
                left_out = np.empty(len(y))
                for b in np.unique(block):
                    out = block == b
                    left_out[out] = Ridge(alpha=alpha).fit(z[~out], 2 * y[~out] - 1).predict(z[out])
                entry[name] = left_out.tolist()
            found.append(entry)
    return found


def lda(x, y):
    found = []
    for shrinkage in [0.1, 0.5, 1.0, "auto"]:
        fit = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x, y)
        found.append({"shrinkage": shrinkage, **linear(fit.coef_, fit.intercept_)})
    return found


def pooled_pinv(x, y):
    means = [x[y == c].mean(0) for c in [0, 1]]
    within = x - np.where(y[:, None] == 1, means[1], means[0])
    return np.linalg.pinv(within.T @ within / len(y), rcond=1e-11) @ (means[1] - means[0])


def mass_mean(x, y):
    middle = (x[y == 0].mean(0) + x[y == 1].mean(0)) / 2
    plain, tilted = x[y == 1].mean(0) - x[y == 0].mean(0), pooled_pinv(x, y)
    return {"plain": linear(plain, -plain @ middle), "covariance": linear(tilted, -tilted @ middle)}


def pairs(x, y, group):
    sides = [np.array([x[(group == g) & (y == c)].mean(0) for g in np.unique(group)]) for c in [0, 1]]
    return sides[0], sides[1]


def pair_pca(x, y, group):
    negative, positive = pairs(x, y, group)
    axis = np.linalg.svd(positive - negative, full_matrices=False)[2][0]
    axis *= np.sign(((positive - negative) @ axis).sum())
    return linear(axis, -axis @ (negative + positive).mean(0) / 2)


def ccs(x, y, group, decay):
    """The published recipe: 1,000 steps of AdamW (0.001, decay 0.01) from 10 starts; losses without any penalty."""
    negative, positive = pairs(StandardScaler().fit_transform(x), y, group)
    centre = (negative + positive).mean(0) / 2
    a, b = negative - centre, positive - centre
    losses, objectives = [], []
    for restart in range(10):
        rng = np.random.default_rng(restart)
        w = rng.uniform(-1, 1, size=x.shape[1] + 1) / np.sqrt(x.shape[1])
        m, v = np.zeros_like(w), np.zeros_like(w)
        for step in range(1, 1002):
            p, q = [1 / (1 + np.exp(-(side @ w[:-1] + w[-1]))) for side in [a, b]]
            low = np.minimum(p, q)
            loss = ((p + q - 1) ** 2 + low**2).mean()
            if step == 1001:
                break
            dp = (2 * (p + q - 1) + 2 * low * (p <= q)) * p * (1 - p) / len(p)
            dq = (2 * (p + q - 1) + 2 * low * (q < p)) * q * (1 - q) / len(p)
            grad = np.append(a.T @ dp + b.T @ dq, dp.sum() + dq.sum())
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
            w = w * (1 - 1e-3 * 0.01) - 1e-3 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        losses.append(loss)
        objectives.append(loss + decay / 2 * (w[:-1] @ w[:-1]))
    return {"decay": decay, "adamw_losses": losses, "adamw_objectives": objectives}


def sparse(x, y, k):
    scaler = StandardScaler().fit(x)
    gap = np.abs(x[y == 1].mean(0) - x[y == 0].mean(0)) / scaler.scale_
    columns = np.argsort(-gap, kind="stable")[:k]
    z = scaler.transform(x)[:, columns]
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(z, y)
    return {"k": k, "columns": columns.tolist(), **linear(fit.coef_, fit.intercept_)}


def svm(x, y):
    z = StandardScaler().fit_transform(x)
    found = []
    for c in [0.01, 1.0]:
        fit = SVC(kernel="linear", C=c, tol=1e-10).fit(z, y)
        found.append({"c": c, **linear(fit.coef_, fit.intercept_)})
    return found


def multinomial(x, classes, fold):
    def make(c):
        return LogisticRegression(C=c, solver="newton-cg", tol=1e-12, max_iter=10000)

    found = []
    for c in [0.01, 1.0]:
        scaler = StandardScaler().fit(x)
        fit = make(c).fit(scaler.transform(x), classes)
        p = np.empty((len(classes), classes.max() + 1))
        for f in np.unique(fold):
            out = fold == f
            inner = StandardScaler().fit(x[~out])
            p[out] = make(c).fit(inner.transform(x[~out]), classes[~out]).predict_proba(inner.transform(x[out]))
        found.append({
            "c": c,
            "coef": fit.coef_.ravel().tolist(),
            "intercepts": (fit.intercept_ - fit.intercept_.mean()).tolist(),
            "cv_probabilities": p.ravel().tolist(),
            "accuracy": accuracy_score(classes, p.argmax(1)),
            "macro_auroc": roc_auc_score(classes, p, multi_class="ovr", average="macro"),
        })
    return found


def regression(x, target, fold):
    found = []
    for alpha in [1.0, 30.0]:
        scaler = StandardScaler().fit(x)
        fit = Ridge(alpha=alpha).fit(scaler.transform(x), target)
        predicted = np.empty(len(target))
        for f in np.unique(fold):
            out = fold == f
            inner = StandardScaler().fit(x[~out])
            predicted[out] = Ridge(alpha=alpha).fit(inner.transform(x[~out]), target[~out]).predict(inner.transform(x[out]))
        found.append({
            "alpha": alpha, **linear(fit.coef_, fit.intercept_), "cv": predicted.tolist(),
            "r2": r2_score(target, predicted),
            "pearson": pearsonr(target, predicted)[0],
            "spearman": spearmanr(target, predicted)[0],
        })
    return found


def data(rng, n, d, size):
    """Groups of `size` rows with both classes; three classes and a target for the same rows."""
    group = np.arange(n) // size
    y = np.arange(n) % 2
    y[: n // 6] = 1 - y[: n // 6]
    x = rng.normal(size=(n, d)) + 0.8 * np.outer(y - 0.5, rng.normal(size=d)) + rng.normal(size=(group.max() + 1, d))[group]
    classes = rng.permutation(np.arange(n) % 3)
    x += 0.7 * rng.normal(size=(3, d))[classes]
    x = np.round(x * 8) / 8
    x[:, 1] = 2.5
    target = np.round((x @ rng.normal(size=d) / np.sqrt(d) + rng.normal(size=n)) * 4) / 4
    fold = group % 4
    return {
        "x": x.tolist(), "y": y.tolist(), "group": group.tolist(), "fold": fold.tolist(),
        "classes": classes.tolist(), "target": target.tolist(),
        "ridge": ridge(x, y, group), "lda": lda(x, y), "mass_mean": mass_mean(x, y), "pair_pca": pair_pca(x, y, group),
        "ccs": ccs(x, y, group, 0.01), "sparse": sparse(x, y, 3), "svm": svm(x, y),
        "multinomial": multinomial(x, classes, fold), "regression": regression(x, target, fold),
    }


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    made = {"scikit-learn": sklearn.__version__, "wide": data(rng, 24, 30, 2), "tall": data(rng, 60, 6, 4)}
    (OUT / "estimators.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
