#!/usr/bin/env python3
"""AWQ: the exported folder in transformers with gptqmodel's AWQ kernel for CPUs, fp32."""

import sys

from proof import golden_cases, main


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16, device_map="cpu").eval()
    return torch.nn.Module.float(model)  # see load_gptq.py


if __name__ == "__main__":
    sys.exit(main("awq", ["torch", "transformers", "accelerate", "gptqmodel"], golden_cases("awq_"), load))
