"""Compare the accuracy of the classifier as shipped with peers and with each of its parts.

    python tests/benchmarks/accuracy.py FOLDER [--seeds 3] [--set part.name=value] [--brief]

FOLDER is in the import format (books.csv.gz, loans.csv.gz, covers/). A fifth of the categorised books is held
out (whole authors, if the uncategorised books are by other authors). All methods train on the rest. The table
has means over the seeds; with five seeds every book is held out once. The difference between a method and
ours is computed on all held-out books together, with its standard error over the books (bootstrap): a
difference below about two standard errors may be chance. Our features are fitted on all books, with the
categories of the training books only.

"Shown" is the classifier as shipped, which sees only these modalities of the test books; "trained" is trained
on these modalities only. "Shuffled" exchanges the features of a modality between books, and a data set
without covers gets covers of noise: these modalities carry no information. Takes minutes on two cores. Annif
takes part if it is on the PATH.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from folders import Problem, read_folder
from peers import peers, texts_of
from rich.console import Console
from rich.table import Table

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.calibration import cross_calibrated
from classifier.pipeline.evaluation.metrics import (
    accuracy_by_level,
    compute_metrics,
    reliability_bins,
    selective_metrics,
)
from classifier.pipeline.features.base import Block, BlockSpec
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.image_descriptors import SIZE
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded
from classifier.pipeline.taxonomy.hierarchy import hierarchical_smoothing

Row = dict[str, float]
SHIPPED = "ours as shipped"
RESAMPLES = 300


def classifier(
    problem: Problem, blocks: Mapping[str, Block], train: np.ndarray, config: Config, seed: int
) -> FusionClassifier:
    """Return our classifier, trained with the categories of the training books only."""
    y_train = np.full(len(problem.y), -1)
    y_train[train] = problem.y[train]
    return FusionClassifier(config=config, seed=seed).fit(
        blocks,
        y_train,
        n_classes=len(problem.classes),
        groups=problem.groups,
        smoothing_matrix=hierarchical_smoothing(problem.classes, problem.parents),
    )


def shuffled(block: Block, rng: np.random.Generator) -> Block:
    """Return the block with its features exchanged at random between the books that have it."""
    rows = np.flatnonzero(block.present)
    order = np.arange(len(block.present))
    order[rows] = rng.permutation(rows)
    links = None if block.links is None else block.links[order][:, order]
    return Block(values=block.values[order], present=block.present, spec=block.spec, links=links)


def noise(n_books: int, rng: np.random.Generator) -> Block:
    """Return covers of random noise for 60 % of the books."""
    present = rng.random(n_books) < 0.6
    values = rng.normal(size=(n_books, SIZE)).astype(np.float32) * present[:, None]
    return Block(values=values, present=present, spec=BlockSpec(kind="vector", shape=(SIZE,)))


def ours(
    problem: Problem,
    blocks: Mapping[str, Block],
    train: np.ndarray,
    test: np.ndarray,
    config: Config,
    seed: int,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the probabilities of each of our methods for the test books."""

    def calibrated(scores: np.ndarray, model: FusionClassifier) -> np.ndarray:
        return cross_calibrated(scores, problem.y[test], prior=model.expected_temperature_)

    test_blocks = {name: block.take(test) for name, block in blocks.items()}
    model = classifier(problem, blocks, train, config, seed)
    books = model.encode(test_blocks)
    yield SHIPPED, calibrated(model.scores(books), model)
    yield "our network alone", calibrated(model.votes(books)[:, 0].astype(float), model)
    yield "our SVM on the fused representation", calibrated(_decisions(model, books), model)
    names = list(blocks)
    for size in range(len(names) - 1, 0, -1):
        for part in combinations(names, size):
            mask = np.isin(names, part)[None, :]
            yield f"{' + '.join(part)}: shown", calibrated(model.scores(books, shown=mask), model)
            alone = classifier(problem, {name: blocks[name] for name in part}, train, config, seed)
            yield f"{' + '.join(part)}: trained", calibrated(alone.scores(alone.encode(test_blocks)), alone)
    rng = np.random.default_rng(seed)
    uninformative = {f"{name} shuffled": {**blocks, name: shuffled(blocks[name], rng)} for name in names[1:]}
    if "cover" not in blocks:
        uninformative["covers of noise"] = {**blocks, "cover": noise(len(problem.y), rng)}
    for name, variant in uninformative.items():
        model = classifier(problem, variant, train, config, seed)
        scores = model.scores(model.encode({n: b.take(test) for n, b in variant.items()}))
        yield name, calibrated(scores, model)


def _decisions(model: FusionClassifier, books: Encoded) -> np.ndarray:
    """Return the scores of the SVMs without the votes of the networks."""
    weights = {names: svm.vote_weight_ for names, svm in model.svms_.items()}
    for svm in model.svms_.values():
        svm.vote_weight_ = 0.0
    scores = model.scores(books)
    for names, svm in model.svms_.items():
        svm.vote_weight_ = weights[names]
    return scores


def metrics_of(probabilities: np.ndarray, truth: np.ndarray) -> Row:
    """Return the metrics of one held-out fifth."""
    metrics = compute_metrics(probabilities, truth)
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    at_precision = selective_metrics(confidence, correct)["at_precision"]
    return metrics | {f"coverage at {precision}": row["coverage"] for precision, row in at_precision.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-test-books", type=int, default=5000, help="test books for each seed, at most")
    parser.add_argument("--brief", action="store_true", help="only the classifier as shipped and the peers")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    config = Config().with_settings(options.settings)
    catalogue = read_folder(options.folder)
    problem = Problem.of(catalogue)
    blocks = FeatureExtractor(config=config).fit_transform(catalogue, rng=np.random.default_rng(0))
    texts = texts_of(catalogue)
    rows: dict[str, list[Row]] = {}
    shipped: list[tuple[np.ndarray, np.ndarray]] = []
    predictions: dict[str, list[np.ndarray]] = {}
    test_books: list[np.ndarray] = []

    def record(name: str, row: Row, start: float) -> None:
        rows.setdefault(name, []).append(row | {"seconds": time.perf_counter() - start})
        print(f"{name}: {row['accuracy']:.3f} / {row['macro_f1']:.3f}", flush=True)

    for seed in range(options.seeds):
        print(f"held-out fifth {seed + 1} of {options.seeds}", flush=True)
        train, test = problem.split(seed, at_most=options.max_test_books)
        truth = problem.y[test]
        test_books.append(test)
        for name, predict in peers(texts, blocks, problem.y, train, test, problem.classes).items():
            start = time.perf_counter()
            predictions.setdefault(name, []).append(predict())
            row = compute_metrics(np.eye(len(problem.classes))[predictions[name][-1]], truth)
            record(name, {key: row[key] for key in ("accuracy", "macro_f1")}, start)
        start = time.perf_counter()
        for name, probabilities in ours(problem, blocks, train, test, config, seed):
            record(name, metrics_of(probabilities, truth), start)
            predictions.setdefault(name, []).append(probabilities.argmax(axis=1))
            if name == SHIPPED:
                shipped.append((probabilities, truth))
                for kind, block in blocks.items():
                    if not (has := block.present[test]).all() and has.any():
                        record(
                            f"… of the books with {kind}", metrics_of(probabilities[has], truth[has]), start
                        )
                if options.brief:
                    break
            start = time.perf_counter()
    _show(options.folder.name, options.seeds, rows)
    pooled = {name: np.concatenate(parts) for name, parts in predictions.items()}
    _show_differences(problem.y, np.concatenate(test_books), pooled)
    _show_calibration(problem, shipped)


def _show(name: str, seeds: int, rows: Mapping[str, list[Row]]) -> None:
    columns = ["accuracy", "macro_f1", "top3", "calibration_error", "calibration_noise"]
    columns += ["coverage at 0.90", "coverage at 0.95", "seconds"]
    table = Table(title=f"{name}: means of {seeds} held-out fifths (± standard deviation)")
    table.add_column("method")
    for column in columns:
        table.add_column(column.replace("_", " ").replace("calibration", "calibr."), justify="right")
    for method, seed_rows in rows.items():
        cells = []
        for column in columns:
            values = [row[column] for row in seed_rows if column in row]
            digits = 1 if column == "seconds" else 3
            spread = f" ±{np.std(values):.3f}" if column in ("accuracy", "macro_f1") else ""
            cells.append(f"{np.mean(values):.{digits}f}{spread}" if values else "")
        table.add_row(method, *cells)
    Console(width=160).print(table)


def _show_differences(y: np.ndarray, test_books: np.ndarray, predictions: Mapping[str, np.ndarray]) -> None:
    """Print the difference between each method and ours as shipped, with its standard error."""
    rng = np.random.default_rng(0)
    books = np.unique(test_books)
    weights = [np.ones(len(test_books))]  # the books themselves, then each resample
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(len(books), size=len(books)), minlength=len(books))
        weights.append(times[np.searchsorted(books, test_books)].astype(float))
    ours = np.array([_weighted_metrics(y[test_books], predictions[SHIPPED], w) for w in weights])
    table = Table(title="method minus ours, all test books (standard error over the books)")
    table.add_column("method")
    for column in ("accuracy", "macro f1"):
        table.add_column(column, justify="right")
    for name, prediction in predictions.items():
        if name != SHIPPED:
            difference = np.array([_weighted_metrics(y[test_books], prediction, w) for w in weights]) - ours
            table.add_row(
                name,
                *(f"{d:+.3f} ({e:.3f})" for d, e in zip(difference[0], difference.std(axis=0), strict=True)),
            )
    Console(width=160).print(table)


def _weighted_metrics(truth: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return accuracy and macro-F1 of weighted books; a category without books does not count."""
    n = max(truth.max(), prediction.max()) + 1
    correct = np.bincount(truth, weights * (truth == prediction), minlength=n)
    actual, predicted = (np.bincount(labels, weights, minlength=n) for labels in (truth, prediction))
    f1 = 2 * correct / np.maximum(actual + predicted, 1e-9)
    return correct.sum() / weights.sum(), f1[actual > 0].mean()


def _show_calibration(problem: Problem, shipped: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Print calibration and coverage of ours as shipped on all held-out books together."""
    probabilities = np.concatenate([part for part, _ in shipped])
    truth = np.concatenate([part for _, part in shipped])
    pooled = compute_metrics(probabilities, truth)
    print(
        f"all held-out books together: calibration error {pooled['calibration_error']:.3f}, "
        f"expected by chance {pooled['calibration_noise']:.3f}"
    )
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    table = Table(title="reliability")
    for column in ("confidence", "books", "mean confidence", "accuracy"):
        table.add_column(column, justify="right")
    for row in reliability_bins(probabilities.max(axis=1), correct):
        table.add_row(
            f"{row['from']:.2f}-{row['to']:.2f}", str(row["books"]), f"{row['confidence']:.3f}",
            f"{row['accuracy']:.3f}",
        )  # fmt: skip
    Console().print(table)
    curve = selective_metrics(probabilities.max(axis=1), correct)["curve"]
    print("coverage: accuracy " + ", ".join(f"{c:.2f}: {a:.3f}" for c, a in curve))
    if problem.parents:
        levels = accuracy_by_level(probabilities, truth, classes=problem.classes, parents=problem.parents)
        print("accuracy by level of the tree: " + ", ".join(f"{a:.3f}" for a in levels))


if __name__ == "__main__":
    main()
