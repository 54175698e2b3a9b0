#!/usr/bin/env python3
"""Trains every recipe with every optimizer over several seeds (qzo-train) and writes what came out side by side:

    scripts/compare_optimizers.py OUT RECIPE.json... [--optimizer NAME]... [--seeds 3] [--set KEY=VALUE]...

OUT/comparison.md and OUT/comparison.json hold, for each recipe and optimizer, loss and accuracy on the recipe's dev set after the
last step (means over the seeds and their standard errors), how far the loss is from the first optimizer's in standard errors of
its mean, bytes of optimizer states a trained weight, peak memory, and medians of a step's time. The runs stand in
OUT/RECIPE/OPTIMIZER-SEED: the same command again goes on where an interrupted one stopped, and counts what is finished.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPTIMIZERS = ["adamw32", "adamw4bit_block", "adamw4bit_rank1", "factor4bit"]


def result_of(run: pathlib.Path) -> dict | None:
    file = run / "result.json"
    result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return result if result.get("status") == "done" else None


def train(run: pathlib.Path, recipe: pathlib.Path, optimizer: str, seed: int, arguments: argparse.Namespace) -> None:
    settings = [*arguments.set, f"method.name={optimizer}", f"train.seed={seed}", f"output.dir={run}"]
    command = [arguments.program, "--config", recipe, "--resume", "auto", "--no-held-out", "--quiet"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{run}: qzo-train ended with exit code {done.returncode}, as said above; the same command goes on from here")


def milliseconds(run: pathlib.Path, field: str) -> float:
    lines = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return statistics.median(line[field] for line in lines if field in line)


def over_seeds(values: list[float]) -> dict:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "standard_error": error, "values": values}


def summary(runs: list[pathlib.Path]) -> dict:
    results = [result_of(run) for run in runs]
    return {
        "loss": over_seeds([result["final"]["loss"] for result in results]),
        "accuracy": over_seeds([result["final"]["accuracy"] for result in results]),
        "examples": results[0]["final"]["count"],
        "steps": results[0]["steps_done"],
        "state_bytes_per_weight": results[0]["optimizer"]["bytes_per_parameter"],
        "state_bytes": results[0]["optimizer"]["state_bytes"],
        "peak_memory": max(result["peak_memory"] for result in results),
        "step_ms": statistics.median(milliseconds(run, "ms_forward") + milliseconds(run, "ms_update") for run in runs),
        "update_ms": statistics.median(milliseconds(run, "ms_update") for run in runs),
    }


def with_error(value: dict, scale: float, digits: int) -> str:
    error = value["standard_error"]
    return f"{scale * value['mean']:.{digits}f}" + ("" if error is None else f" ± {scale * error:.{digits}f}")


def table(recipe: str, seeds: int, rows: dict[str, dict]) -> str:
    reference = next(iter(rows))
    error, some = rows[reference]["loss"]["standard_error"], rows[reference]
    lines = [
        f"{recipe}: {some['steps']} steps, {seeds} seeds, {some['examples']} dev examples, means ± standard errors over the seeds",
        "",
        f"| optimizer | loss | from {reference}, in its standard errors | accuracy, % | state bytes a weight | peak memory, MB | ms a step | of them update |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        distance = f"{(row['loss']['mean'] - some['loss']['mean']) / error:+.2f}" if error and name != reference else ""
        lines.append(
            f"| `{name}` | {with_error(row['loss'], 1, 4)} | {distance} | {with_error(row['accuracy'], 100, 1)} "
            f"| {row['state_bytes_per_weight']:.3f} | {row['peak_memory'] / 1e6:.0f} | {row['step_ms']:.0f} | {row['update_ms']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("recipes", type=pathlib.Path, nargs="+", metavar="recipe")
    parser.add_argument("--optimizer", action="append", help="method.name; the first is what the others are compared with; default: "
                        + ", ".join(OPTIMIZERS))
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... of each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of all runs, as for qzo-train")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bin/qzo-train")
    arguments = parser.parse_args()
    optimizers = list(dict.fromkeys(arguments.optimizer or OPTIMIZERS))
    names = [recipe.stem for recipe in arguments.recipes]
    if len(set(names)) < len(names):
        parser.error(f"two recipes have the same file name ({', '.join(names)}): rename one, runs are kept by it")
    if arguments.seeds < 1:
        parser.error(f"--seeds is {arguments.seeds}: at least 1 is needed")
    out = arguments.out.resolve()
    for seed in range(arguments.seeds):
        for recipe in arguments.recipes:
            for optimizer in optimizers:
                run = out / recipe.stem / f"{optimizer}-{seed}"
                if result_of(run) is None:
                    print(f"{recipe.stem}: {optimizer}, seed {seed}", flush=True)
                    train(run, recipe, optimizer, seed, arguments)
    found = {
        name: {optimizer: summary([out / name / f"{optimizer}-{seed}" for seed in range(arguments.seeds)]) for optimizer in optimizers}
        for name in names
    }
    text = "\n".join(table(name, arguments.seeds, rows) for name, rows in found.items())
    (out / "comparison.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (out / "comparison.md").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
