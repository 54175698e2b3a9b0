"""What the load_*.py scripts share: a checkpoint tuned by the real programs, its logits by ours and by the library that
owns its format, and one line for each case:

    PASS name: largest difference ...        FAIL name: what differs        SKIP name: what is missing

A case is a golden folder (QZO_ORACLES, default ../shared/oracles) or the tiny model of tests/data. qzo-train takes 20
steps on it, qzo-eval writes the logits of the answers behind every prompt, and the library gets the same token ids.
"""

import csv
import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import typing

# The CPU part of torch is enough here (see setup.sh): what it never calls must not be looked for when it is loaded.
sys.setdlopenflags(os.RTLD_LAZY)
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TORCHDYNAMO_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false"}

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = ROOT / "build/release/bin"
ORACLES = pathlib.Path(os.environ.get("QZO_ORACLES", ROOT.parent / "shared/oracles"))
GOLDEN, TINY = ROOT / "tests/data/golden", ROOT / "tests/data/tiny"

TOLERANCE = 2e-4  # of a logit, fp32 on both sides
ROWS = 48


@dataclasses.dataclass
class Case:
    name: str
    checkpoint: pathlib.Path  # as it is: of a golden folder a copy with a tokenizer is made
    recipe: pathlib.Path
    tokenizer: pathlib.Path
    begin: str  # the token in front of every prompt
    quantize: tuple[str, ...] = ()  # of a dense checkpoint: how qzo-quantize makes it one of the format


def golden_cases(prefix: str) -> list[Case]:
    return [Case(folder.name, folder, GOLDEN / "recipe.json", GOLDEN / "tokenizer.json", "<s>")
            for folder in sorted(ORACLES.glob(f"quant/{prefix}*"))]


def family_cases(*quantize: str, without: tuple[str, ...]) -> list[Case]:
    """Dense golden models, one of each family and more, quantized by qzo-quantize."""
    return [Case(f"{folder.name} as {quantize[0]}", folder, GOLDEN / "recipe.json", GOLDEN / "tokenizer.json", "<s>", quantize=quantize)
            for folder in sorted(ORACLES.glob("models/*")) if folder.name not in without]


def tiny_case(checkpoint: str, recipe: str) -> Case:
    return Case(f"tiny {checkpoint}", TINY / checkpoint, ROOT / "configs" / recipe, TINY / "gptq/tokenizer.json", "<|begin|>")


def program(name: str, *arguments: object) -> None:
    run = subprocess.run([PROGRAMS / name, *map(str, arguments)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        raise RuntimeError(f"{name}: exit {run.returncode}: {run.stdout.strip().splitlines()[-1]}")


def usable_copy(case: Case, folder: pathlib.Path) -> pathlib.Path:
    """A golden checkpoint with a tokenizer that spells its ids <t3>, <t4>, ...: GGUF files have one whose tokens no text
    reaches until they are declared user-defined (type 4)."""
    source = case.checkpoint
    if (source / "config.json").exists():
        if case.quantize:
            program("qzo-quantize", source, folder, "--format", *case.quantize)
        else:
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns("expected.safetensors"))
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(GOLDEN / file, folder)
        return folder
    folder.mkdir()
    content = bytearray((source / "model.gguf").read_bytes())
    key = b"tokenizer.ggml.token_type"
    types = content.index(key) + len(key) + 16  # behind: u32 array, u32 int32, u64 count
    count, = struct.unpack_from("<Q", content, types - 8)
    for token in range(3, count):
        struct.pack_into("<i", content, types + 4 * token, 4)
    (folder / "model.gguf").write_bytes(content)
    return folder / "model.gguf"


class OurLogits:
    """Of every answer (one token each) behind every prompt of the recipe's test table."""

    def __init__(self, case: Case, checkpoint: pathlib.Path, folder: pathlib.Path):
        from tokenizers import Tokenizer
        table = folder / "predictions.csv"
        program("qzo-eval", "--model", checkpoint, "--config", case.recipe, "--set", f"data.num_test={ROWS}", "--predictions", table)
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        recipe = json.loads(case.recipe.read_text())
        task = recipe["task"]
        lines = (case.recipe.parent / recipe["data"]["test"]).read_text().split("\n")
        tokenizer = Tokenizer.from_file(str(case.tokenizer))
        texts = [task["prompt"].replace("{text}", json.loads(lines[int(row["line"]) - 1])["text"]) for row in rows]
        self.prompts = [[tokenizer.token_to_id(case.begin), *tokenizer.encode(text).ids] for text in texts]
        answers = [tokenizer.encode(candidate).ids for candidate in task["candidates"]]
        assert all(len(ids) == 1 for ids in answers), answers
        self.answers = [ids[0] for ids in answers]
        self.values = [[float(row[f"score{i}"]) for i in range(len(answers))] for row in rows]

    def difference(self, logits_of: typing.Callable[[list[int]], typing.Any]) -> float:
        worst = 0.0
        for prompt, ours in zip(self.prompts, self.values):
            theirs = logits_of(prompt)[self.answers].tolist()
            worst = max(worst, *(abs(a - b) if a == a and b == b else float("inf") for a, b in zip(ours, theirs)))
        return worst


def last_logits(model) -> typing.Callable[[list[int]], typing.Any]:
    """Of a transformers model: logits behind a list of token ids."""
    import torch

    def logits_of(ids: list[int]):
        with torch.no_grad():
            return model(input_ids=torch.tensor([ids])).logits[0, -1].float()
    return logits_of


def prove(case: Case, load: typing.Callable[[pathlib.Path], typing.Any]) -> bool:
    with tempfile.TemporaryDirectory(prefix="qzo_interop_") as name:
        folder = pathlib.Path(name)
        base = usable_copy(case, folder / "base") if case.recipe.parent == GOLDEN else case.checkpoint
        run = folder / "run"
        program("qzo-train", "--config", case.recipe, "--set", f"model.path={base}", "--set", f"output.dir={run}",
                "--set", "train.steps=20", "--set", "train.eval_every=10", "--set", "train.save_every=10")
        before, tuned = OurLogits(case, base, folder), OurLogits(case, run, folder)
        moved = max(abs(a - b) for x, y in zip(before.values, tuned.values) for a, b in zip(x, y))
        worst = tuned.difference(last_logits(load(run / "model")))
        # Far more than is allowed: a library that had read the checkpoint as it was before would be off by `moved`.
        good = worst <= TOLERANCE and moved > 20 * TOLERANCE
        print(f"{'PASS' if good else 'FAIL'} {case.name}: largest difference {worst:.1e} of {len(tuned.prompts) * len(tuned.answers)} "
              f"logits (allowed {TOLERANCE:.0e}); training had moved them by up to {moved:.2f}", flush=True)
        return good


def main(owner: str, packages: list[str], cases: list[Case], load: typing.Callable[[pathlib.Path], typing.Any]) -> int:
    """load(folder) gives a transformers model in fp32. Exit 1 if a case failed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    good = True
    for case in cases:
        if missing:
            print(f"SKIP {case.name}: not installed: {', '.join(missing)}")
            continue
        try:
            good &= prove(case, load)
        except Exception as error:  # a library's refusal is a finding like any other
            print(f"FAIL {case.name}: {type(error).__name__}: {str(error).strip()[:400]}", flush=True)
            good = False
    if not cases:
        print(f"SKIP {owner}: no golden checkpoints in {ORACLES}: set QZO_ORACLES to their folder")
    return 0 if good else 1
