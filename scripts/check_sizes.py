#!/usr/bin/env python3
"""Keeps files small: no source over 500 lines, none over the median target by accident (prints the largest)."""

import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 500


def main() -> int:
    sizes = {}
    for folder in ("include", "src", "kernels"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".h", ".cpp"):
                sizes[str(path.relative_to(ROOT))] = len(path.read_text().splitlines())
    over = {name: size for name, size in sizes.items() if size > LIMIT}
    for name, size in over.items():
        print(f"{name}: {size} lines, the limit is {LIMIT}: split it")
    largest = max(sizes, key=sizes.get)
    print(f"check_sizes: {len(sizes)} files, median {statistics.median(sizes.values()):.0f} lines, largest {largest} ({sizes[largest]})")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
