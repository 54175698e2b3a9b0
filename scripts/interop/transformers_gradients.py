#!/usr/bin/env python3
"""Compares the gradients of one step of qzo-train, all weights, with those of transformers' autograd.

One step of plain SGD moves every weight by lr times its gradient, so weights before and after give it away:

    qzo-train --config CONFIG --set method.name=sgd --set method.max_norm=null --set method.weight_decay=0
        --set train.steps=1 --set train.warmup=0 --set train.lr=1 --set train.save_every=1
        --set train.batch_size=6 --set data.num_train=6 --set output.dir=RUN
    scripts/interop/transformers_gradients.py RUN

The batch is all of the training examples (batch_size = num_train), a data.dev file of its own is stated, candidates are
one token each, tables are JSON Lines. Exit 1 if the loss differs by more than 1e-4 or a tensor's gradient by more than
1 % of its norm. Needs torch, transformers, safetensors, numpy.
"""

import argparse
import json
import pathlib
import sys

import numpy
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, help="output.dir of the run of one step")
    run = parser.parse_args().run
    config = json.loads((run / "config.json").read_text())

    def setting(group: str, name: str):
        return config[group][name]["value"]

    base = pathlib.Path(setting("model", "path"))
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(base)
    settings = json.loads((base / "tokenizer_config.json").read_text())
    begin = tokenizer.convert_tokens_to_ids(settings["bos_token"]) if settings.get("add_bos_token") else None

    def encode(text: str) -> list[int]:
        ids = tokenizer.encode(text)
        return ids if begin is None or ids[:1] == [begin] else [begin] + ids

    lines = [json.loads(line) for line in pathlib.Path(setting("data", "train")).read_text().splitlines()]
    count = setting("data", "num_train")
    rows = numpy.random.RandomState(setting("data", "subset_seed")).permutation(len(lines))[:count]
    loss = torch.zeros(())
    for row in (lines[i] for i in rows):
        prompt = setting("task", "prompt")
        for name, value in row.items():
            prompt = prompt.replace("{" + name + "}", str(value).strip())
        tokens = encode(prompt)
        answers = [encode(prompt + answer)[len(tokens):] for answer in setting("task", "candidates")]
        if any(len(answer) != 1 for answer in answers):
            sys.exit("the candidates are not one token each in this tokenizer")
        logits = model(input_ids=torch.tensor([tokens])).logits[0, -1]
        scores = torch.stack([logits[answer[0]] for answer in answers])
        label = torch.tensor([int(row[setting("task", "label_field")])])
        loss = loss + torch.nn.functional.cross_entropy(scores[None], label) / count
    loss.backward()

    step = json.loads((run / "log.jsonl").read_text().splitlines()[1])
    before, after = load_file(base / "model.safetensors"), load_file(run / "checkpoints/step-000001/weights.safetensors")
    worst, worst_name = 0.0, ""
    for name, parameter in model.named_parameters():
        ours = (before[name].float() - after[name].float()) / step["lr"]
        error = ((ours - parameter.grad).norm() / parameter.grad.norm()).item()
        if error > worst:
            worst, worst_name = error, name
    print(f"loss {step['loss']:.6f} here, {loss.item():.6f} there; {len(after)} tensors, largest difference of a gradient "
          f"{worst:.1e} of its norm ({worst_name})")
    return 0 if abs(step["loss"] - loss.item()) < 1e-4 and 0 < worst < 1e-2 else 1


if __name__ == "__main__":
    sys.exit(main())
