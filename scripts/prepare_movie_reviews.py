#!/usr/bin/env python3
"""Movie-review sentences with human ratings, out of the source package of vaderSentiment 3.3.2, as JSON Lines.

Keeps sentences with |mean rating| >= 1, labels them by sign, drops duplicates, and splits them by a fixed rule:
the SHA-256 of the text orders the sentences; the first 2,000 are the test set, the next 500 the dev set, the rest trains.
"""

import argparse
import hashlib
import io
import json
import pathlib
import tarfile

ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
TEST, DEV = 2000, 500


def read_rows(package: pathlib.Path) -> list[dict]:
    with tarfile.open(package) as outer, tarfile.open(fileobj=io.BytesIO(outer.extractfile(ARCHIVE).read())) as inner:
        lines = inner.extractfile(MEMBER).read().decode("utf-8").splitlines()
    rows = {}
    for line in lines:
        _, rating, text = line.split("\t")
        text = " ".join(text.split())
        if abs(float(rating)) >= 1 and text not in rows:
            rows[text] = {"text": text, "label": int(float(rating) > 0)}
    return sorted(rows.values(), key=lambda row: hashlib.sha256(row["text"].encode()).hexdigest())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=pathlib.Path, help="vaderSentiment-3.3.2.tar.gz")
    parser.add_argument("folder", type=pathlib.Path, help="where train.jsonl, dev.jsonl, test.jsonl are written")
    arguments = parser.parse_args()
    rows = read_rows(arguments.package)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    parts = {"test": rows[:TEST], "dev": rows[TEST : TEST + DEV], "train": rows[TEST + DEV :]}
    for name, part in parts.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (arguments.folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        print(f"{name}: {len(part)} sentences, {sum(row['label'] for row in part)} positive")


if __name__ == "__main__":
    main()
