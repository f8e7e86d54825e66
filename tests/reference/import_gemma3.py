"""Holds the imported Gemma 3 270M against what transformers makes of the same GGUF file.

    python import_gemma3.py FILE.gguf DIR

Compared are every weight (bit for bit, f32), the configuration, and the ids of many texts; then the imported directory
continues a prompt. Exits with 1 at a difference. Needs gguf, torch, transformers, safetensors.
"""

import random
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HARD = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n \n", "\t", "\t\tx", "a  b   c    d", "  leading", " one", "trailing  ", "1", "12",
    "1234567890", "3.14159, 1,000,000 and 1e-5", "½ ² ⅷ ٣٤ 三", "naïve café — “quotes” … ’s", "I'll we've they'RE don't",
    "日本語のテキスト、です。", "中文分词测试", "한국어 텍스트", "🙂👩‍👩‍👧‍👦🇫🇷", "e\u0301 vs é", "\u00a0\u2003\u200b", "\x00\x01\x7f", "\r\n\r\n", "\ufeffbom",
    "<bos>", "<eos>x", "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n", "<pad><unk><mask>", "<unused0> <unused6241>",
    "<table><tr><td>1</td></tr></table>", "a<end_of_turn>b", "<end_of_turn", "<0x0A><0x41>", "[multimodal]", "<start_of_image>",
    "#include <x>\n\tint a=0;//1", "def f(x):\n    return [i ** 2 for i in range(x)]\n", " " * 40 + "x", "\n" * 40 + "x", "\t" * 40 + "x",
    "\U0001f9ff\U00010348\u0904", "Ωμέγα Привет שלום مرحبا नमस्ते", "x" * 500,
]  # fmt: skip


def noise(count, seed=0):
    rng = random.Random(seed)
    pieces = HARD[1:] + [" ", "  ", "\n", "0", "9", "a", "Z", ".", "'s", "é", "中", "🙂", "_", "-", "the ", "ing", " and"]
    return ["".join(rng.choice(pieces) for _ in range(rng.randint(1, 12))) for _ in range(count)]


def main():
    gguf, ours = Path(sys.argv[1]), Path(sys.argv[2])
    failed = []

    def check(what, good, detail=""):
        print(("ok    " if good else "DIFFER"), what, detail)
        if not good:
            failed.append(what)

    theirs = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    state = theirs.state_dict()
    written = load_file(ours / "model.safetensors")
    names = {name for name in state if name != "lm_head.weight"}
    check("tensor names", set(written) == names, f"{len(names)} tensors")
    unequal = [n for n in names & set(written) if not torch.equal(written[n], state[n])]
    check("weights bit-equal", not unequal, str(unequal[:3]))
    del written
    mine = AutoModelForCausalLM.from_pretrained(ours, dtype=torch.float32)
    a, b = mine.config.to_dict(), theirs.config.to_dict()
    skip = {"_name_or_path", "_model_name_or_path", "architectures", "dtype", "quantization_config", "unk_token_id"}
    differ = {k: (a.get(k), b.get(k)) for k in sorted(set(a) | set(b)) if k not in skip and a.get(k) != b.get(k)}
    eps = [torch.tensor(c["rms_norm_eps"], dtype=torch.float32) for c in (a, b)]
    if eps[0] == eps[1]:
        differ.pop("rms_norm_eps", None)
    check("configuration", not differ, str(differ))
    check("types of layers", a["layer_types"].count("full_attention") == 3, str(a["rope_parameters"]))

    tokenizer = AutoTokenizer.from_pretrained(ours)
    ref = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    lines = HARD + noise(3000)
    lines += [line for path in sorted(Path(__file__).parents[2].rglob("*.rs"))[:20] for line in path.read_text().splitlines()]
    wrong = [line for line in lines if tokenizer(line)["input_ids"] != ref(line)["input_ids"]]
    tokens = sum(len(tokenizer(line)["input_ids"]) for line in lines)
    check("ids", not wrong, f"{len(lines)} texts, {tokens} ids {wrong[:2]!r}")
    back = [line for line in lines if tokenizer.decode(tokenizer(line, add_special_tokens=False)["input_ids"]) != line]
    check("decoding gives the text back", not back, repr(back[:3]))
    check("opening token", tokenizer("x")["input_ids"][0] == 2)

    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        worst = (mine(ids).logits - theirs(ids).logits).abs().max().item()
    check("logits", worst < 1e-4, f"{worst:.1e}")
    print(repr(tokenizer.decode(mine.generate(ids, max_new_tokens=24, do_sample=False)[0])))
    sys.exit(1 if failed else 0)


main()
