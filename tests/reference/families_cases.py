"""The cases of families.py: per family the sizes of its tiny model, the options set apart from the defaults, and a way
to draw options at random."""

import random

TOKENS = {"vocab_size": 41, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SIZES = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 64,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
BASE = {
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64},
    "gpt_neox": SIZES,
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 6},
    "phi3": SIZES,
    "olmo": SIZES,
    "olmo2": GROUPED,
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 6},
    "gemma3_text": {**GROUPED, "head_dim": 8, "sliding_window": 6},
    "phi": SIZES,
    "stablelm": {**SIZES, "num_key_value_heads": 4},
    "starcoder2": GROUPED,
    "granite": GROUPED,
    "smollm3": {**GROUPED, "num_hidden_layers": 4},
    "cohere": GROUPED,
    "cohere2": {**GROUPED, "num_hidden_layers": 4, "sliding_window": 6},
    "gemma": {**GROUPED, "head_dim": 8},
    "olmo3": {**GROUPED, "num_hidden_layers": 4, "sliding_window": 6},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64},
}
# Two layers are enough where nothing changes from layer to layer.
TWO = {"num_hidden_layers": 2}


def rope(kind: str, theta: float = 1000.0, **options) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **options}}


LLAMA3 = {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
SHORT, LONG = [1.0, 1.1, 1.3, 1.7], [1.5, 2.5, 5.0, 9.0]
SLIDE, FULL = "sliding_attention", "full_attention"

UNIFORM = ["gpt_neox", "llama", "phi3", "olmo", "olmo2", "phi", "stablelm", "starcoder2", "granite", "cohere", "falcon", "gemma"]
CASES = [(f"{family}-default", family, TWO if family in UNIFORM else {}) for family in BASE] + [
    ("gpt2-options", "gpt2", {
        "n_inner": 40, "activation_function": "relu", "layer_norm_epsilon": 1e-3, "tie_word_embeddings": False,
        "scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True, "eos_token_id": [2, 9],
    }),
    ("gpt2-upcast", "gpt2", {
        "n_layer": 2, "activation_function": "gelu", "scale_attn_by_inverse_layer_idx": True,
        "reorder_and_upcast_attn": True,  # the same numbers in f32
    }),
    ("gpt_neox-options", "gpt_neox", {
        "use_parallel_residual": False, "attention_bias": False, "tie_word_embeddings": True, "hidden_act": "silu",
        "layer_norm_eps": 1e-3, **rope("default", 500.0, partial_rotary_factor=0.5), **TWO,
    }),
    ("gpt_neox-rotary", "gpt_neox", {
        "hidden_act": "gelu_new", **rope("linear", factor=3.0, partial_rotary_factor=1.0), **TWO,
    }),
    # int(0.4 * 8) = 3 dimensions: two frequencies over 3, four dimensions turned
    ("gpt_neox-odd", "gpt_neox", {**rope("default", partial_rotary_factor=0.4), **TWO}),
    ("llama-options", "llama", {
        "attention_bias": True, "mlp_bias": True, "head_dim": 12, "hidden_act": "gelu", "rms_norm_eps": 1e-3,
        "eos_token_id": [2, 9], **rope("default", 300.0), **TWO,
    }),
    ("llama-tied", "llama", {"tie_word_embeddings": True, "num_key_value_heads": 4, **TWO}),
    ("llama-linear", "llama", {**rope("linear", factor=2.5), **TWO}),
    ("llama-dynamic", "llama", {**rope("dynamic", factor=3.0), **TWO}),
    ("llama-dynamic-beyond", "llama", {"max_position_embeddings": 16, **rope("dynamic", factor=3.0), **TWO}),
    ("llama-llama3", "llama", {"head_dim": 12, **rope("llama3", **LLAMA3), **TWO}),
    ("llama-yarn", "llama", {**rope("yarn", factor=4.0, original_max_position_embeddings=16), **TWO}),
    ("llama-yarn-mscale", "llama", {
        "head_dim": 16,
        **rope("yarn", factor=8.0, original_max_position_embeddings=64, mscale=0.7, mscale_all_dim=0.2, beta_fast=2.0,
               beta_slow=0.2),
        **TWO,
    }),
    ("llama-yarn-untruncated", "llama", {
        "head_dim": 16,
        **rope("yarn", factor=4.0, original_max_position_embeddings=32, attention_factor=0.8, truncate=False,
               beta_fast=3.0, beta_slow=0.5),
        **TWO,
    }),
    ("llama-longrope", "llama", {
        **rope("longrope", short_factor=SHORT, long_factor=LONG, original_max_position_embeddings=16), **TWO,
    }),
    ("llama-longrope-factor", "llama", {
        **rope("longrope", short_factor=SHORT, long_factor=LONG, original_max_position_embeddings=16, factor=2.0),
        **TWO,
    }),
    ("mistral-options", "mistral", {
        "sliding_window": None, "head_dim": 6, "hidden_act": "relu", "rms_norm_eps": 1e-3, "tie_word_embeddings": True,
        "num_key_value_heads": 1, **rope("yarn", factor=2.0, original_max_position_embeddings=32), **TWO,
    }),
    ("phi3-options", "phi3", {
        "num_key_value_heads": 2, "sliding_window": 6, "hidden_act": "gelu_new", "rms_norm_eps": 1e-3,
        "tie_word_embeddings": True, **rope("default", 300.0, partial_rotary_factor=0.5), **TWO,
    }),
    ("phi3-longrope", "phi3", {
        "num_key_value_heads": 1, "original_max_position_embeddings": 16,
        **rope("longrope", short_factor=SHORT, long_factor=LONG, partial_rotary_factor=1.0), **TWO,
    }),
    # All rows are short, and cos and sin are scaled all the same.
    ("phi3-longrope-short", "phi3", {
        "original_max_position_embeddings": 40, "max_position_embeddings": 160,
        **rope("longrope", short_factor=SHORT[:2], long_factor=LONG[:2], partial_rotary_factor=0.5), **TWO,
    }),
    ("olmo-options", "olmo", {
        "clip_qkv": 0.3, "attention_bias": True, "num_key_value_heads": 2, "tie_word_embeddings": True,
        "hidden_act": "gelu_pytorch_tanh", **rope("linear", 500.0, factor=2.0), **TWO,
    }),
    ("olmo2-options", "olmo2", {
        "attention_bias": True, "num_key_value_heads": 4, "tie_word_embeddings": True, "rms_norm_eps": 1e-3,
        "hidden_act": "gelu", **rope("llama3", **LLAMA3), **TWO,
    }),
    ("qwen2-sliding", "qwen2", {
        "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1, "tie_word_embeddings": True,
        "rms_norm_eps": 1e-3, "hidden_act": "gelu", **rope("yarn", factor=4.0, original_max_position_embeddings=16),
    }),
    # No field of the configuration, yet read; and the window without use_sliding_window is no window.
    ("qwen2-head-dim", "qwen2", {"head_dim": 12, "sliding_window": 6, "max_window_layers": 1, **TWO}),
    ("qwen3-options", "qwen3", {
        "head_dim": 12, "attention_bias": True, "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 2,
        "tie_word_embeddings": True, "rms_norm_eps": 1e-3, "hidden_act": "relu", **rope("dynamic", factor=2.0),
        "max_position_embeddings": 16,
    }),
    ("qwen3-layer-types", "qwen3", {
        "use_sliding_window": True, "sliding_window": 6, "layer_types": [SLIDE, FULL, SLIDE],
    }),
    ("gemma2-options", "gemma2", {
        "head_dim": 12, "query_pre_attn_scalar": 20, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0,
        "attention_bias": True, "layer_types": [FULL, SLIDE, SLIDE], "tie_word_embeddings": False,
        "hidden_activation": "silu", "rms_norm_eps": 1e-3, **rope("linear", factor=2.0),
    }),
    ("gemma2-uncapped", "gemma2", {
        "attn_logit_softcapping": None, "final_logit_softcapping": None, "query_pre_attn_scalar": 8, **TWO,
    }),
    # attn_logit_softcapping is read by nothing in gemma3
    ("gemma3_text-options", "gemma3_text", {
        "head_dim": 12, "query_pre_attn_scalar": 20, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0,
        "attention_bias": True, "layer_types": [SLIDE, FULL, SLIDE], "tie_word_embeddings": False,
        "hidden_activation": "gelu", "rms_norm_eps": 1e-3,
        "rope_parameters": {
            SLIDE: {"rope_type": "default", "rope_theta": 300.0},
            FULL: {"rope_type": "linear", "rope_theta": 3000.0, "factor": 8.0},
        },
    }),
    ("gemma3_text-pattern", "gemma3_text", {
        "sliding_window_pattern": 2, "query_pre_attn_scalar": 8,
        "rope_parameters": {
            SLIDE: {"rope_type": "default", "rope_theta": 200.0},
            FULL: {"rope_type": "linear", "rope_theta": 5000.0, "factor": 4.0},
        },
    }),
    ("phi-options", "phi", {
        "qk_layernorm": True, "num_key_value_heads": 2, "tie_word_embeddings": True, "hidden_act": "relu",
        "layer_norm_eps": 1e-3, **rope("default", 300.0, partial_rotary_factor=0.75), **TWO,
    }),
    ("phi-full", "phi", {**rope("linear", factor=2.0, partial_rotary_factor=1.0), **TWO}),
    ("stablelm-options", "stablelm", {
        "use_qkv_bias": True, "qk_layernorm": True, "use_parallel_residual": True, "num_key_value_heads": 2,
        "tie_word_embeddings": True, "hidden_act": "gelu", "layer_norm_eps": 1e-3,
        **rope("default", 300.0, partial_rotary_factor=0.5), **TWO,
    }),
    ("stablelm-norms", "stablelm", {"qk_layernorm": True, **rope("default", partial_rotary_factor=1.0), **TWO}),
    ("starcoder2-options", "starcoder2", {
        "use_bias": False, "sliding_window": 6, "hidden_act": "silu", "norm_epsilon": 1e-3, "num_key_value_heads": 1,
        "tie_word_embeddings": False, **rope("linear", 300.0, factor=2.0), **TWO,
    }),
    ("granite-options", "granite", {
        "embedding_multiplier": 5.0, "residual_multiplier": 0.4, "attention_multiplier": 0.15, "logits_scaling": 3.0,
        "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "hidden_act": "gelu",
        "rms_norm_eps": 1e-3, **rope("default", 300.0), **TWO,
    }),
    ("smollm3-options", "smollm3", {
        "num_hidden_layers": 3, "no_rope_layers": [0, 1, 0], "use_sliding_window": True, "sliding_window": 6,
        "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False, "hidden_act": "gelu",
        "rms_norm_eps": 1e-3, **rope("yarn", factor=4.0, original_max_position_embeddings=16),
    }),
    ("smollm3-layer-types", "smollm3", {
        "num_hidden_layers": 3, "no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 6,
        "layer_types": [SLIDE, FULL, FULL],
    }),
    ("cohere-options", "cohere", {
        "use_qk_norm": True, "logit_scale": 0.5, "attention_bias": True, "tie_word_embeddings": False,
        "hidden_act": "gelu", "layer_norm_eps": 1e-3, **rope("linear", 300.0, factor=2.0), **TWO,
    }),
    ("cohere2-options", "cohere2", {
        "num_hidden_layers": 3, "layer_types": [FULL, SLIDE, FULL], "logit_scale": 0.5, "attention_bias": True,
        "tie_word_embeddings": False, "hidden_act": "gelu", "layer_norm_eps": 1e-3, **rope("default", 300.0),
    }),
    ("gemma-options", "gemma", {
        "head_dim": 12, "attention_bias": True, "tie_word_embeddings": False, "hidden_act": "gelu",
        "rms_norm_eps": 1e-3, **rope("linear", 300.0, factor=2.0), **TWO,
    }),
    # truncate is looked for beside the layer types, not inside them, and so not found
    ("olmo3-options", "olmo3", {
        "num_hidden_layers": 3, "layer_types": [FULL, SLIDE, FULL], "attention_bias": True, "tie_word_embeddings": True,
        "hidden_act": "gelu", "rms_norm_eps": 1e-3, "num_key_value_heads": 4,
        "rope_parameters": {
            SLIDE: {"rope_type": "default", "rope_theta": 300.0},
            FULL: {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 64,
                   "attention_factor": 1.2, "beta_fast": 2.0, "beta_slow": 0.3, "truncate": False},
        },
    }),
    ("olmo3-yarn", "olmo3", {
        "num_hidden_layers": 3, "layer_types": [SLIDE, SLIDE, FULL], "max_position_embeddings": 128,
        "rope_parameters": {
            SLIDE: {"rope_type": "default", "rope_theta": 500000.0},
            FULL: {"rope_type": "yarn", "rope_theta": 500000.0, "factor": 4.0, "original_max_position_embeddings": 64,
                   "attention_factor": 1.2, "beta_fast": 0.2, "beta_slow": 0.02},
        },
    }),
    ("falcon-heads", "falcon", {
        "multi_query": False, "bias": True, "ffn_hidden_size": 40, "tie_word_embeddings": False, "activation": "relu",
        "layer_norm_epsilon": 1e-3, **rope("default", 300.0), **TWO,
    }),
    ("falcon-sequential", "falcon", {"parallel_attn": False, "bias": True, **rope("linear", factor=2.0), **TWO}),
    ("falcon-sequential-heads", "falcon", {"parallel_attn": False, "multi_query": False, **TWO}),
    ("falcon-new", "falcon", {"new_decoder_architecture": True, "num_kv_heads": 2, **TWO}),
    ("falcon-new-bias", "falcon", {
        "new_decoder_architecture": True, "num_kv_heads": 1, "bias": True, "num_ln_in_parallel_attn": 2,
        "activation": "gelu_new", **TWO,
    }),
    ("falcon-new-one-norm", "falcon", {
        "new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1, **TWO,
    }),
]

V4 = [
    "llama-default", "llama-linear", "llama-llama3", "gemma3_text-pattern", "phi3-options", "phi3-longrope",
    "gpt_neox-options", "phi-options", "stablelm-options", "qwen2-sliding", "falcon-heads", "olmo3-yarn",
]


ACTIVATIONS = ["silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "relu"]
ACTIVATION = {"gpt2": "activation_function", "falcon": "activation", "gemma2": "hidden_activation",
              "gemma3_text": "hidden_activation"}
EPSILON = {"gpt2": "layer_norm_epsilon", "falcon": "layer_norm_epsilon", "starcoder2": "norm_epsilon",
           "gpt_neox": "layer_norm_eps", "phi": "layer_norm_eps", "stablelm": "layer_norm_eps",
           "cohere": "layer_norm_eps", "olmo": None}
YES_NO = [False, True]
OPTIONS = {
    "gpt2": {"n_inner": [None, 40, 96], "scale_attn_weights": YES_NO, "scale_attn_by_inverse_layer_idx": YES_NO,
             "reorder_and_upcast_attn": YES_NO},
    "gpt_neox": {"use_parallel_residual": YES_NO, "attention_bias": YES_NO},
    "llama": {"attention_bias": YES_NO, "mlp_bias": YES_NO},
    "mistral": {"sliding_window": [None, 1, 6, 8, 64]},
    "phi3": {"sliding_window": [None, 6, 8]},
    "olmo": {"clip_qkv": [None, 0.2, 1.0], "attention_bias": YES_NO},
    "olmo2": {"attention_bias": YES_NO},
    "qwen2": {"use_sliding_window": YES_NO, "sliding_window": [6, 8], "max_window_layers": [0, 1, 2, 28]},
    "qwen3": {"use_sliding_window": YES_NO, "sliding_window": [6, 8], "max_window_layers": [0, 1, 2, 28],
              "attention_bias": YES_NO},
    "gemma2": {"query_pre_attn_scalar": [4, 8, 12, 20, 256], "attn_logit_softcapping": [None, 1.5, 50.0],
               "final_logit_softcapping": [None, 2.0, 30.0], "attention_bias": YES_NO, "sliding_window": [6, 8]},
    "gemma3_text": {"query_pre_attn_scalar": [4, 8, 12, 20, 256], "attn_logit_softcapping": [None, 1.5],
                    "final_logit_softcapping": [None, 2.0], "attention_bias": YES_NO, "sliding_window": [6, 8]},
    "phi": {"qk_layernorm": YES_NO},
    "stablelm": {"use_qkv_bias": YES_NO, "qk_layernorm": YES_NO, "use_parallel_residual": YES_NO},
    "starcoder2": {"use_bias": YES_NO, "sliding_window": [None, 6, 8]},
    "granite": {"embedding_multiplier": [1.0, 6], "residual_multiplier": [1.0, 0.3], "attention_multiplier": [1.0, 0.1],
                "logits_scaling": [1.0, 4.0], "attention_bias": YES_NO, "mlp_bias": YES_NO},
    "smollm3": {"no_rope_layer_interval": [2, 3, 4], "use_sliding_window": YES_NO, "sliding_window": [6, 8],
                "attention_bias": YES_NO, "mlp_bias": YES_NO},
    "cohere": {"use_qk_norm": YES_NO, "logit_scale": [0.0625, 0.5, 1.0], "attention_bias": YES_NO},
    "olmo3": {"attention_bias": YES_NO, "sliding_window": [6, 8]},
    "falcon": {"bias": YES_NO, "ffn_hidden_size": [None, 40]},
}
PARTIAL = {"gpt_neox": [0.25, 0.4, 0.5, 0.75, 1.0], "phi3": [0.5, 0.75, 1.0], "phi": [0.25, 0.5, 0.75, 1.0],
           "stablelm": [0.25, 0.5, 0.75, 1.0]}
LAYERED = ["qwen2", "qwen3", "gemma2", "gemma3_text", "smollm3", "olmo3"]  # families that read layer_types
OWN_HEAD_DIM = ["llama", "mistral", "qwen3", "gemma2", "gemma3_text"]
# head_dim is no field of these, and they read it where config.json has it
READ_HEAD_DIM = ["olmo", "olmo2", "qwen2", "starcoder2", "granite", "smollm3", "cohere", "olmo3"]


def chance_rope(draw: random.Random, pairs: int, context: int, kinds: list[str]) -> dict:
    """Random rotary parameters over so many pairs of dimensions."""
    kind = draw.choice(kinds)
    if kind == "dynamic" and pairs < 2:  # divides by dimensions - 2
        kind = "default"
    found = {"rope_type": kind, "rope_theta": draw.choice([100.0, 1000, 10000.0, 500000.0, 1e6])}
    if kind in ("linear", "dynamic", "yarn", "llama3"):
        found["factor"] = draw.choice([1.0, 2.0, 3.5, 8])
    if kind in ("yarn", "llama3", "longrope"):
        found["original_max_position_embeddings"] = draw.choice([8, 16, 40, context])
    if kind == "llama3":
        low, high = draw.choice([(1.0, 4.0), (2, 3)])
        found |= {"low_freq_factor": low, "high_freq_factor": high}
    if kind == "yarn":
        options = {"beta_fast": draw.choice([2.0, 8, 32]), "beta_slow": draw.choice([0.1, 1]),
                   "truncate": draw.choice(YES_NO), "mscale": draw.choice([0.7, 1.0]),
                   "mscale_all_dim": draw.choice([0.0, 0.4]), "attention_factor": draw.choice([0.9, 1.3, None])}
        found |= {k: v for k, v in options.items() if draw.random() < 0.5}
    if kind == "longrope":
        found["short_factor"] = [round(draw.uniform(0.8, 2.0), 3) for _ in range(pairs)]
        found["long_factor"] = [round(draw.uniform(1.0, 9.0), 3) for _ in range(pairs)]
        options = {"factor": draw.choice([1.0, 4.0]), "attention_factor": draw.choice([0.9, 1.3])}
        found |= {k: v for k, v in options.items() if draw.random() < 0.3}
    return found


def chance(draw: random.Random, family: str) -> dict:
    """Random values for the options of a family; each is left at its default now and then."""
    def often() -> bool:
        return draw.random() < 0.75

    found = {k: draw.choice(v) for k, v in OPTIONS[family].items() if often()}
    if often():
        found[ACTIVATION.get(family, "hidden_act")] = draw.choice(ACTIVATIONS)
    if EPSILON.get(family, "rms_norm_eps") and often():
        found[EPSILON.get(family, "rms_norm_eps")] = draw.choice([1e-6, 1e-5, 1e-3, 0.1])
    if often():
        found["tie_word_embeddings"] = draw.choice(YES_NO)
    layers, heads = draw.choice([1, 2, 3, 4]), draw.choice([2, 4])
    if family == "gpt2":
        return found | {"n_layer": layers, "n_head": heads}
    found |= {"num_hidden_layers": layers, "num_attention_heads": heads}
    if family == "falcon":
        shape = draw.choice([{"multi_query": True}, {"multi_query": False}, {"parallel_attn": False},
                             {"parallel_attn": False, "multi_query": False}, {"new_decoder_architecture": True}])
        found |= shape
        if "new_decoder_architecture" in shape:
            found |= {"num_kv_heads": draw.choice([1, 2, heads]), "num_ln_in_parallel_attn": draw.choice([None, 1, 2])}
    elif family != "gpt_neox":
        found["num_key_value_heads"] = draw.choice([k for k in (1, 2, 4) if k <= heads])
    head_dim = 32 // heads
    if family in OWN_HEAD_DIM or (family in READ_HEAD_DIM and draw.random() < 0.3):
        head_dim = found["head_dim"] = draw.choice([6, 8, 10, 16])
    windowed = found.get("use_sliding_window") or family not in ("qwen2", "qwen3")  # these forget it otherwise
    if family in LAYERED and windowed and draw.random() < 0.4:
        found["layer_types"] = [draw.choice([SLIDE, FULL]) for _ in range(layers)]
        found.setdefault("sliding_window", 6)
    if family == "smollm3" and draw.random() < 0.4:
        found["no_rope_layers"] = [draw.choice([0, 1]) for _ in range(layers)]
    if family == "gemma3_text" and "layer_types" not in found and often():
        found["sliding_window_pattern"] = draw.choice([1, 2, 3])
    if not often():
        return found
    context = found["max_position_embeddings"] = draw.choice([16, 64, 200])
    kinds = ["default", "linear", "dynamic", "yarn", "llama3", "longrope"]
    if family in ("gemma3_text", "olmo3"):
        found["rope_parameters"] = {
            SLIDE: chance_rope(draw, head_dim // 2, context, ["default", "default", "linear"]),
            FULL: chance_rope(draw, head_dim // 2, context, kinds),
        }
        return found
    share = draw.choice(PARTIAL.get(family, [1.0]))
    kinds = ["default", "longrope"] if family == "phi3" else kinds
    pairs = (int(head_dim * share) + 1) // 2
    found["rope_parameters"] = chance_rope(draw, pairs, context, kinds)
    if family in PARTIAL:
        found["rope_parameters"]["partial_rotary_factor"] = share
    if family == "phi3" and found["rope_parameters"]["rope_type"] == "longrope":
        found["original_max_position_embeddings"] = found["rope_parameters"]["original_max_position_embeddings"]
    return found
