#!/usr/bin/env python3
"""GPTQ: the exported folder in transformers with optimum and gptqmodel, in gptqmodel's own kernel for CPUs, fp32."""

import sys
from unittest import mock

from proof import family_cases, golden_cases, main, tiny_case


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM, GPTQConfig
    from transformers.models.gpt2.modeling_gpt2 import GPT2PreTrainedModel
    # transformers 5.23 draws random weights for GPT-2's projections before it reads the stored ones, and stops where these
    # are quantized: they are not drawn. One that was not read would show in the logits.
    with mock.patch.object(GPT2PreTrainedModel, "_init_weights", lambda self, module: None):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16, device_map="cpu",
                                                     quantization_config=GPTQConfig(bits=4, backend="torch")).eval()
    # Loaded in the type it is stored in, computed in fp32. transformers' own float() refuses quantized models.
    return torch.nn.Module.float(model)


# Its embeddings and biases are fp32 and are rounded to fp16 when they are loaded here.
NOT_PROVEN = ("llama_bias_linear_rope",)

if __name__ == "__main__":
    cases = [tiny_case("gptq", "tiny.json"), *golden_cases("gptq_"),
             *family_cases("gptq", "--group-size", "32", without=NOT_PROVEN)]
    sys.exit(main("gptq", ["torch", "transformers", "optimum", "gptqmodel"], cases, load))
