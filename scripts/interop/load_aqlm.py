#!/usr/bin/env python3
"""AQLM: the exported folder in transformers with the package aqlm and its kernels for CPUs, fp32."""

import os
import sys

from proof import golden_cases, main

# aqlm 1.1.7 adds into one vector from all threads at once in its kernel for codebooks of 8 bits.
os.environ["NUMBA_NUM_THREADS"] = "1"


def load(folder):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    config = AutoConfig.from_pretrained(folder)
    # transformers 5 looks for names of layers where published files list names of weights.
    kept = config.quantization_config["linear_weights_not_to_quantize"]
    config.quantization_config["linear_weights_not_to_quantize"] = [name.removesuffix(".weight") for name in kept]
    return AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, device_map="cpu").eval()


if __name__ == "__main__":
    sys.exit(main("aqlm", ["torch", "transformers", "accelerate", "aqlm", "numba"], golden_cases("aqlm_"), load))
