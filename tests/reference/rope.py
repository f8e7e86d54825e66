"""Makes tests/fixtures/rope.json: the rotary frequencies that transformers computes, to the bit.

    python rope.py ../fixtures/rope.json

Each case is a config and sequences of some lengths; frequencies are written as the bits of their f32, with the factor
of cosines and sines. Written with transformers 5.23 and torch 2.11.
"""

import json
import sys

import numpy as np
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SIZES = {"hidden_size": 256, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 2,
         "intermediate_size": 32, "vocab_size": 41, "max_position_embeddings": 131072}
SHORT, LONG = [1.05 + 0.01 * i for i in range(64)], [1.08 + 0.9 * i for i in range(64)]
LONGROPE = {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
CASES = [
    ("llama", {"rope_theta": 10000.0}, [100]),
    ("llama", {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "linear", "factor": 3.0}}, [100]),
    ("llama", {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 8192}}, [100]),
    # the top level wins
    ("llama", {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 32},
               "original_max_position_embeddings": 8192}, [100]),
    ("llama", {"rope_scaling": {"type": "yarn", "factor": 40.0}, "original_max_position_embeddings": 4096}, [100]),
    ("mistral", {"rope_scaling": {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 1024},
                 "original_max_position_embeddings": 64}, [100]),
    ("qwen2", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768,
                                "beta_fast": 16, "beta_slow": 2, "attention_factor": 1.1, "truncate": False}}, [100]),
    ("granite", {"rope_scaling": {"rope_type": "yarn", "factor": 2.5, "original_max_position_embeddings": 4096,
                                  "beta_fast": 0, "mscale": 0.7, "mscale_all_dim": 1.0}}, [100]),
    ("llama", {"rope_scaling": LONGROPE, "original_max_position_embeddings": 4096}, [100, 5000]),
    ("phi3", {"rope_scaling": LONGROPE, "original_max_position_embeddings": 4096, "pad_token_id": 0}, [4096, 4097]),
    ("phi3", {"rope_scaling": {**LONGROPE, "short_factor": SHORT[:48], "long_factor": LONG[:48]}, "pad_token_id": 0,
              "partial_rotary_factor": 0.75, "original_max_position_embeddings": 4096}, [100, 5000]),
    ("llama", {"max_position_embeddings": 2048, "rope_scaling": {"rope_type": "dynamic", "factor": 3.0}},
     [2048, 2049, 5000]),
]


def main():
    found = []
    for family, options, lengths in CASES:
        written = {"model_type": family, **SIZES, **options}
        config = AutoConfig.for_model(**json.loads(json.dumps(written)))
        kind = config.rope_parameters["rope_type"]
        for length in lengths:
            if kind == "default":
                base = np.float32(config.rope_parameters["rope_theta"])
                import torch
                exponents = torch.arange(0, 128, 2, dtype=torch.float) / 128
                frequencies, gain = 1.0 / (float(base) ** exponents), 1.0
            else:
                frequencies, gain = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length)
            bits = frequencies.numpy().view(np.uint32).tolist()
            found.append({"config": written, "length": length, "gain": gain, "bits": bits})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in found)
    open(sys.argv[1], "w").write(f"[\n{lines}\n]\n")


main()
