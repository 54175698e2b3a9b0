#!/usr/bin/env python3
"""HQQ: every layer of the exported folder in hqq's HQQLinear, fp32, the rest in transformers.

transformers 5 does not load the layout that hqq saves, so hqq's own load_state_dict gets each layer's tensors.
"""

import sys

from proof import golden_cases, main


def load(folder):
    import torch
    from hqq.core.quantize import HQQLinear
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM
    config = AutoConfig.from_pretrained(folder)
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    stored = load_file(folder / "model.safetensors")
    layers = [name.removesuffix(".W_q") for name in stored if name.endswith(".W_q")]
    rest = dict(stored)
    for layer in layers:
        own = {name.removeprefix(layer + "."): rest.pop(name) for name in stored if name.startswith(layer + ".")}
        linear = HQQLinear(None, None, compute_dtype=torch.float32, device="cpu", initialize=False)
        linear.load_state_dict(own)
        model.set_submodule(layer, linear)
    missing, unexpected = model.load_state_dict({name: value.float() for name, value in rest.items()}, strict=False)
    missing = [name for name in missing if not name.startswith(tuple(layers)) and name != "lm_head.weight"]
    if missing or unexpected:
        raise RuntimeError(f"missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    return model


if __name__ == "__main__":
    sys.exit(main("hqq", ["torch", "transformers", "hqq"], golden_cases("hqq_"), load))
