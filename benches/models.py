"""Load time, peak memory and capture speed of a checkpoint, recant beside transformers, each in its own process.

  python benches/models.py --make-1b DIR                 writes a made-up Llama of 1.1 billion bf16 parameters
  python benches/models.py MODEL [--dtype bf16] [--device cpu] [--tokens 4096] [--length 256] [--peer] [-- --stream]

Prompts are --tokens random ids in sequences of --length; all layers are kept at the last token of each. What follows
`--` goes to recant. --peer runs transformers too (needs torch and transformers). On a GPU machine: --device cuda:0.
Prints one JSON object a process: seconds of the whole process, of loading, of capturing; peak resident memory in MiB.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

PEER = """
import json, sys, time
import torch, transformers
model, device, dtype, path = sys.argv[1:]
sequences = [json.loads(line)["ids"] for line in open(path)]
begun = time.time()
model = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).to(device).eval()
loaded = time.time()
with torch.no_grad():
    for at in range(0, len(sequences), 8):
        ids = torch.tensor(sequences[at:at + 8], device=device)
        states = model.base_model(ids, output_hidden_states=True, use_cache=False).hidden_states
        kept = torch.stack([state[:, -1] for state in states]).float().cpu()
print(json.dumps({"load_seconds": loaded - begun, "seconds": time.time() - loaded}))
"""


def measured(command, **settings):
    """Runs a command; its last line of JSON, its seconds and its peak memory."""
    import time
    begun = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **settings)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"error: {' '.join(map(str, command[:3]))} ... failed")
    about = json.loads(said.strip().splitlines()[-1])
    return about | {"process_seconds": round(time.time() - begun, 2), "peak_mib": usage.ru_maxrss // 1024}


def make(directory):
    """A Llama of 1.1 billion parameters: 22 blocks, width 2048, 32 heads of which 4 hold keys, 32,000 tokens."""
    import torch
    from safetensors.torch import save_file
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32000, "hidden_size": 2048,
              "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
              "num_key_value_heads": 4, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
              "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "bos_token_id": 1,
              "eos_token_id": 2}
    torch.manual_seed(0)
    d, inner, kv = 2048, 5632, 256
    shapes = {"model.embed_tokens.weight": (32000, d), "model.norm.weight": (d,), "lm_head.weight": (32000, d)}
    for layer in range(22):
        at = f"model.layers.{layer}."
        shapes |= {at + "input_layernorm.weight": (d,), at + "post_attention_layernorm.weight": (d,),
                   at + "self_attn.q_proj.weight": (d, d), at + "self_attn.k_proj.weight": (kv, d),
                   at + "self_attn.v_proj.weight": (kv, d), at + "self_attn.o_proj.weight": (d, d),
                   at + "mlp.gate_proj.weight": (inner, d), at + "mlp.up_proj.weight": (inner, d),
                   at + "mlp.down_proj.weight": (d, inner)}
    one = lambda shape: torch.ones(shape) if len(shape) == 1 else torch.randn(shape) * 0.02
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: one(shape).bfloat16() for name, shape in shapes.items()}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(json.dumps(config, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=pathlib.Path)
    parser.add_argument("--make-1b", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16", "f16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--peer", action="store_true")
    own = sys.argv[1:]
    split = own.index("--") if "--" in own else len(own)
    args, more = parser.parse_args(own[:split]), own[split + 1:]
    if args.make_1b:
        return make(args.make_1b)
    if not args.model:
        parser.error("name a model or --make-1b DIR")
    vocabulary = json.loads((args.model / "config.json").read_text())["vocab_size"]
    weights = sum(path.stat().st_size for path in args.model.glob("*.safetensors"))
    with tempfile.TemporaryDirectory() as work:
        prompts = pathlib.Path(work, "in.jsonl")
        draw = random.Random(0)
        lines = [{"id": str(i), "ids": [draw.randrange(3, vocabulary) for _ in range(args.length)]}
                 for i in range(max(1, args.tokens // args.length))]
        prompts.write_text("".join(json.dumps(line) + "\n" for line in lines))
        print(json.dumps({"model": args.model.name, "weights_mib": weights // 2**20, "dtype": args.dtype,
                          "device": args.device, "tokens": len(lines) * args.length, "recant": more}))
        command = [ROOT / "target/release/recant", "--quiet", "capture", "--model", args.model, "--input", prompts,
                   "--output", pathlib.Path(work, "out.safetensors"), "--dtype", args.dtype,
                   "--device", args.device, *more]
        print("recant      ", json.dumps(measured(command)), flush=True)
        if args.peer:
            name = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}[args.dtype]
            command = [sys.executable, "-c", PEER, args.model, args.device, name, prompts]
            print("transformers", json.dumps(measured(command, stderr=subprocess.DEVNULL)), flush=True)


main()
