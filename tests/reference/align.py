"""Steps of DPO and of supervised training in torch, for tests/align.rs.

    python tests/reference/align.py > tests/fixtures/alignment.json

Needs torch and transformers. The model is tests/fixtures/tiny-llama in f64; what is learnt are the projections of the blocks, by
torch.optim.AdamW with a linear warm-up, the gradients clipped by torch's clip_grad_norm_.
"""

import json
import random

import torch
from transformers import AutoModelForCausalLM

MODEL = "tests/fixtures/tiny-llama"
SETTINGS = {"beta": 0.3, "learning_rate": 3e-3, "warmup": 3, "weight_decay": 0.1, "max_grad_norm": 0.5, "batch": 4}
STEPS = 6
PARTS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def pairs(vocab):
    draw = random.Random(7)
    ids = lambda n: [draw.randrange(vocab) for _ in range(n)]
    made = []
    for trunk, chosen, rejected in [(5, 1, 1), (4, 3, 2), (7, 2, 1), (3, 1, 3)]:
        made.append({"trunk": ids(trunk), "answer_start": trunk - 1, "chosen": ids(chosen), "rejected": ids(rejected)})
    return made


def logprob(model, prompt, answer):
    logits = model(torch.tensor([prompt + answer])).logits[0].double()
    at = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
    return torch.log_softmax(logits[at], -1).gather(1, torch.tensor(answer)[:, None]).sum()


def train(objective):
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float64, attn_implementation="eager")
    examples = pairs(model.config.vocab_size)
    both = lambda e: (logprob(model, e["trunk"], e["chosen"]), logprob(model, e["trunk"], e["rejected"]))
    with torch.no_grad():
        reference = [[float(p) for p in both(e)] for e in examples]
    learnt = []
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(part in name for part in PARTS)
        learnt += [parameter] if parameter.requires_grad else []
    rate = SETTINGS["learning_rate"]
    adam = torch.optim.AdamW(learnt, lr=rate, weight_decay=SETTINGS["weight_decay"])
    steps = []
    for step in range(1, STEPS + 1):
        adam.param_groups[0]["lr"] = rate * min(1, step / SETTINGS["warmup"])
        adam.zero_grad()
        if objective == "dpo":
            margins = torch.stack([c - r - (p - q) for (c, r), (p, q) in zip(map(both, examples), reference)])
            loss = -torch.nn.functional.logsigmoid(SETTINGS["beta"] * margins).mean()
        else:
            tokens = [(e["trunk"][: e["answer_start"]], e["trunk"][e["answer_start"] :] + e["chosen"]) for e in examples]
            loss = -sum(logprob(model, *t) for t in tokens) / sum(len(answer) for _, answer in tokens)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(learnt, SETTINGS["max_grad_norm"])
        adam.step()
        steps.append({"loss": float(loss), "grad_norm": float(norm)})
    with torch.no_grad():
        after = [[float(p) for p in both(e)] for e in examples]
    return {"reference": reference, "steps": steps, "after": after}, examples


dpo, examples = train("dpo")
sft, _ = train("sft")
print(json.dumps({"settings": SETTINGS, "examples": examples, "dpo": dpo, "sft": sft}, indent=1))
