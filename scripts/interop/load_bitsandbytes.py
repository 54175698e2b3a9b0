#!/usr/bin/env python3
"""bitsandbytes NF4 and FP4: the exported folder in transformers with bitsandbytes, its dequantization, fp32 products.

A weight is dequantized as one flat row. bitsandbytes 0.50.2 on a CPU takes wrong scales for matrices whose rows are no
multiple of the block of 64, before training and after.
"""

import sys

from proof import family_cases, golden_cases, main


def dequantized(layer):
    import torch
    from bitsandbytes.functional import dequantize_4bit
    state = layer.weight.quant_state
    shape = state.shape
    state.shape, state.dtype = torch.Size([1, shape.numel()]), torch.float32
    linear = torch.nn.Linear(shape[1], shape[0], bias=layer.bias is not None)
    linear.weight.data = dequantize_4bit(layer.weight.data, state).reshape(shape)
    if layer.bias is not None:
        linear.bias.data = layer.bias.data.float()
    return linear


def load(folder):
    import bitsandbytes
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, device_map="cpu").eval()
    layers = {name: module for name, module in model.named_modules() if isinstance(module, bitsandbytes.nn.Linear4bit)}
    if not layers:
        raise RuntimeError("no layer was loaded as Linear4bit")
    for name, layer in layers.items():
        model.set_submodule(name, dequantized(layer))
    return torch.nn.Module.float(model)


# qzo-quantize makes no NF4 of GPT-2, whose linears are stored as [in, out].
NOT_PROVEN = ("gpt2",)

if __name__ == "__main__":
    cases = [*golden_cases("bnb_"), *family_cases("nf4", without=NOT_PROVEN)]
    sys.exit(main("bitsandbytes", ["torch", "transformers", "accelerate", "bitsandbytes"], cases, load))
