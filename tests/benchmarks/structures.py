"""What each activation, width, depth and kind of fusion does, on several folders, as a Markdown table.

    python tests/benchmarks/structures.py FOLDER ... [--seeds 2] [--books 10000]

Features are read once a folder; each structure learns from the same four fifths of at most so many of its
categorised books and is judged by the rest. Accuracy / macro-F1 of ours as shipped, means over the seeds.
Run by hand: some minutes a folder.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from accuracy import classifier
from folders import Problem, read_folder

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.metrics import figures
from classifier.pipeline.features.extractor import FeatureExtractor

STRUCTURES = {
    "as shipped (gelu, width 128, no hidden layer, sum)": [],
    "relu": ["network.activation=relu"],
    "silu": ["network.activation=silu"],
    "tanh": ["network.activation=tanh"],
    "width 64": ["network.width=64"],
    "width 256": ["network.width=256"],
    "hidden 128": ["network.hidden=128"],
    "hidden 128,64": ["network.hidden=128,64"],
    "concatenated": ["network.fusion=concat"],
    "gated": ["network.fusion=gated"],
    "attention": ["network.fusion=attention"],
    "rbf kernel": ["svm.kernel=rbf"],
}


def measured(folder: Path, *, seeds: int, most: int) -> list[str]:
    """Return one cell for each structure."""
    catalogue = read_folder(folder)
    labelled = [book for book in catalogue.books if book.category]
    if len(labelled) > most:
        order = np.random.default_rng(0).permutation(len(labelled))[:most]
        catalogue = replace(catalogue, books=[labelled[i] for i in order])
    problem = Problem.of(catalogue)
    blocks = FeatureExtractor(config=Config()).fit_transform(catalogue, rng=np.random.default_rng(0))
    cells = []
    for name, settings in STRUCTURES.items():
        config = Config().with_settings(settings)
        rows = []
        for seed in range(seeds):
            learn, judge = problem.split(seed, at_most=most)
            model = classifier(problem, blocks, learn, config, seed)
            found = model.predict_proba({name: block.take(judge) for name, block in blocks.items()})
            row = figures(found, problem.y[judge])
            rows.append((row["accuracy"], row["macro_f1"]))
        accuracy, f1 = np.mean(rows, axis=0)
        cells.append(f"{accuracy:.3f} / {f1:.3f}")
        print(folder.name, name, cells[-1], flush=True)
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--books", type=int, default=10_000)
    options = parser.parse_args()
    columns = [measured(folder, seeds=options.seeds, most=options.books) for folder in options.folders]
    print("| structure | " + " | ".join(folder.name for folder in options.folders) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name, cells in zip(STRUCTURES, zip(*columns, strict=True), strict=True):
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
