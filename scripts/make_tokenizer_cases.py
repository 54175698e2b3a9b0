#!/usr/bin/env python3
"""Makes tests/data/tokenizer/: what Hugging Face's tokenizers (the reference) answers for every implemented component.

Needs `pip install tokenizers gguf sentencepiece`; made with tokenizers 0.23.3. The files are committed, so tests need neither.
  components.json  small tokenizers trained here on the lines below, texts, ids and decoded texts
  smollm2.json     texts and ids for SmolLM2-135M-Instruct.Q4_1.gguf (scripts/quickstart.sh fetches it), given as argument
  vocabularies.json  texts and ids for real vocabularies (a folder of them as second argument); those of SentencePiece
                   models are what sentencepiece 0.2.3 answers
"""

import json
import pathlib
import sys

from tokenizers import AddedToken, Tokenizer, pre_tokenizers, trainers
from tokenizers.models import BPE

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "tokenizer"
LINES = [
    "The old house by the river was full of light and of people who had come from far away.",
    "She'll say they've seen it; I'd rather not. Don't, can't, we're, he's.",
    "In 1984 and 2024 there were 365 days, 12 months, 7 days, 1,000,000 seconds.",
    "def light(house): return house + 1  # the old light",
    "Straße über Flüsse, naïve café, the river and the light of the house",
    "  two spaces   three    four\ttab\nline\n\nlines\r\n",
]
TEXTS = [
    "", " ", "  ", "\n", "\t\n \r\n", "the house", " the house", "the  house ", "The river's light, they'll say: DON'T",
    "x 12345 1,000.50 ½ ² Ⅷ ٣٤", "naïve cafe\u0301 ﬁne İstanbul ǅ", "日本語 のテキスト", "light 👨‍👩‍👧 🚀 house",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa the", "\u00a0\u2003house\u3000river\u0085end",
    "<tag>the<tag> <tag> house<tag>", "thelight theLIGHT light LIGHT the light!", "the <mask>  and <mask>.", "a_b __init__ x+=1;",
    "under the\u0000null", "'s 'S 'ſ we'Re", "Über den Fluß ÜBER", "▁marks ▁ ▁▁ and spaces",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def trained(pre_tokenizer, size, alphabet, lines):
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<unk>", "<s>"], min_frequency=2,
                                  initial_alphabet=alphabet)
    tokenizer.train_from_iterator(lines * 3, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [" ".join(merge) for merge in model["merges"]]}


def with_bytes(vocabulary):
    vocab = dict(vocabulary["vocab"])
    for byte in range(256):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    return {"vocab": vocab, "merges": vocabulary["merges"]}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def metaspace(scheme, cut=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def byte_level(**options):
    return {"type": "ByteLevel", "trim_offsets": True, **options}


def added(content, token, **flags):
    return {"id": token, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": False, **flags}


def tokenizers():
    """name -> (vocabulary, normalizer, pre-tokenizer, decoder, model flags, added tokens)"""
    pattern = {"Regex": LLAMA3}
    bytes_decoder = byte_level(add_prefix_space=True)
    llama2_decoder = sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                              {"type": "ByteFallback"}, {"type": "Fuse"},
                              {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    llama2_normalizer = sequence("normalizers", {"type": "Prepend", "prepend": "▁"},
                                 {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    mark = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    out = {
        "byte level": ("bytes", None, byte_level(add_prefix_space=False, use_regex=True), bytes_decoder, {}, []),
        "byte level, use_regex absent": ("bytes", None, byte_level(add_prefix_space=True), bytes_decoder, {}, []),
        "byte level without pattern": ("bytes", None, byte_level(add_prefix_space=True, use_regex=False), bytes_decoder, {}, []),
        "digits, byte level": ("bytes", None, sequence("pretokenizers", {"type": "Digits", "individual_digits": True},
                                                       byte_level(add_prefix_space=False)), bytes_decoder, {}, []),
        "whole digits, byte level": ("bytes", None, sequence("pretokenizers", {"type": "Digits", "individual_digits": False},
                                                             byte_level(add_prefix_space=True)), bytes_decoder, {}, []),
        "llama-3": ("bytes", None, sequence("pretokenizers", split(pattern, "Isolated"),
                                            byte_level(add_prefix_space=False, use_regex=False)), bytes_decoder,
                    {"ignore_merges": True}, [added("<s>", 1, special=True)]),
        "nfc": ("bytes", {"type": "NFC"}, byte_level(add_prefix_space=False), bytes_decoder, {}, []),
        "nfkc, lowercase": ("bytes", sequence("normalizers", {"type": "NFKC"}, {"type": "Lowercase"}),
                            byte_level(add_prefix_space=False), bytes_decoder, {}, []),
        "nfd": ("bytes", {"type": "NFD"}, byte_level(add_prefix_space=False), bytes_decoder, {}, []),
        "nfkd": ("bytes", {"type": "NFKD"}, byte_level(add_prefix_space=False), bytes_decoder, {}, []),
        "strip": ("bytes", {"type": "Strip", "strip_left": True, "strip_right": True}, byte_level(add_prefix_space=False),
                  bytes_decoder, {}, []),
        "strip right, replace pattern": ("bytes", sequence(
            "normalizers", {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}), byte_level(add_prefix_space=False),
            bytes_decoder, {}, []),
        "llama-2": ("marks and bytes", llama2_normalizer, None, llama2_decoder,
                    {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}, [added("<s>", 1, special=True)]),
        "fused unknown": ("marks", mark, None, None, {"fuse_unk": True, "unk_token": "<unk>"}, []),
        "unfused unknown": ("marks", mark, None, None, {"unk_token": "<unk>"}, []),
        "no unknown token": ("marks", mark, None, None, {}, []),
        "metaspace without decoder": ("marks", None, metaspace("always"), None, {"unk_token": "<unk>"}, []),
        "metaspace, legacy options": ("marks", None, {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
                                      {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
                                      {"unk_token": "<unk>"}, []),
    }
    for scheme in ("always", "first", "never"):
        for cut in (True, False):
            out[f"metaspace {scheme}{', cut' if cut else ''}"] = (
                "marks", None, metaspace(scheme, cut), metaspace(scheme, cut), {"unk_token": "<unk>"},
                [added("<tag>", 900), added("<s>", 1, special=True)])
    for behavior in ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            for name, wanted in (("string", {"String": " "}), ("pattern", {"Regex": "[aeiou]+"}), ("empty matches", {"Regex": "x*"})):
                out[f"split {behavior}, {name}{', inverted' if invert else ''}"] = (
                    "marks", None, split(wanted, behavior, invert), None, {"unk_token": "<unk>"}, [])
    plain = byte_level(add_prefix_space=False)
    for flag in ("lstrip", "rstrip", "single_word", "normalized", "special"):
        out[f"added tokens, {flag}"] = ("bytes", {"type": "Lowercase"}, plain, bytes_decoder, {},
                                        [added("<tag>", 900, **{flag: True}), added("light", 901, **{flag: True}),
                                         added("<mask>", 902, **{flag: True}), added("the light", 903, **{flag: True})])
    out["added tokens, lstrip and rstrip"] = ("bytes", None, plain, bytes_decoder, {},
                                              [added("<tag>", 900, lstrip=True, rstrip=True), added("<mask>", 901, lstrip=True)])
    return out


def make_components():
    # Spaces are marks while training, so merges cross word borders, as in a vocabulary without pre-tokenizer.
    byte_alphabet = pre_tokenizers.ByteLevel.alphabet()
    marks = trained(None, 400, [], [line.replace(" ", "▁") for line in LINES])
    vocabularies = {
        "bytes": trained(pre_tokenizers.ByteLevel(add_prefix_space=False), 420, byte_alphabet, LINES),
        "marks": marks,
        "marks and bytes": with_bytes(marks),
    }
    cases = []
    for name, (vocabulary, normalizer, pre_tokenizer, decoder, flags, added_tokens) in tokenizers().items():
        document = {"version": "1.0", "added_tokens": document_tokens(added_tokens, vocabularies[vocabulary]),
                    "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": decoder,
                    "model": {"type": "BPE", **flags}}
        full = json.loads(json.dumps(document))
        full["model"].update(vocabularies[vocabulary])
        tokenizer = Tokenizer.from_str(json.dumps(full))
        answers = []
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            answer = {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)}
            skipped = tokenizer.decode(ids, skip_special_tokens=True)
            answers.append(answer if skipped == answer["text"] else {**answer, "without_special": skipped})
        cases.append({"name": name, "vocabulary": vocabulary, "tokenizer": document, "answers": answers})
    write("components.json", {"vocabularies": vocabularies, "texts": TEXTS, "cases": cases})


def document_tokens(added_tokens, vocabulary):
    """Added tokens get the ids behind the vocabulary, in order, unless they are part of it."""
    out, following = [], len(vocabulary["vocab"])
    for token in added_tokens:
        known = vocabulary["vocab"].get(token["content"])
        out.append({**token, "id": following if known is None else known})
        following += known is None
    return out


def make_smollm2(file):
    from gguf import GGUFReader
    fields = GGUFReader(file).fields
    tokens, types, merges = (fields["tokenizer.ggml." + key].contents() for key in ("tokens", "token_type", "merges"))
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, [tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)
                                  for token, kind in zip(tokens, types) if kind == 3])
    texts = TEXTS + LINES + ["<|im_start|>user\nIs it 3.14 or 22/7?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|><|endoftext|> <repo_name>x"]
    write("smollm2.json", [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts])


QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
MORE_TEXTS = [
    "Hello world! éà 12345", "ΣΊΣΥΦΟΣ, русский язык, עברית, العربية, हिन्दी, ภาษาไทย, 中文字符, 한국어", "ｆｕｌｌ ﬁ Ⅷ ½ ² İ ǅ ß",
    "<|im_start|>user\nHi<|im_end|> <tool_call> <think>", "<s>a</s> <unk> <pad> <extra_id_0><extra_id_99> <|endoftext|>",
    "   three spaces,\ttab\t\ttabs\n\n\nlines \r\n end  ", "\ufeffbom \u200bzero \u00adsoft \u2028line \u3000wide",
    "e\u0301 \u1100\u1161\u11a8 👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 각", "x = {'a': [1.5e-3, 0xFF]}; // ok?!...--->", "supercalifragilisticexpialidocious antidisestablishmentarianism",
]


def vocab_and_merges(folder, vocab, merges, pattern=None, normalizer=None, added=()):
    from tokenizers import Regex, normalizers
    tokenizer = Tokenizer(BPE.from_file(str(folder / vocab), str(folder / merges)))
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    tokenizer.pre_tokenizer = plain if pattern is None else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), plain])
    if normalizer:
        tokenizer.normalizer = normalizers.NFC()
    for token in added:
        token = dict(token)
        flags = {key: token[key] for key in ("lstrip", "rstrip", "normalized", "single_word", "special")}
        tokenizer.add_tokens([AddedToken(token["content"], **flags)])
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def json_file(path):
    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def make_vocabularies(folder):
    import sentencepiece
    end = [{"content": "<|endoftext|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}]
    opt = [{**end[0], "content": "</s>"}, *end]  # the class's default for the unknown token stays
    cases = []

    def add(name, files, encode, config=None):
        cases.append({"name": name, "files": files, **({"config": config} if config else {}),
                      "ids": [encode(text) for text in TEXTS + LINES + MORE_TEXTS]})

    for name in ("clip", "llama2", "phi2", "t5"):
        add(name + " json", {"tokenizer.json": name + "/tokenizer.json"}, json_file(folder / name / "tokenizer.json"))
    for name, path in (("llama2", "llama2/tokenizer.model"), ("t5", "t5/spiece.model"), ("tok105", "tinystories/tok105.model"),
                       ("mistral v1", "mistral/tokenizer.model.v1"),
                       ("mistral v2", "mistral/mistral_instruct_tokenizer_240216.model.v2"),
                       ("mistral v3", "mistral/mistral_instruct_tokenizer_240323.model.v3")):
        add(name + " model", {"tokenizer.model": path}, sentencepiece.SentencePieceProcessor(model_file=str(folder / path)).encode)
    add("gpt2", {"vocab.json": "gpt2/vocab.json", "merges.txt": "gpt2/merges.txt"},
        vocab_and_merges(folder, "gpt2/vocab.json", "gpt2/merges.txt", added=end), {"tokenizer_class": "GPT2Tokenizer"})
    add("opt", {"vocab.json": "opt_roberta/vocab.json", "merges.txt": "gpt2/merges.txt"},
        vocab_and_merges(folder, "opt_roberta/vocab.json", "gpt2/merges.txt", added=opt),
        {"tokenizer_class": "GPT2Tokenizer", "bos_token": "</s>", "eos_token": "</s>", "add_bos_token": True})
    for name in ("qwen2.5", "qwen3"):
        config = json.loads((folder / name / "tokenizer_config.json").read_text())
        added = [token for _, token in sorted(config["added_tokens_decoder"].items(), key=lambda item: int(item[0]))]
        add(name, {"vocab.json": "qwen3/vocab.json", "merges.txt": "qwen3/merges.txt",
                   "tokenizer_config.json": name + "/tokenizer_config.json"},
            vocab_and_merges(folder, "qwen3/vocab.json", "qwen3/merges.txt", QWEN, True, added))
    write("vocabularies.json", {"texts": TEXTS + LINES + MORE_TEXTS, "cases": cases})


def write(name, value):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    make_components()
    if len(sys.argv) > 1:
        make_smollm2(sys.argv[1])
    if len(sys.argv) > 2:
        make_vocabularies(pathlib.Path(sys.argv[2]))
