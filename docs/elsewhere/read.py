"""From a run directory to a first plot of your own: python3 read.py RUN [PLOT.png]. Needs numpy, pandas, matplotlib, safetensors."""
import json, sys
from pathlib import Path

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from safetensors import safe_open

run, plot = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "plot.png"
study = json.loads((run / "manifest.json").read_text())["inputs"]["study"]
model, task, condition = study["models"][0]["name"], study["tasks"][0]["name"], study["dialogue"]["conditions"][0]


def read_states(folder, site="resid_post"):
    """[items, rounds, positions, layers, width]; bf16 has no numpy type, so its bits become the upper half of a float32."""
    parts, items = [], []
    for path in sorted(folder.glob("states-*.safetensors")):
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            start, about = file.tell(), json.loads(header["__metadata__"]["recant"])
            first, last = header[site]["data_offsets"]
            file.seek(start + first)
            raw = file.read(last - first)
        if header[site]["dtype"] == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, "<f4")
        parts.append(values.reshape(header[site]["shape"]))
        items += about["item_ids"]
    return np.concatenate(parts), items


# What was said: a row for each item and round.
folder = run / model / task / condition
turns = pd.concat([pd.read_json(path, lines=True) for path in sorted(folder.glob("turns-*.jsonl"))])
# What was inside.
states, items = read_states(folder)
# A table of the report.
behaviour = pd.read_csv(run / "tables" / "behaviour.csv")

print("turns", len(turns))
print("states", *states.shape)
print("state_mean", f"{states[np.isfinite(states)].mean(dtype=np.float64):.6f}")
mine = behaviour[(behaviour.model == model) & (behaviour.task == task) & (behaviour.condition == condition)]
mine = mine[(mine.scoring == mine.scoring.iloc[0]) & (mine.measure == mine.measure.iloc[0])]
print("behaviour", *(f"{value:.4f}" for value in mine.value))

figure, axes = plt.subplots(1, 2, figsize=(8, 3))
axes[0].errorbar(mine["round"], mine.value, [mine.value - mine.low, mine.high - mine.value], marker="o", capsize=3)
axes[0].set(xlabel="round", ylabel=mine.measure.iloc[0], xticks=mine["round"])

if study["concepts"]:
    # What the probes say: [conditions, items, rounds, positions, layers].
    concept, site = study["concepts"][0]["name"], study["probe"]["site"]
    with safe_open(run / "probes" / model / "scores" / concept / f"{task}.safetensors", "np") as file:
        about = json.loads(file.metadata()["recant"])
        scores = file.get_tensor(site)
    at = about["conditions"].index(condition)
    position = about["positions"].index(study["probe"]["position"])
    profile = np.nanmean(scores[at, :, :, position], axis=0)  # [rounds, layers]
    print("scores", *scores.shape)
    print("score_last_layer", *(f"{value:.4f}" for value in profile[:, -1]))
    for number, line in enumerate(profile):
        axes[1].plot(about["layers"], line, label=f"round {number}")
    axes[1].set(xlabel="layer", ylabel=f"{concept} score")
    axes[1].legend()

figure.tight_layout()
figure.savefig(plot, dpi=150)
