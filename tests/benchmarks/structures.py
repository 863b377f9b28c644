"""Compare activations, widths, depths and kinds of fusion on several folders, as a Markdown table.

    python tests/benchmarks/structures.py FOLDER ... [--seeds 2] [--books 10000]

Features are computed once for each folder. Each structure trains on the same four fifths of at most so many
categorised books and is tested on the rest. The cells are accuracy / macro-F1 of the classifier as shipped,
means over the seeds. Takes some minutes for each folder.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from accuracy import classifier
from folders import Problem, read_folder

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.metrics import compute_metrics
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
}


def cells_of(folder: Path, *, structures: list[str], seeds: int, max_books: int) -> list[str]:
    """Return one cell for each structure."""
    catalogue = read_folder(folder)
    labelled = [book for book in catalogue.books if book.category]
    if len(labelled) > max_books:
        order = np.random.default_rng(0).permutation(len(labelled))[:max_books]
        catalogue = replace(catalogue, books=[labelled[i] for i in order])
    problem = Problem.of(catalogue)
    blocks = FeatureExtractor(config=Config()).fit_transform(catalogue, rng=np.random.default_rng(0))
    cells = []
    for name in structures:
        config = Config().with_settings(STRUCTURES[name])
        rows = []
        for seed in range(seeds):
            train, test = problem.split(seed, at_most=max_books)
            model = classifier(problem, blocks, train, config, seed)
            probabilities = model.predict_proba({name: block.take(test) for name, block in blocks.items()})
            row = compute_metrics(probabilities, problem.y[test])
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
    parser.add_argument("--structures", nargs="*", choices=STRUCTURES, default=list(STRUCTURES))
    options = parser.parse_args()
    columns = [
        cells_of(folder, structures=options.structures, seeds=options.seeds, max_books=options.books)
        for folder in options.folders
    ]
    print("| structure | " + " | ".join(folder.name for folder in options.folders) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name, cells in zip(options.structures, zip(*columns, strict=True), strict=True):
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
