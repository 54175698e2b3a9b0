#!/usr/bin/env python3
"""The same calibrated quantization as qzo-quantize --format gptq, by GPTQModel: same text, same pieces, same settings.

    scripts/quantize_with_gptqmodel.py DENSE OUT --calibration TEXT [--group-size 64 --samples 64 --sample-length 512]

Needs Python with gptqmodel (figures in the README: 7.7.0 on a CPU).
"""

import argparse
import os

os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")  # it refuses to start with its default on two cores

import torch
from gptqmodel import GPTQModel, QuantizeConfig
from transformers import AutoTokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dense")
    parser.add_argument("out")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--group-size", type=int, default=128)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--sample-length", type=int, default=512)
    parser.add_argument("--damp", type=float, default=0.01)
    parser.add_argument("--act-order", action="store_true")
    parser.add_argument("--bos", type=int, help="put in front of the text; for models whose convention that is")
    arguments = parser.parse_args()

    with open(arguments.calibration, newline="") as file:  # line ends as they are
        text = file.read()
    ids = AutoTokenizer.from_pretrained(arguments.dense)(text, add_special_tokens=False).input_ids
    if arguments.bos is not None:
        ids = [arguments.bos, *ids]
    length = arguments.sample_length
    available = len(ids) // length
    count = min(available, arguments.samples)
    begins = [i * available // count * length for i in range(count)]
    samples = [{"input_ids": ids[begin:begin + length], "attention_mask": [1] * length} for begin in begins]
    # act_group_aware would order the inputs in a way of its own.
    config = QuantizeConfig(bits=4, group_size=arguments.group_size, sym=True, damp_percent=arguments.damp,
                            desc_act=arguments.act_order, act_group_aware=False, mse=0.0, offload_to_disk=False)
    model = GPTQModel.load(arguments.dense, config, device="cpu", dtype=torch.float32)
    model.quantize(samples, batch_size=1)
    model.save(arguments.out)


if __name__ == "__main__":
    main()
