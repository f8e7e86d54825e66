//! Sound files to start from.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::{Value, json};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Every config of the families' fixtures.
pub fn configs() -> Vec<Value> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(fixtures().join("families")).expect("the folder").flatten().map(|e| e.path()).collect();
    paths.sort();
    let config = |path: &PathBuf| {
        let case: Value = serde_json::from_slice(&fs::read(path).expect("a case")).expect("JSON");
        [case["config"].clone(), case["sparse_config"].clone()]
    };
    paths.iter().flat_map(config).filter(Value::is_object).collect()
}

/// Names of the tensors in [`safetensors`].
pub const NAMES: [&str; 7] =
    ["embed.weight", "norm.weight", "half.weight", "bf16.weight", "ids", "scalar", "empty"];

/// One file of small tensors of several types, and the same in two parts with their index.
pub fn safetensors() -> (Vec<u8>, [Vec<u8>; 2], Value) {
    let shapes: [(Dtype, &[usize]); 7] = [
        (Dtype::F32, &[6, 4]),
        (Dtype::F32, &[4]),
        (Dtype::F16, &[3, 5]),
        (Dtype::BF16, &[2, 2, 2]),
        (Dtype::I64, &[3]),
        (Dtype::F32, &[]),
        (Dtype::F32, &[0, 4]),
    ];
    let data: Vec<u8> = (0..96).map(|n| n as u8).collect();
    let view = |(name, (dtype, shape)): (&&'static str, &(Dtype, &[usize]))| {
        let size = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (*name, TensorView::new(*dtype, shape.to_vec(), &data[..size]).expect("a tensor"))
    };
    let views: Vec<_> = NAMES.iter().zip(&shapes).map(view).collect();
    let whole = |part: &[(&'static str, TensorView)]| serialize(part.to_vec(), None).expect("safetensors");
    let file = |place: usize| format!("model-{:05}-of-00002.safetensors", usize::from(place >= 4) + 1);
    let map: serde_json::Map<String, Value> =
        NAMES.iter().enumerate().map(|(place, name)| (name.to_string(), json!(file(place)))).collect();
    let index = json!({ "metadata": { "total_size": 200 }, "weight_map": map });
    (whole(&views), [whole(&views[..4]), whole(&views[4..])], index)
}

/// The 256 letters that byte-level tokens are written in.
pub fn alphabet() -> Vec<String> {
    let printable = |b: &u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut shifted = 255;
    let mut letter = |b: u8| {
        if printable(&b) {
            return u32::from(b);
        }
        shifted += 1;
        shifted
    };
    (0..=255u8).map(|b| char::from_u32(letter(b)).expect("a letter").to_string()).collect()
}

/// The fixture's tokenizer and small ones of the other models, normalizers and pre-tokenizers there are.
pub fn tokenizers() -> Vec<Value> {
    let file = fs::read(fixtures().join("tiny-llama/tokenizer.json")).expect("the fixture");
    let mut whole: Value = serde_json::from_slice(&file).expect("JSON");
    // Letters and a few merges are enough, and small files are fast.
    let model = &mut whole["model"];
    let merges: Vec<Value> = model["merges"].as_array().expect("merges").iter().take(8).cloned().collect();
    let mut vocab = serde_json::Map::new();
    for token in
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).into_iter().chain(alphabet())
    {
        vocab.insert(token, json!(vocab.len()));
    }
    for merge in &merges {
        let part = |place: usize| merge[place].as_str().expect("a part");
        vocab.insert(format!("{}{}", part(0), part(1)), json!(vocab.len()));
    }
    model["merges"] = merges.into();
    model["vocab"] = vocab.into();
    let short = |model: Value, normalizer: Value, pre: Value, post: Value, decoder: Value| {
        json!({
            "version": "1.0",
            "truncation": { "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 2 },
            "padding": { "strategy": { "Fixed": 8 }, "direction": "Left", "pad_to_multiple_of": 4, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "<pad>" },
            "added_tokens": [
                { "id": 0, "content": "<pad>", "single_word": true, "lstrip": true, "rstrip": true,
                    "normalized": true, "special": true },
                { "id": 9, "content": "new", "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": true, "special": false }
            ],
            "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model
        })
    };
    let unigram = json!({ "type": "Unigram", "unk_id": 1, "byte_fallback": true,
        "vocab": [["<pad>", 0.0], ["<unk>", -1.0], ["▁", -2.0], ["h", -3.5], ["e", -3.0], ["he", -2.5], ["<0x41>", -9.0]] });
    let piece = json!({ "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 20, "vocab": { "<pad>": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "he": 4, "##ll": 5 } });
    let level =
        json!({ "type": "WordLevel", "unk_token": "[UNK]", "vocab": { "<pad>": 0, "[UNK]": 1, "he": 2 } });
    let bytes = json!({ "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": "##",
        "end_of_word_suffix": "</w>", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true,
        "vocab": { "<pad>": 0, "<unk>": 1, "▁": 2, "h": 3, "e": 4, "he": 5, "<0x41>": 6, "##e": 7, "h</w>": 8, "e</w>": 9 },
        "merges": ["h ##e"] });
    let special = json!({ "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] } });
    vec![
        whole,
        short(
            unigram,
            json!({ "type": "Sequence", "normalizers": [
                { "type": "Strip", "strip_left": true, "strip_right": true },
                { "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": "▁" },
                { "type": "Precompiled", "precompiled_charsmap": format!("AAQA{}=", "A".repeat(1_367)) },
                { "type": "NFKC" }] }),
            json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true }),
            json!({ "type": "TemplateProcessing",
                "single": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
                "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
                "special_tokens": special }),
            json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true }),
        ),
        short(
            piece,
            json!({ "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true }),
            json!({ "type": "BertPreTokenizer" }),
            json!({ "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] }),
            json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        ),
        short(
            level,
            json!({ "type": "Sequence", "normalizers": [{ "type": "NFD" }, { "type": "Lowercase" },
                { "type": "StripAccents" }, { "type": "Prepend", "prepend": "_" }, { "type": "Nmt" }] }),
            json!({ "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true },
                { "type": "Punctuation", "behavior": "Isolated" }, { "type": "WhitespaceSplit" },
                { "type": "CharDelimiterSplit", "delimiter": "x" }, { "type": "FixedLength", "length": 3 }] }),
            json!({ "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true,
                "add_prefix_space": false }),
            json!({ "type": "Sequence", "decoders": [{ "type": "Fuse" }, { "type": "Strip", "content": " ",
                "start": 1, "stop": 0 }, { "type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|",
                "cleanup": true }] }),
        ),
        short(
            bytes,
            json!({ "type": "ByteLevel" }),
            json!({ "type": "Split", "pattern": { "Regex": r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s+(?!\S)|\s+" },
                "behavior": "Isolated", "invert": false }),
            json!({ "type": "Sequence", "processors": [{ "type": "ByteLevel", "add_prefix_space": true,
                "trim_offsets": false, "use_regex": true }] }),
            json!({ "type": "Sequence", "decoders": [{ "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                { "type": "ByteFallback" }, { "type": "BPEDecoder", "suffix": "</w>" }] }),
        ),
    ]
}

/// Chat templates as checkpoints have them.
pub const TEMPLATES: [&str; 6] = [
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}\
     {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = \
     messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}\
     {% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
     {{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false \
     %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = \
     message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + \
     ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "{{- bos_token }}\n{%- set ns = namespace(text='', first=true) %}\n{%- for m in messages %}\n    {%- if m.role == 'system' \
     %}\n        {%- set ns.text = ns.text ~ m.content | trim %}\n    {%- endif %}\n{%- endfor %}\n{%- macro turn(m, last=false) \
     %}{{ '<turn>' ~ m.role ~ '|' ~ m.content ~ ('' if last else '</turn>') }}{% endmacro %}\n{{- ns.text }}\n\
     {%- for m in messages if m.role != 'system' %}{{ turn(m, loop.last) }}{%- endfor %}\n{%- if add_generation_prompt %}\
     {{- '<turn>assistant|' }}{%- endif %}",
    "{% set tools = [{'name': 'f', 'args': {'x': 1}}] %}{{ tools | tojson(indent=2) }}{% for k, v in tools[0].items() %}\
     {{ k | upper }}={{ v | string | length }}{% endfor %}{% for m in messages | selectattr('role', 'equalto', 'user') | list %}\
     {{ m.content.split('</think>')[-1].lstrip('\\n') | replace('a', 'bb') | indent(4) }}{% endfor %}",
    "{% for i in range(3) %}{% for m in messages[::-1] %}{% filter title %}{{ m['content'][:5] }}{{ '%s-%d' | format('a', i) }}\
     {% endfilter %}{% endfor %}{% endfor %}{% set x %}{{ messages | map(attribute='role') | join(', ') }}{% endset %}{{ x * 3 }}",
    "{%- if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% for message in messages \
     %}{{ {'user': 'U', 'assistant': 'A'}.get(message.role, 'S') }}: {{ message['content'].replace('\\r', '').splitlines() | \
     batch(2, '') | list | tojson }}{% endfor %}",
];

/// Templates that want too much.
pub const HOSTILE: [&str; 44] = [
    "{{ 'a' * 10**9 }}",
    "{{ ('a' * 10**6) * 10**6 }}",
    "{{ [0] * 10**9 }}",
    "{{ ([0] * 10**9) | list | length }}",
    "{{ range(10**9) }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}",
    "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}",
    "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "{% macro f(s) %}{{ f(s ~ s) }}{% endmacro %}{{ f('ab') }}",
    "{{ 'a'.count('') }}",
    "{{ ''.count('') }}",
    "{{ 'a' | replace('', 'b' * 1000) }}",
    "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
    "{{ ('a\\n' * 100000) | indent(1000000) }}",
    "{{ 'a' | indent(10**9) }}",
    "{{ 'x'.center(10**9) }}",
    "{{ 'x'.ljust(10**9) }}",
    "{{ 'x'.zfill(10**9) }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '%.1000000000f' | format(1.5) }}",
    "{{ ('b' * 1000000).join(range(100000)) }}",
    "{{ range(100000) | join('b' * 1000000) }}",
    "{{ range(100000) | batch(1000000000, 'x') | list }}",
    "{{ range(10) | slice(10**9) | list }}",
    "{{ [1, [2, [3]]] | tojson(indent=10**9) }}",
    "{{ range(100000) | list | pprint }}",
    "{% for a in range(10) recursive %}{{ loop([1, 2, 3]) }}{% endfor %}",
    "{{ ('a' * 10000000) | list | length }}",
    "{{ ('a ' * 1000000).split() | length }}",
    "{% include 'chat' %}",
    "{{ '{:>{}}'.format(1, 10**9) }}",
    "{{ '%*d' | format(10**9, 1) }}",
    "{{ '{:.1000000000f}'.format(1.5) }}",
    "{{ '{0:1000000000}{0:1000000000}'.format('a') }}",
    "{{ [1] | tojson(1000000000) }}",
    "{{ '%1000000000s' % 1 }}",
    "{{ ('a' * 10000000).split('') }}",
    "{{ ('a' * 1000000).title().upper() | wordwrap }}",
    "{{ range(100000) | map('string') | list | join }}",
    "{{ range(100000) | map('upper') | sort | unique | list | tojson }}",
];

/// Templates that the engine does not bound: lists that hold one another many times over or very deep, made into text.
pub const UNBOUNDED: [&str; 5] = [
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s ~ '' }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | tojson }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | upper }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
];
