#!/usr/bin/env python3
"""Compares candidate logits of qzo-eval with those of transformers on the dequantized weights of the same GGUF file.

    qzo-eval --model MODEL.gguf --config configs/sst2_smollm2.json --predictions predictions.csv
    scripts/compare_with_transformers.py MODEL.gguf test.tsv predictions.csv [--limit 100]

Paper's SST-2 prompt, no BOS. Exit 1 if any logit differs by more than 2e-3. Needs torch, transformers, gguf, accelerate.
"""

import argparse
import csv
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 2e-3
CANDIDATES = (" terrible", " great")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("table", type=pathlib.Path, help="TSV with the columns sentence and label")
    parser.add_argument("predictions", type=pathlib.Path)
    parser.add_argument("--limit", type=int, default=100, help="rows compared")
    arguments = parser.parse_args()
    place = {"pretrained_model_name_or_path": arguments.model.parent, "gguf_file": arguments.model.name}
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(**place)
    ids = [tokenizer.encode(candidate, add_special_tokens=False) for candidate in CANDIDATES]
    if any(len(tokens) != 1 for tokens in ids):
        sys.exit("the candidates are not one token each in this tokenizer")
    lines = arguments.table.read_text(encoding="utf-8").split("\n")
    worst = 0.0
    with arguments.predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))[: arguments.limit]
    for row in rows:
        sentence = lines[int(row["line"]) - 1].split("\t")[0].strip()
        tokens = tokenizer.encode(f"{sentence} It was", add_special_tokens=False)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens])).logits[0, -1]
        ours = (float(row["score0"]), float(row["score1"]))
        worst = max(worst, *(abs(mine - logits[token[0]].item()) for mine, token in zip(ours, ids)))
    print(f"{len(rows)} rows, largest difference of a logit {worst:.2e} (allowed {TOLERANCE:.0e})")
    return 0 if rows and worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
