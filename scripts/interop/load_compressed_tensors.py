#!/usr/bin/env python3
"""compressed-tensors: the exported folder in transformers with the package compressed-tensors, fp32."""

import json
import pathlib
import shutil
import sys
import tempfile

from proof import golden_cases, main


def with_fp32_scales(folder, copy):
    """The package dequantizes in the type of the scales; in fp32 it rounds nothing."""
    from safetensors.torch import load_file, save_file
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    tensors = load_file(copy / "model.safetensors")
    lifted = {name: value.float() if name.endswith(".weight_scale") else value for name, value in tensors.items()}
    save_file(lifted, copy / "model.safetensors", metadata={"format": "pt"})


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM, CompressedTensorsConfig
    settings = {"dtype": torch.float32, "device_map": "cpu"}
    groups = json.loads((folder / "config.json").read_text())["quantization_config"]["config_groups"]
    if all(group["weights"]["symmetric"] for group in groups.values()):
        return AutoModelForCausalLM.from_pretrained(folder, **settings).eval()
    # Packed zero points are read only where the whole model is dequantized while it is loaded.
    with tempfile.TemporaryDirectory(prefix="qzo_interop_") as copy:
        with_fp32_scales(folder, pathlib.Path(copy))
        return AutoModelForCausalLM.from_pretrained(copy, quantization_config=CompressedTensorsConfig(run_compressed=False),
                                                    **settings).eval()


if __name__ == "__main__":
    sys.exit(main("compressed-tensors", ["torch", "transformers", "compressed_tensors"], golden_cases("ct_"), load))
