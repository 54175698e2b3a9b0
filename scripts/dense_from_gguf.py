#!/usr/bin/env python3
"""A GGUF file as a dense fp32 Hugging Face folder, its weights dequantized: input for qzo-quantize --format gptq.

    scripts/dense_from_gguf.py MODEL.gguf OUT

Needs Python with torch, transformers, accelerate, gguf, safetensors.
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    source = {"pretrained_model_name_or_path": str(arguments.model.parent), "gguf_file": arguments.model.name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    tied = model.config.tie_word_embeddings
    arguments.out.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()
               if not (tied and name == "lm_head.weight")},
              arguments.out / "model.safetensors", metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.save_pretrained(arguments.out)
    AutoTokenizer.from_pretrained(**source).save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
