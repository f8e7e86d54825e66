"""Makes tests/fixtures/families: what transformers computes with a tiny model of every family, once with the family's
defaults and once or more with the options that change numbers.

    python families.py ../fixtures/families [CASE ...]
    python families.py --random SEED COUNT OUTDIR

The first form writes the cases of families_cases.py, or those named; the second writes random cases of the same form,
for differential testing, and says what transformers refused. Written with transformers 5.23 and torch 2.11 (f32, eager
attention, one thread). Needs numpy, safetensors, torch, transformers.

A fixture holds no weights. Element i of tensor NAME is 0.2 * u, u in [-1, 1) being the top 24 bits of SplitMix64
number i of the stream that starts at the FNV-1a hash of NAME; the weights of norms are 1 + 0.2 * u. All of it is exact
in f32 but for the last rounding.

- case, config: config.json as save_pretrained writes it, without what no decoder reads.
- sparse_config (defaults only): the same model by the fewest keys, every other left to the family's default.
- tensors: name -> shape, what save_pretrained writes (a tied head is absent).
- rows: three rows of ids. Each is run alone.
- expected, to six digits: name -> row -> [vector at the last token, vector at token len / 2]. hidden.0 = embeddings ..
  hidden.L = after the final norm; attn_out.l, mlp_out.l = the modules' own outputs, before any norm or multiplier on
  the way to the stream; logits; greedy = eight ids per row, by full passes over the growing row, no end token chosen.

CASE-v4.json is CASE with the config in the spelling of transformers 4, defaults left out. It was loaded and gave the
same numbers. Falcon with alibi has no case: it is to be refused.
"""

import json
import random
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from families_cases import BASE, CASES, FULL, SLIDE, TOKENS, V4, chance

LENGTHS = [5, 14, 23]
NEW = 8
MARGIN = 1e-3  # of the largest logit, so that rounding can not turn a greedy choice
FINAL_NORMS = ["ln_f", "norm", "final_layer_norm", "final_layernorm"]
ATTENTIONS = ["attn", "attention", "self_attn", "self_attention"]
NOISE = {
    "_name_or_path", "chunk_size_feed_forward", "id2label", "is_encoder_decoder", "label2id", "output_attentions",
    "output_hidden_states", "problem_type", "return_dict", "transformers_version", "use_cache", "initializer_range",
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
    "is_decoder", "add_cross_attention", "pretraining_tp", "classifier_dropout",
}


def fnv1a(text: str) -> int:
    found = 0xCBF29CE484222325
    for byte in text.encode():
        found = (found ^ byte) * 0x100000001B3 % 2**64
    return found


def values(name: str, shape: list[int]) -> torch.Tensor:
    count = int(np.prod(shape))
    z = np.uint64(fnv1a(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    u = ((z >> np.uint64(40)).astype(np.float64) / 2**24 * 2 - 1).astype(np.float32)
    found = np.float32(0.2) * u
    if len(shape) == 1 and ("norm" in name or "ln_" in name) and name.endswith(".weight"):
        found = np.float32(1) + found
    return torch.from_numpy(found.reshape(shape))


def load(directory: Path, config: dict) -> torch.nn.Module:
    (directory / "config.json").write_text(json.dumps(config))
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()


def build(directory: Path, family: str, overrides: dict) -> tuple[torch.nn.Module, dict, dict]:
    """A model with the weights of the formula, its config.json and the shapes of the tensors in its checkpoint."""
    made = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **TOKENS | BASE[family] | overrides))
    made.save_pretrained(directory)
    config = {k: v for k, v in json.loads((directory / "config.json").read_text()).items() if k not in NOISE}
    with safe_open(directory / "model.safetensors", "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in sorted(file.keys())}
    save_file({n: values(n, s) for n, s in shapes.items()}, directory / "model.safetensors", metadata={"format": "pt"})
    return load(directory, config), config, shapes


def run(made: torch.nn.Module, ids: list[int]) -> dict[str, torch.Tensor]:
    """What golden/README calls hidden.i, attn_out.l, mlp_out.l and logits, for one row."""
    base = made.base_model
    if hasattr(base, "rotary_emb"):  # dynamic frequencies remember the longest row seen
        base.rotary_emb = type(base.rotary_emb)(config=made.config)
    blocks = base.h if hasattr(base, "h") else base.layers
    final = next(getattr(base, name) for name in FINAL_NORMS if hasattr(base, name))
    seen, hooks = {}, []

    def keep(name):
        def hook(_module, _args, output):  # falcon adds to the output of its MLP in place
            seen[name] = (output[0] if isinstance(output, tuple) else output)[0].clone()
        return hook

    def enter(_module, args):
        seen["hidden.0"] = args[0][0].clone()

    hooks.append(blocks[0].register_forward_pre_hook(enter))
    for i, block in enumerate(blocks):
        attention = next(module for name, module in block.named_children() if name in ATTENTIONS)
        hooks.append(attention.register_forward_hook(keep(f"attn_out.{i}")))
        hooks.append(block.mlp.register_forward_hook(keep(f"mlp_out.{i}")))
        if i + 1 < len(blocks):
            hooks.append(block.register_forward_hook(keep(f"hidden.{i + 1}")))
    hooks.append(final.register_forward_hook(keep(f"hidden.{len(blocks)}")))
    with torch.no_grad():
        out = made(torch.tensor([ids]), output_hidden_states=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    assert len(out.hidden_states) == len(blocks) + 1
    for i, hidden in enumerate(out.hidden_states):
        assert torch.equal(hidden[0], seen[f"hidden.{i}"]), f"hidden.{i} is not what the hooks saw"
    seen["logits"] = out.logits[0]
    assert all(torch.isfinite(x).all() for x in seen.values()), "not finite"
    return seen


def greedy(made: torch.nn.Module, ids: list[int]) -> list[int] | None:
    """The greedy continuation, or None where a choice is too close."""
    ids, ends = list(ids), made.config.eos_token_id
    for _ in range(NEW):
        logits = run(made, ids)["logits"][-1].clone()
        close = MARGIN * logits.abs().max().item()
        logits[ends] = -torch.inf
        first, second = logits.topk(2).values.tolist()
        if first - second < close:
            return None
        ids.append(int(logits.argmax()))
    return ids[-NEW:]


def expect(made: torch.nn.Module, rows: list[list[int]], continuations: list[list[int]]) -> dict:
    seen = [run(made, row) for row in rows]
    names = sorted(seen[0], key=lambda n: (("hidden", "attn_out", "mlp_out", "logits").index(n.split(".")[0]), n))
    found = {n: [[s[n][-1].tolist(), s[n][len(row) // 2].tolist()] for s, row in zip(seen, rows)] for n in names}
    return found | {"greedy": continuations}


def choose(made: torch.nn.Module, case: str) -> tuple[list[list[int]], list[list[int]]]:
    vocab = made.config.vocab_size
    for attempt in range(100):
        draw = random.Random(f"{case} {attempt}")
        rows = [[draw.randrange(3, vocab) for _ in range(n)] for n in LENGTHS]
        continuations = [greedy(made, row) for row in rows]
        if None not in continuations:
            return rows, continuations
    raise ValueError(f"{case}: no rows with clear greedy choices")


def told(config: dict) -> dict:
    """What a config.json comes to, to compare spellings by."""
    kept = AutoConfig.for_model(**deepcopy(config)).to_dict()  # it writes into the dictionaries it is given
    ropes = kept.get("rope_parameters", {})
    for rope in [ropes, ropes.get(FULL, {})]:
        rope.pop("type", None)
    left = NOISE | {"architectures", "dtype", "_sliding_window_pattern"}
    left |= {"partial_rotary_factor"} if "partial_rotary_factor" in ropes else set()
    return {k: v for k, v in kept.items() if k not in left}


def sparse(config: dict) -> dict:
    """The fewest keys that come to the same configuration."""
    whole = told(config)
    for key in list(config):
        rest = {k: v for k, v in config.items() if k != key}
        try:
            needless = key != "model_type" and told(rest) == whole
        except Exception:  # a configuration refused, in one of many ways
            needless = False
        config = rest if needless else config
    return config


def v4(config: dict) -> dict:
    """The configuration in the spelling of transformers 4."""
    old = dict(config)
    old["torch_dtype"] = old.pop("dtype")
    ropes = old.pop("rope_parameters")
    if FULL in ropes:
        if old["model_type"] == "gemma3_text":
            old["rope_local_base_freq"] = ropes[SLIDE]["rope_theta"]
            old["sliding_window_pattern"] = old.pop("_sliding_window_pattern")
        ropes = ropes[FULL]
    scaling = {k: v for k, v in ropes.items() if k not in ("rope_type", "rope_theta", "partial_rotary_factor")}
    kind = ropes["rope_type"]
    # llama3 and yarn came after "type" was renamed, gemma3 does not read it
    name = "rope_type" if kind in ("llama3", "yarn") or old["model_type"] == "gemma3_text" else "type"
    old["rope_scaling"] = None if kind == "default" else {name: kind, **scaling}
    if old["model_type"] == "phi3":
        (old["rope_scaling"] or {}).pop("original_max_position_embeddings", None)
    if old["model_type"] == "gpt_neox":
        old |= {"rotary_emb_base": ropes["rope_theta"], "rotary_pct": ropes["partial_rotary_factor"]}
    else:
        old["rope_theta"] = ropes["rope_theta"]
        if "partial_rotary_factor" in ropes:
            old["partial_rotary_factor"] = ropes["partial_rotary_factor"]
    assert told(old) == told(config), f"{told(old)} is not {told(config)}"
    return sparse(old)


def number(x) -> str:
    return f"{x:.6g}" if isinstance(x, float) else json.dumps(x)


def compact(x) -> str:
    return "[" + ",".join(map(compact, x)) + "]" if isinstance(x, list) else number(x)


def text(fixture: dict) -> str:
    lines = []
    for key, value in fixture.items():
        if key == "expected":
            inner = ",\n".join(f'  "{k}": {compact(v)}' for k, v in value.items())
            lines.append(f' "{key}": {{\n{inner}\n }}')
        elif isinstance(value, dict):
            inner = ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in value.items())
            lines.append(f' "{key}": {{\n{inner}\n }}')
        else:
            lines.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(out: Path, case: str, family: str, overrides: dict) -> None:
    with tempfile.TemporaryDirectory() as work:
        made, config, shapes = build(Path(work), family, overrides)
        rows, continuations = choose(made, case)
        expected = expect(made, rows, continuations)
        fixture = {"case": case, "config": config, "tensors": shapes, "rows": rows, "expected": expected}
        if case.endswith("-default"):
            fixture["sparse_config"] = sparse(config)
            assert expect(load(Path(work), fixture["sparse_config"]), rows, continuations) == expected
        (out / f"{case}.json").write_text(text(fixture))
        if case in V4:
            fixture |= {"case": f"{case}-v4", "config": v4(config)}
            fixture.pop("sparse_config", None)
            assert expect(load(Path(work), fixture["config"]), rows, continuations) == expected
            (out / f"{case}-v4.json").write_text(text(fixture))


def at_random(seed: int, count: int, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    draw, made = random.Random(seed), 0
    while made < count:
        family = draw.choice(list(BASE))
        case, overrides = f"{family}-random-{seed}-{made}", chance(draw, family)
        try:
            write(out, case, family, overrides)
            made += 1
        except Exception as refused:
            print(case, overrides, f"{type(refused).__name__}: {refused}", file=sys.stderr)


def main() -> None:
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if sys.argv[1] == "--random":
        return at_random(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    out, *named = sys.argv[1:]
    for case, family, overrides in CASES:
        if not named or case in named:
            write(Path(out), case, family, overrides)


if __name__ == "__main__":
    main()
