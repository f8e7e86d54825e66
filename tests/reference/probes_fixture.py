"""Writes probes/tests/fixtures/*.json: what scikit-learn makes of three small data sets.

    python tests/reference/probes_fixture.py

needs numpy and scikit-learn. Features are multiples of 1/8, so they are the same in f32 and in JSON.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

OUT = pathlib.Path(__file__).resolve().parents[2] / "probes" / "tests" / "fixtures"


def logistic(c):
    return LogisticRegression(C=c, solver="newton-cholesky", tol=1e-13, max_iter=1000)


def ece(y, p):
    bins = np.minimum((p * 10).astype(int), 9)
    return sum((bins == b).mean() * abs(p[bins == b].mean() - y[bins == b].mean()) for b in range(10) if (bins == b).any())


def scores(y, decision):
    p = 1 / (1 + np.exp(-decision))
    return {
        "auroc": roc_auc_score(y, decision),
        "accuracy": accuracy_score(y, decision > 0),
        "balanced_accuracy": balanced_accuracy_score(y, decision > 0),
        "average_precision": average_precision_score(y, decision),
        "brier": brier_score_loss(y, p),
        "log_loss": log_loss(y, p),
        "ece": ece(y, p),
    }


def out_of_fold(make, x, y, fold):
    decision = np.empty(len(y))
    for f in np.unique(fold):
        held_out = fold == f
        train = [row for row, out in zip(x, held_out) if not out]
        test = [row for row, out in zip(x, held_out) if out]
        decision[held_out] = make().fit(train, y[~held_out]).decision_function(test)
    return decision


def fits(x, y, fold, standardise):
    def pipeline(c):
        # A pipeline fits its steps in place: each needs a scaler of its own.
        return make_pipeline(*([StandardScaler()] if standardise else []), logistic(c))

    found = []
    for c in [0.01, 1.0, 100.0]:
        fitted = pipeline(c).fit(x, y)
        fit = fitted[-1]
        decision = out_of_fold(lambda: pipeline(c), x, y, fold)
        found.append({
            "c": c,
            "standardise": standardise,
            "coef": fit.coef_[0].tolist(),
            "intercept": fit.intercept_[0],
            "train_decision": fitted.decision_function(x).tolist(),
            "cv_decision": decision.tolist(),
            "cv": scores(y, decision),
        })
    return found


def features(rng, n, d, pairs):
    group = np.arange(n) // 2
    y = np.arange(n) % 2 if pairs else group % 2
    x = rng.normal(size=(n, d)) + 0.8 * np.outer(y - 0.5, rng.normal(size=d)) + rng.normal(size=(n // 2, d))[group]
    x = np.round(x * 8) / 8
    x[:, 1] = 2.5
    fold = group % 3
    if not pairs:
        fold = (group // 2) % 3
    return {
        "x": x.tolist(), "y": y.tolist(), "group": group.tolist(), "fold": fold.tolist(),
        "fits": fits(x, y, fold, True) + fits(x, y, fold, False),
    }


def words():
    subjects = ["The nurse", "A doctor", "My uncle", "Our teacher", "The pilot", "An engineer"]
    good = ["helped the old man", "kept a promise", "gave away their lunch", "told the truth, again"]
    bad = ["stole the old car", "broke a promise", "kicked a dog dog", "lied to the man"]
    texts, y, group = [], [], []
    for i, subject in enumerate(subjects):
        for j in range(3):
            pick = (i + 2 * j) % 4
            texts += [f"{subject} {good[pick]}.", f"{subject} {bad[pick]}, I'm told!"]
            y += [1, 0]
            group += [3 * i + j] * 2
    texts[0] = "Zoë's co-op naïvely x_1 HELPED 42 times; a é ok"
    y, group = np.array(y), np.array(group)
    fold = group % 3
    analyse = CountVectorizer(ngram_range=(1, 2)).build_analyzer()
    found = []
    for binary in [False, True]:
        make = lambda: make_pipeline(CountVectorizer(ngram_range=(1, 2), binary=binary), logistic(1.0))
        decision = out_of_fold(make, texts, y, fold)
        found.append({"binary": binary, "cv_decision": decision.tolist(), "cv": scores(y, decision)})
    return {
        "texts": texts, "y": y.tolist(), "group": group.tolist(), "fold": fold.tolist(), "c": 1.0,
        "terms": analyse(texts[0]), "fits": found,
    }


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    made = {
        "wide": features(rng, 24, 30, pairs=True),
        "tall": features(rng, 48, 5, pairs=False),
        "words": words(),
    }
    for name, content in made.items():
        content = {"scikit-learn": sklearn.__version__, **content}
        (OUT / f"{name}.json").write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n")
