#!/usr/bin/env python3
"""Ids and speed of our tokenizers beside Hugging Face's tokenizers and sentencepiece, on whole files of text.

Not part of the tests: needs `pip install tokenizers sentencepiece`, build/.../bin/tokenize (a target of the tests) and
vocabularies. Usage: compare_tokenizers.py BIN/tokenize TEXT PATH..., a PATH being a tokenizer.json or a SentencePiece
model. One line each: path, whether all ids are the same, tokens, MB/s of ours (whole text; lines) and of the reference.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"


def reference(path):
    if path.endswith(".json"):
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(path)
        return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    from sentencepiece import SentencePieceProcessor
    return SentencePieceProcessor(model_file=path).encode


def speed(encode, texts, size):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for text in texts:
            encode(text)
        seconds.append(time.perf_counter() - start)
    return size * 1e-6 / sorted(seconds)[1]


def main():
    program, text_file, *paths = sys.argv[1:]
    with open(text_file, encoding="utf-8", newline="") as file:
        text = file.read()
    size, lines, failures = os.path.getsize(text_file), text.split("\n"), 0
    for path in paths:
        with tempfile.NamedTemporaryFile("r") as ids:
            done = subprocess.run([program, path, text_file, ids.name], capture_output=True, text=True, check=True)
            ours, found = json.loads(done.stdout), [int(line) for line in ids]
        encode = reference(path)
        same = found == encode(text)
        failures += not same
        print(f"{path}: {'same ids' if same else 'DIFFERENT'}, {len(found)} tokens, ours {ours['whole']['median']:.1f}; "
              f"{ours['lines']['median']:.1f} MB/s, reference {speed(encode, [text], size):.1f}; "
              f"{speed(encode, lines, size):.1f} MB/s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
