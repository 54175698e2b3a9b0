#!/usr/bin/env python3
"""Dev loss over seconds of training, from run folders, as an SVG and as a table on stdout.

usage: plot_curves.py OUT.svg NAME=RUN[,RUN...] [NAME=RUN[,RUN...] ...]

A point of a run is one of its evaluations, at step * seconds_per_step of result.json (evaluations take no time there).
Thin lines are runs, thick ones the means over the runs of a name; they must have been evaluated at the same steps.
"""
import json
import pathlib
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, MARGIN = 640, 360, 60, 40, 20
COLOURS = ["#1b6ca8", "#c1440e", "#2e7d32", "#6a1b9a", "#7a6a00"]


def curve(run):
    """[(seconds, loss, accuracy, auc)] of a run folder."""
    result = json.loads((run / "result.json").read_text())
    points = []
    for line in (run / "log.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "eval_loss" in record:
            seconds = record["current_steps"] * result["seconds_per_step"]
            points.append((seconds, record["eval_loss"], record["eval_accuracy"], record["eval_auc"]))
    return points


def mean(curves):
    if len({len(one) for one in curves}) != 1:
        sys.exit(f"plot_curves.py: runs with {[len(one) for one in curves]} evaluations, expected equal numbers of them")
    return [tuple(sum(values) / len(curves) for values in zip(*points)) for points in zip(*curves)]


def main():
    if len(sys.argv) < 3 or not all("=" in word for word in sys.argv[2:]):
        sys.exit(__doc__.strip())
    groups = {}
    for word in sys.argv[2:]:
        name, runs = word.split("=", 1)
        groups[name] = [curve(pathlib.Path(run)) for run in runs.split(",")]
    everything = [point for curves in groups.values() for one in curves for point in one]
    longest = max(point[0] for point in everything)
    low, high = min(point[1] for point in everything), max(point[1] for point in everything)

    def place(seconds, loss):
        x = LEFT + seconds / longest * (WIDTH - LEFT - MARGIN)
        y = MARGIN + (high - loss) / (high - low) * (HEIGHT - BOTTOM - MARGIN)
        return f"{x:.1f},{y:.1f}"

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for i in range(5):
        loss = low + (high - low) * i / 4
        x, y = place(0, loss).split(",")
        out.append(f'<path d="M{x},{y} H{WIDTH - MARGIN}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y}" text-anchor="end">{loss:.3f}</text>')
        x, y = place(longest * i / 4, low).split(",")
        out.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{longest * i / 4:.0f}</text>')
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">seconds of training</text>')
    out.append(f'<text x="{LEFT}" y="12">loss on the dev set</text>')
    print("name", "runs", "seconds", "loss", "accuracy", "AUC", sep="\t")
    for number, (name, curves) in enumerate(groups.items()):
        colour = COLOURS[number % len(COLOURS)]
        middle = mean(curves)
        for one, width in [(one, 0.7) for one in curves] + [(middle, 2.5)]:
            path = " L".join(place(point[0], point[1]) for point in one)
            out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        out.append(f'<text x="{WIDTH - MARGIN}" y="{MARGIN + 16 * (number + 1)}" text-anchor="end" fill="{colour}">{name}</text>')
        for seconds, loss, accuracy, auc in middle:
            print(name, len(curves), f"{seconds:.1f}", f"{loss:.4f}", f"{accuracy:.4f}", f"{auc:.4f}", sep="\t")
    out.append("</svg>")
    pathlib.Path(sys.argv[1]).write_text("\n".join(out) + "\n")


main()
