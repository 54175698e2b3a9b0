#!/usr/bin/env python3
"""GPTQ: the exported folder in transformers with optimum and gptqmodel, in gptqmodel's own kernel for CPUs, fp32."""

import sys

from proof import golden_cases, main, tiny_case


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM, GPTQConfig
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16, device_map="cpu",
                                                 quantization_config=GPTQConfig(bits=4, backend="torch")).eval()
    # Loaded in the type it is stored in, computed in fp32. transformers' own float() refuses quantized models.
    return torch.nn.Module.float(model)


if __name__ == "__main__":
    sys.exit(main("gptq", ["torch", "transformers", "optimum", "gptqmodel"], [tiny_case("gptq", "tiny.json"), *golden_cases("gptq_")], load))
