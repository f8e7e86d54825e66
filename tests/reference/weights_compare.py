"""Holds adapters and GPTQ weights as recant reads them against PEFT and against GPTQModel's arithmetic.

    python weights_compare.py RECANT BASE

RECANT is the binary, BASE an untied Llama directory, for example tests/fixtures/tiny-llama. Every kind of adapter that
can be read is made with PEFT, filled with noise, saved, merged by PEFT, and the merged checkpoint compared with base and
adapter by `recant model diff --adapter`. Matrices of BASE that fill whole words are quantized, and the packed checkpoint
is compared with one that torch unpacks. Every tensor must be bit-equal. Exits with 1 at a difference.

Needs torch, transformers, peft, safetensors.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "plain": dict(target_modules=LINEAR),
    "rslora": dict(target_modules=LINEAR, use_rslora=True),
    "gaussian": dict(target_modules=LINEAR, init_lora_weights="gaussian"),
    "patterns": dict(
        target_modules=LINEAR,
        rank_pattern={r"layers\.[01]\.self_attn\.q_proj": 2, "layers.1.mlp.up_proj": 6, r"^model\.layers\.2\..*": 3},
        alpha_pattern={"proj": 99, "k_proj": 5, r"layers\.[01]\.mlp\..*": 7, "^model.layers.2.self_attn.v_proj": 11},
    ),
    "embedding": dict(target_modules=["embed_tokens", "lm_head", "q_proj"]),
    "modules_to_save": dict(target_modules=["q_proj"], modules_to_save=["lm_head", "embed_tokens"]),
    "all biases": dict(target_modules=["q_proj"], bias="all"),
    "lora biases": dict(target_modules=["q_proj"], bias="lora_only"),
}
# bits, group size, symmetric, activation order, format
QUANTIZED = [
    (4, 8, True, False, "gptq"),
    (4, 8, False, True, "gptq"),
    (4, -1, False, False, "gptq_v2"),
    (8, 8, False, True, "gptq_v2"),
    (8, -1, True, False, "gptq"),
]


def differences(recant, a, b, *more):
    command = [recant, "--quiet", "model", "diff", str(a), str(b), "--json", *map(str, more)]
    weights = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["weights"]
    assert not (weights["only_in_a"] or weights["only_in_b"] or weights["other_shape"] or weights["not_compared"])
    return len(weights["tensors"]), len(weights["tensors"]) - weights["identical"]


def adapter(base, work, settings):
    torch.manual_seed(1)
    load = lambda: AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(load(), LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, **settings))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn_like(parameter) * 0.2
    model.save_pretrained(work / "adapter")
    PeftModel.from_pretrained(load(), work / "adapter").merge_and_unload().save_pretrained(work / "merged")


def words(values, bits, along):
    """Packs integers along an axis into 32-bit words, lowest bits first."""
    per = 32 // bits
    values = values.long().movedim(along, 0).unflatten(0, (-1, per))
    packed = sum(values[:, i] << (bits * i) for i in range(per)).movedim(0, along)
    return torch.where(packed >= 2**31, packed - 2**32, packed).int()


def unpack(name, parts, bits, v1):
    """What GPTQModel does: v1 zero points made v2 by adding to whole words, then shift, mask and scale."""
    per, mask = 32 // bits, 2**bits - 1
    shifts = torch.arange(0, 32, bits, dtype=torch.int32)
    zeros = parts[f"{name}.qzeros"].clone()
    if v1:
        zeros += sum(1 << (bits * i) for i in range(per))
    zeros = (zeros.unsqueeze(2) >> shifts & mask).flatten(1)
    q = (parts[f"{name}.qweight"].unsqueeze(1) >> shifts[:, None] & mask).flatten(0, 1)
    group = parts[f"{name}.g_idx"].long()
    return (parts[f"{name}.scales"].float()[group] * (q - zeros[group])).T.contiguous()


def quantize(base, work, bits, group_size, symmetric, ordered, layout):
    torch.manual_seed(2)
    per, top = 32 // bits, 2**bits - 1
    packed, plain = load_file(base / "model.safetensors"), load_file(base / "model.safetensors")
    done = 0
    for key, weight in list(plain.items()):
        name, (outputs, inputs) = key.removesuffix(".weight"), (list(weight.shape) + [0])[:2]
        if not name.endswith("_proj") or key == name or outputs % per or inputs % per:
            continue
        size = inputs if group_size == -1 else group_size
        group = torch.arange(inputs) // size
        group = group[torch.randperm(inputs)] if ordered else group
        columns = [weight.float()[:, group == g] for g in range(int(group.max()) + 1)]
        low = torch.stack([c.amin(1).clamp(max=0) for c in columns])
        high = torch.stack([c.amax(1).clamp(min=0) for c in columns])
        reach = 2 * torch.maximum(-low, high) if symmetric else high - low
        scales = (reach / top).half()
        zeros = torch.full_like(low, (top + 1) // 2) if symmetric else (-low / scales.float()).round()
        zeros = zeros.clamp(0, top)
        q = (weight.float().T / scales.float()[group] + zeros[group]).round().clamp(0, top)
        qzeros = words(zeros, bits, 1)
        if layout == "gptq":
            qzeros -= sum(1 << (bits * i) for i in range(per))
        parts = {"qweight": words(q, bits, 0), "qzeros": qzeros, "scales": scales, "g_idx": group.int()}
        packed |= {f"{name}.{part}": tensor.contiguous() for part, tensor in parts.items()}
        del packed[key]
        plain[key] = unpack(name, packed, bits, layout == "gptq")
        done += 1
    for side, tensors in {"packed": packed, "plain": plain}.items():
        shutil.copytree(base, work / side)
        save_file(tensors, work / side / "model.safetensors")
    path = work / "packed" / "config.json"
    settings = dict(quant_method="gptq", bits=bits, group_size=group_size, desc_act=ordered, checkpoint_format=layout)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": settings}))
    return done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recant")
    parser.add_argument("base", type=Path)
    args = parser.parse_args()
    failed = False

    def report(what, tensors, unequal, changed):
        nonlocal failed
        failed |= unequal > 0 or changed == 0
        print("DIFFER" if unequal else "ok    ", f"{what}: {unequal} of {tensors} tensors differ, {changed} were changed")

    for name, settings in ADAPTERS.items():
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            adapter(args.base, work, settings)
            changed = differences(args.recant, work / "merged", args.base)[1]
            found = differences(args.recant, work / "merged", args.base, "--adapter", work / "adapter")
            report(f"adapter, {name}", *found, changed)
    for settings in QUANTIZED:
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            changed = quantize(args.base, work, *settings)
            report(f"gptq, {settings}", *differences(args.recant, work / "plain", work / "packed"), changed)
    sys.exit(failed)


if __name__ == "__main__":
    main()
