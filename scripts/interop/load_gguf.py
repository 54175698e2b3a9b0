#!/usr/bin/env python3
"""GGUF: the exported file in transformers, which reads it with the gguf package of llama.cpp."""

import sys

from proof import golden_cases, main, tiny_case


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM
    file = next(folder.glob("*.gguf"))
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32).eval()


if __name__ == "__main__":
    sys.exit(main("gguf", ["torch", "transformers", "gguf"], [tiny_case("tiny.gguf", "tiny_gguf.json"), *golden_cases("gguf_")], load))
