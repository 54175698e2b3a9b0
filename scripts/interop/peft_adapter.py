#!/usr/bin/env python3
"""Compares candidate scores of a LoRA adapter that qzo-train saved with those of PEFT on the same base model.

    qzo-train --config CONFIG --set method.adapter=lora ... --set output.dir=RUN
    qzo-eval --model RUN --split test --predictions predictions.csv
    scripts/interop/peft_adapter.py RUN predictions.csv [--limit 100]

The base is loaded by transformers in fp32 (a dense folder, or a GGUF file, which it dequantizes), the adapter by PEFT.
Candidates of one token each. Exit 1 if any score differs by more than 2e-3, or if the adapter changes nothing. Needs
torch, transformers, peft, and gguf for GGUF files.
"""

import argparse
import csv
import json
import pathlib
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 2e-3


def setting(config: dict, group: str, name: str):
    return config[group][name]["value"]


def prompt_of(template: str, row: dict) -> str:
    for name, value in row.items():
        template = template.replace("{" + name + "}", str(value).strip())
    return template.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, help="output.dir of a finished run")
    parser.add_argument("predictions", type=pathlib.Path, help="of qzo-eval --predictions on the test split")
    parser.add_argument("--limit", type=int, default=100, help="rows compared")
    arguments = parser.parse_args()
    config = json.loads((arguments.run / "config.json").read_text())
    base = pathlib.Path(json.loads((arguments.run / "model/adapter_config.json").read_text())["base_model_name_or_path"])
    place = {"pretrained_model_name_or_path": base}
    if base.is_file():
        place = {"pretrained_model_name_or_path": base.parent, "gguf_file": base.name}
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = PeftModel.from_pretrained(model, arguments.run / "model").eval()
    candidates = setting(config, "task", "candidates")
    lines = pathlib.Path(setting(config, "data", "test")).read_text(encoding="utf-8").split("\n")
    worst, moved = 0.0, 0.0
    with arguments.predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))[: arguments.limit]
    for row in rows:
        prompt = prompt_of(setting(config, "task", "prompt"), json.loads(lines[int(row["line"]) - 1]))
        tokens = tokenizer.encode(prompt)
        ids = [tokenizer.encode(prompt + answer)[len(tokens):] for answer in candidates]
        if any(len(one) != 1 for one in ids):
            sys.exit("the candidates are not one token each in this tokenizer")
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens])).logits[0, -1]
            with model.disable_adapter():
                without = model(input_ids=torch.tensor([tokens])).logits[0, -1]
        for i, one in enumerate(ids):
            worst = max(worst, abs(float(row[f"score{i}"]) - logits[one[0]].item()))
            moved = max(moved, (logits[one[0]] - without[one[0]]).abs().item())
    print(f"{len(rows)} rows, largest difference of a score {worst:.2e} (allowed {TOLERANCE:.0e}); "
          f"the adapter moves scores by up to {moved:.2e}")
    return 0 if rows and worst <= TOLERANCE < moved else 1


if __name__ == "__main__":
    sys.exit(main())
