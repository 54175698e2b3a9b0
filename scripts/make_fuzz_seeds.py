#!/usr/bin/env python3
"""Writes tests/data/fuzz: small inputs that the fuzzers start from, one of every format. The bytes of codes are arbitrary.

    scripts/make_fuzz_seeds.py
"""

import json
import pathlib
import random
import struct

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/data/fuzz"
WIDTH = {"F16": 2, "I32": 4, "I64": 8, "U8": 1}


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def halves(count: int) -> bytes:
    return struct.pack(f"<{count}e", *(0.01 + 0.001 * i for i in range(count)))


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        count = 1
        for size in shape:
            count *= size
        assert len(content) == count * WIDTH[dtype], name
        header[f"p.{name}"] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def integers(*values: int, dtype: str = "I32") -> tuple[str, list[int], bytes]:
    return dtype, [len(values)], struct.pack(f"<{len(values)}{'q' if dtype == 'I64' else 'i'}", *values)


def layers() -> dict[str, bytes]:
    """[out, in] = [32, 64] with groups of 32, where the format has them."""
    out, inputs, groups = 32, 64, 2
    seeds = {}

    def add(name: str, settings: dict | None, tensors: dict) -> None:
        line = json.dumps(settings).encode() + b"\n" if settings else b""
        seeds[f"{name}.layer"] = line + safetensors(tensors)

    scales = ("F16", [groups, out], halves(groups * out))
    for bits in (2, 3, 4, 8):
        # Three bits: 32 of them fill three words.
        zero_words = -(-out * bits // 32)
        add(f"gptq{bits}", {"quant_method": "gptq", "bits": bits, "group_size": 32, "desc_act": False, "sym": False},
            {"qweight": ("I32", [inputs * bits // 32, out], noise(inputs * bits // 8 * out)),
             "qzeros": ("I32", [groups, zero_words], noise(4 * groups * zero_words)), "scales": scales,
             "g_idx": integers(*(i * 7 % 64 // 32 for i in range(inputs)))})
    add("awq", {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True},
        {"qweight": ("I32", [inputs, out // 8], noise(inputs * out // 2)), "qzeros": ("I32", [groups, out // 8], noise(groups * out // 2)),
         "scales": scales})
    for bits in (4, 8):
        scheme = {"weights": {"num_bits": bits, "type": "int", "strategy": "group", "group_size": 32, "symmetric": False}}
        words = out * bits // 32
        add(f"compressed_tensors{bits}",
            {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": scheme}},
            {"weight_packed": ("I32", [out, inputs * bits // 32], noise(out * inputs * bits // 8)),
             "weight_scale": ("F16", [out, groups], halves(out * groups)),
             "weight_zero_point": ("I32", [words, groups], noise(4 * words * groups)),
             "weight_g_idx": integers(*(i % 2 for i in range(inputs))), "weight_shape": integers(out, inputs, dtype="I64")})
    for bits, axis in ((4, 0), (4, 1), (8, 0), (8, 1)):
        group = 32
        count = out * inputs // group
        reshaped = [count, group] if axis == 1 else [group, count]
        codes = [reshaped[0] * bits // 8, reshaped[1]]
        shape = [count, 1] if axis == 1 else [1, count]
        add(f"hqq{bits}_axis{axis}", None,
            {"W_q": ("U8", codes, noise(codes[0] * codes[1])), "scale": ("F16", shape, halves(count)),
             "zero": ("F16", shape, halves(count)), "nbits": integers(bits), "group_size": integers(group),
             "axis": integers(axis), "shape": integers(out, inputs, dtype="I64")})
    return seeds


def gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_layers() -> dict[str, bytes]:
    """Two rows of two blocks: (name, ggml type, weights of a block, bytes of a block, where its halves stand)."""
    types = [("q4_0", 2, 32, 18, (0,)), ("q4_1", 3, 32, 20, (0, 2)), ("q5_0", 6, 32, 22, (0,)), ("q5_1", 7, 32, 24, (0, 2)),
             ("q8_0", 8, 32, 34, (0,)), ("q4_k", 12, 256, 144, (0, 2)), ("q5_k", 13, 256, 176, (0, 2)), ("q6_k", 14, 256, 210, (208,))]
    seeds = {}
    for name, number, weights, size, fields in types:
        block = bytearray(noise(size))
        for field in fields:
            block[field:field + 2] = halves(1)
        head = (struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + gguf_text("general.architecture") + struct.pack("<I", 8)
                + gguf_text("llama") + gguf_text("p.weight") + struct.pack("<IQQIQ", 2, 2 * weights, 2, number, 0))
        seeds[f"{name}.layer"] = head + b"\0" * (-len(head) % 32) + bytes(block) * 4
    return seeds


def field(number: int, content: bytes | int | float) -> bytes:
    """Of a protocol buffer; lengths below 128."""
    if isinstance(content, bytes):
        return bytes([number << 3 | 2, len(content)]) + content
    if isinstance(content, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", content)
    return bytes([number << 3, content])


def tokenizer_models() -> dict[str, bytes]:
    """sentencepiece_model.proto: pieces 1 (piece 1, score 2, type 3), trainer 2 (model_type 3), normalizer 3."""
    special = [("<unk>", 2), ("<s>", 3), ("</s>", 3)]
    words = ["▁", "a", "b", "e", "h", "t", "▁t", "he", "▁the", "ab"]
    seeds = {}
    for name, model_type, extra in (("bpe", 2, [(f"<0x{byte:02X}>", 6) for byte in range(256)]), ("unigram", 1, [])):
        pieces = [*special, *extra, *((word, 1) for word in words)]
        seeds[f"{name}.model"] = b"".join(
            field(1, field(1, piece.encode()) + field(2, float(-index)) + field(3, kind))
            for index, (piece, kind) in enumerate(pieces)
        ) + field(2, field(3, model_type) + (bytes([0x98, 0x02, 1]) if extra else b"")) + field(3, field(3, 1) + field(4, 1) + field(5, 1))
    return seeds


def tokenizer_jsons() -> dict[str, bytes]:
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    added = [{"id": 0, "content": "<s>", "special": True, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    split = {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": False}
    plain = dict(byte_level, use_regex=False)
    bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
           "byte_fallback": False, "vocab": {"<s>": 0, "t": 1, "h": 2, "e": 3, "th": 4, "the": 5, "Ġ": 6}, "merges": ["t h", "th e"]}
    pieces = ["<s>", "▁", "t", "h", "e", "th", "▁the", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    fallback = dict(bpe, unk_token="<unk>", fuse_unk=True, byte_fallback=True, vocab={piece: i for i, piece in enumerate(pieces)},
                    merges=[["t", "h"]])
    unigram = {"type": "Unigram", "unk_id": 1, "byte_fallback": False,
               "vocab": [["<s>", 0.0], ["<unk>", 0.0], ["▁", -2.0], ["t", -3.0], ["h", -3.5], ["e", -3.25], ["▁the", -1.5]]}
    clip = dict(bpe, unk_token="<s>", end_of_word_suffix="</w>", vocab={"<s>": 0, "t": 1, "h": 2, "e</w>": 3, "th": 4, "the</w>": 5, "e": 6},
                merges=["t h", "th e</w>"])
    models = {
        "byte_level": {"model": bpe, "normalizer": None, "pre_tokenizer": byte_level, "decoder": byte_level},
        "llama3": {"model": dict(bpe, ignore_merges=True), "normalizer": None,
                   "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, plain]}, "decoder": byte_level},
        "byte_fallback": {"model": fallback, "pre_tokenizer": None,
                          "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {
                              "type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
                          "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                                      {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}},
        "unigram": {"model": unigram, "normalizer": None, "pre_tokenizer": metaspace, "decoder": metaspace},
        "clip": {"model": clip, "decoder": byte_level,
                 "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {
                     "type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [dict(split, behavior="Removed", invert=True), plain]}},
    }
    return {f"{name}.tokenizer.json": json.dumps(
        {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, **parts, "post_processor": None}).encode()
        for name, parts in models.items()}


def chat_templates() -> dict[str, bytes]:
    texts = {
        "loop": "{{ bos_token }}{% for message in messages %}{{ '[' + message['role'] + '] ' + message.content | trim }}\n{% endfor %}"
                "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}",
        "system": "{%- if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}"
                  "{% set system = none %}{% set rest = messages %}{%- endif -%}{% for m in rest -%}{% if (m.role == 'user') != (loop.index0 % 2 == 0) "
                  "%}{{ raise_exception('roles') }}{% endif %}{% if loop.first and system is not none %}{{ system ~ '\\n' }}{% endif %}"
                  "{{ m.content if m.content is string else m.content | tojson }}{% endfor %}",
        "macro": "{% macro show(m, last=false) %}{{ m.role | upper }}: {{ m.content.split('?')[0].strip() }}{{ '' if last else ';' }}{% endmacro %}"
                 "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ show(m, loop.last) }}{% endfor %}{{ ns.n }}"
                 "{% if tools is defined and tools %}{{ tools | length }}{% endif %}",
    }
    return {f"{name}.jinja": text.encode() for name, text in texts.items()}


def main() -> None:
    for name, content in (layers() | gguf_layers() | tokenizer_models() | tokenizer_jsons() | chat_templates()).items():
        (OUT / name).write_bytes(content)


if __name__ == "__main__":
    main()
