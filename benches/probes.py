"""Seconds of a probe sweep, recant beside scikit-learn, on the same made-up features in one run.

  python benches/probes.py N D LAYERS [--permutations 1000] [--peer-permutations 3] [--grid 1e-4:1e2:7]
      [--tolerance 1e-10] [--recant PATH]

Needs numpy, scikit-learn and safetensors. Rows come in groups of four; column 0 tells the classes apart, the more the later the
layer. Both standardise inside the fold, fit 5 grouped folds at every C of the grid, on the same folds, and report the pooled
out-of-fold AUROC of the best C; both have the same cores. Then one layer's labels are exchanged at one C. Prints one JSON
object: seconds of each, how far the AUROCs are apart, seconds per permutation of each.

recant's seconds are its own (no reading of the file, no intervals, no controls); they hold the refit of the best C on all rows too.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

ROOT = pathlib.Path(__file__).resolve().parent.parent


def made(n, d, layers):
    rng = np.random.default_rng(5)
    group = np.arange(n) // 4
    y = rng.permutation(n) % 2
    x = rng.standard_normal((layers, n, d), dtype=np.float32)
    x[:, :, 0] += (y - 0.5) * np.linspace(0.5, 2.0, layers)[:, None].astype(np.float32)
    return x, y, group, group % 5


def out_of_fold(x, y, fold, penalties):
    """Decisions [penalties, N]."""
    decisions = np.empty((len(penalties), len(y)))
    for held_out in (fold == f for f in range(5)):
        scaler = StandardScaler().fit(x[~held_out])
        train, test = scaler.transform(x[~held_out]), scaler.transform(x[held_out])
        for place, c in enumerate(penalties):
            fit = LogisticRegression(C=c, max_iter=1000).fit(train, y[~held_out])
            decisions[place, held_out] = fit.decision_function(test)
    return decisions


def recant(binary, features, folder, *settings):
    """The last line of stdout, and what was written."""
    command = [binary, "--quiet", "fit", "--features", features, "--output", folder / "out.json",
               "--controls", "0", "--bootstrap", "0", *settings]
    said = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1]), json.loads((folder / "out.json").read_text())


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("n", type=int)
    parse.add_argument("d", type=int)
    parse.add_argument("layers", type=int)
    parse.add_argument("--permutations", type=int, default=1000)
    parse.add_argument("--peer-permutations", type=int, default=3)
    parse.add_argument("--grid", default="1e-4:1e2:7")
    parse.add_argument("--tolerance", default="1e-10", help="scikit-learn's own default stops near 1e-2")
    parse.add_argument("--recant", default=ROOT / "target" / "release" / "recant")
    asked = parse.parse_args()

    x, y, group, fold = made(asked.n, asked.d, asked.layers)
    low, high, count = asked.grid.split(":")
    penalties = np.geomspace(float(low), float(high), int(count))
    middle = penalties[len(penalties) // 3]

    begun = time.perf_counter()
    theirs = [max(roc_auc_score(y, made) for made in out_of_fold(layer, y, fold, penalties)) for layer in x]
    their_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    for seed in range(asked.peer_permutations):
        out_of_fold(x[0], np.random.default_rng(seed).permutation(y), fold, [middle])
    their_permutation = (time.perf_counter() - begun) / max(asked.peer_permutations, 1)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        columns = {"y": y.astype(np.int64), "group": group.astype(np.int64), "fold": fold.astype(np.int64)}
        save_file({"x": x} | columns, folder / "all.safetensors")
        save_file({"x": x[0]} | columns, folder / "one.safetensors")
        sweep, scores = recant(asked.recant, folder / "all.safetensors", folder, "--permutations", 0, "--c-grid", asked.grid,
                               "--tolerance", asked.tolerance)
        alone = ["--c", middle, "--permutations"]
        without, _ = recant(asked.recant, folder / "one.safetensors", folder, *alone, 0)
        tested, _ = recant(asked.recant, folder / "one.safetensors", folder, *alone, asked.permutations)
    ours = [layer["cv"]["auroc"]["value"] for layer in scores]
    our_permutation = (tested["seconds"] - without["seconds"]) / max(asked.permutations, 1)
    print(json.dumps({
        "n": asked.n, "d": asked.d, "layers": asked.layers, "tolerance": asked.tolerance, "fits": asked.layers * 5 * len(penalties),
        "scikit_learn_seconds": round(their_seconds, 3), "recant_seconds": round(sweep["seconds"], 3),
        "times_as_fast": round(their_seconds / sweep["seconds"], 1),
        "largest_auroc_difference": max(abs(a - b) for a, b in zip(ours, theirs)),
        "scikit_learn_seconds_per_permutation": round(their_permutation, 5),
        "recant_seconds_per_permutation": round(our_permutation, 7),
        "permutations_times_as_fast": round(their_permutation / our_permutation) if our_permutation > 0 else None,
    }))


if __name__ == "__main__":
    main()
