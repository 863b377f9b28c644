"""Accuracy side by side: what a library could pick instead, each of our parts alone, and ours as shipped.

    python tests/benchmarks/accuracy.py FOLDER [--seeds 3] [--set part.name=value] [--brief]

FOLDER is in the import format (books.csv.gz, loans.csv.gz, covers/). A fifth of the categorised books is held
out (whole authors, where the books without a category are by others); all methods learn from the same rest,
and the table gives means over the seeds; with five seeds every book is held out once. How far a method is
from ours is said of all held-out books together, with the standard error over the books (bootstrap): two
methods closer than about two of them are not told apart. Features of ours are learned of all books,
categories of the rest alone. "Shown" is ours as shipped, asked about books of which it sees these modalities
only; "trained" never saw another. "Shuffled" gives each book another one's features, and a set without covers
gets covers of noise: modalities that say nothing. Run by hand: minutes on two cores. Annif joins where it is
on the PATH.
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
from classifier.pipeline.evaluation.calibration import crossfitted
from classifier.pipeline.evaluation.metrics import by_level, figures, reliability, selective
from classifier.pipeline.features.base import Block, BlockSpec
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.image_descriptors import SIZE
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded
from classifier.pipeline.taxonomy.hierarchy import kinship

Row = dict[str, float]
SHIPPED = "ours as shipped"
RESAMPLES = 300


def classifier(
    problem: Problem, blocks: Mapping[str, Block], learn: np.ndarray, config: Config, seed: int
) -> FusionClassifier:
    """Return ours, trained on the categories of the books to learn from and no other."""
    known = np.full(len(problem.y), -1)
    known[learn] = problem.y[learn]
    return FusionClassifier(config=config, seed=seed).fit(
        blocks,
        known,
        n_classes=len(problem.classes),
        groups=problem.groups,
        kinship=kinship(problem.classes, problem.parents),
    )


def shuffled(block: Block, rng: np.random.Generator) -> Block:
    """Return the block with the features of the books that have it dealt out anew."""
    rows = np.flatnonzero(block.present)
    order = np.arange(len(block.present))
    order[rows] = rng.permutation(rows)
    links = None if block.links is None else block.links[order][:, order]
    return Block(values=block.values[order], present=block.present, spec=block.spec, links=links)


def noise(n_books: int, rng: np.random.Generator) -> Block:
    """Return covers of nothing for six books in ten."""
    present = rng.random(n_books) < 0.6
    values = rng.normal(size=(n_books, SIZE)).astype(np.float32) * present[:, None]
    return Block(values=values, present=present, spec=BlockSpec(kind="vector", shape=(SIZE,)))


def ours(
    problem: Problem,
    blocks: Mapping[str, Block],
    learn: np.ndarray,
    judge: np.ndarray,
    config: Config,
    seed: int,
) -> Iterator[tuple[str, np.ndarray]]:
    """Give the name and the probabilities of each of our methods for the books to be judged."""

    def told(scores: np.ndarray, by: FusionClassifier) -> np.ndarray:
        return crossfitted(scores, problem.y[judge], near=by.expected_)

    asked = {name: block.take(judge) for name, block in blocks.items()}
    model = classifier(problem, blocks, learn, config, seed)
    books = model.encode(asked)
    yield SHIPPED, told(model.scores(books), model)
    yield "our network alone", told(model.votes(books)[:, 0].astype(float), model)
    yield "our SVM on the fused representation", told(_decisions(model, books), model)
    names = list(blocks)
    for size in range(len(names) - 1, 0, -1):
        for part in combinations(names, size):
            only = np.isin(names, part)[None, :]
            yield f"{' + '.join(part)}: shown", told(model.scores(books, shown=only), model)
            alone = classifier(problem, {name: blocks[name] for name in part}, learn, config, seed)
            yield f"{' + '.join(part)}: trained", told(alone.scores(alone.encode(asked)), alone)
    rng = np.random.default_rng(seed)
    useless = {f"{name} shuffled": {**blocks, name: shuffled(blocks[name], rng)} for name in names[1:]}
    if "cover" not in blocks:
        useless["covers of noise"] = {**blocks, "cover": noise(len(problem.y), rng)}
    for name, other in useless.items():
        spoilt = classifier(problem, other, learn, config, seed)
        found = spoilt.scores(spoilt.encode({n: b.take(judge) for n, b in other.items()}))
        yield name, told(found, spoilt)


def _decisions(model: FusionClassifier, books: Encoded) -> np.ndarray:
    """Return the machines' decisions without the networks' votes beside them."""
    kept = {names: machine.vote_weight_ for names, machine in model.machines_.items()}
    for machine in model.machines_.values():
        machine.vote_weight_ = 0.0
    found = model.scores(books)
    for names, machine in model.machines_.items():
        machine.vote_weight_ = kept[names]
    return found


def measured(probabilities: np.ndarray, truth: np.ndarray) -> Row:
    """Return the figures of one held-out fifth."""
    found = figures(probabilities, truth)
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    at = selective(confidence, correct)["at_precision"]
    return found | {f"coverage at {precision}": answers["coverage"] for precision, answers in at.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judge", type=int, default=5000, help="the most books judged by")
    parser.add_argument("--brief", action="store_true", help="ours as shipped and the peers, not our parts")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    config = Config().with_settings(options.settings)
    catalogue = read_folder(options.folder)
    problem = Problem.of(catalogue)
    blocks = FeatureExtractor(config=config).fit_transform(catalogue, rng=np.random.default_rng(0))
    texts = texts_of(catalogue)
    found: dict[str, list[Row]] = {}
    answers: list[tuple[np.ndarray, np.ndarray]] = []
    guesses: dict[str, list[np.ndarray]] = {}
    judged: list[np.ndarray] = []

    def note(name: str, row: Row, since: float) -> None:
        found.setdefault(name, []).append(row | {"seconds": time.perf_counter() - since})
        print(f"{name}: {row['accuracy']:.3f} / {row['macro_f1']:.3f}", flush=True)

    for seed in range(options.seeds):
        print(f"held-out fifth {seed + 1} of {options.seeds}", flush=True)
        learn, judge = problem.split(seed, at_most=options.judge)
        truth = problem.y[judge]
        judged.append(judge)
        for name, predict in peers(texts, blocks, problem.y, learn, judge, problem.classes).items():
            since = time.perf_counter()
            guesses.setdefault(name, []).append(predict())
            row = figures(np.eye(len(problem.classes))[guesses[name][-1]], truth)
            note(name, {key: row[key] for key in ("accuracy", "macro_f1")}, since)
        since = time.perf_counter()
        for name, probabilities in ours(problem, blocks, learn, judge, config, seed):
            note(name, measured(probabilities, truth), since)
            guesses.setdefault(name, []).append(probabilities.argmax(axis=1))
            if name == SHIPPED:
                answers.append((probabilities, truth))
                for kind, block in blocks.items():
                    if not (has := block.present[judge]).all() and has.any():
                        note(f"… of the books with {kind}", measured(probabilities[has], truth[has]), since)
                if options.brief:
                    break
            since = time.perf_counter()
    _show(options.folder.name, options.seeds, found)
    _show_differences(problem.y, np.concatenate(judged), {n: np.concatenate(g) for n, g in guesses.items()})
    _show_honesty(problem, answers)


def _show(name: str, seeds: int, found: Mapping[str, list[Row]]) -> None:
    columns = ["accuracy", "macro_f1", "top3", "calibration_error", "calibration_noise"]
    columns += ["coverage at 0.90", "coverage at 0.95", "seconds"]
    table = Table(title=f"{name}: means of {seeds} held-out fifths (± standard deviation)")
    table.add_column("method")
    for column in columns:
        table.add_column(column.replace("_", " ").replace("calibration", "calibr."), justify="right")
    for method, rows in found.items():
        cells = []
        for column in columns:
            values = [row[column] for row in rows if column in row]
            digits = 1 if column == "seconds" else 3
            spread = f" ±{np.std(values):.3f}" if column in ("accuracy", "macro_f1") else ""
            cells.append(f"{np.mean(values):.{digits}f}{spread}" if values else "")
        table.add_row(method, *cells)
    Console(width=160).print(table)


def _show_differences(y: np.ndarray, judged: np.ndarray, guesses: Mapping[str, np.ndarray]) -> None:
    """Print how far each method is from ours as shipped, and how far chance in the choice of books goes."""
    rng = np.random.default_rng(0)
    books = np.unique(judged)
    weights = [np.ones(len(judged))]  # the books as they are, then each resample
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(len(books), size=len(books)), minlength=len(books))
        weights.append(times[np.searchsorted(books, judged)].astype(float))
    ours = np.array([_weighed(y[judged], guesses[SHIPPED], w) for w in weights])
    table = Table(title="the method less ours, of all held-out books (standard error over the books)")
    table.add_column("method")
    for column in ("accuracy", "macro f1"):
        table.add_column(column, justify="right")
    for name, guess in guesses.items():
        if name != SHIPPED:
            apart = np.array([_weighed(y[judged], guess, w) for w in weights]) - ours
            table.add_row(
                name, *(f"{d:+.3f} ({e:.3f})" for d, e in zip(apart[0], apart.std(axis=0), strict=True))
            )
    Console(width=160).print(table)


def _weighed(truth: np.ndarray, guess: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return accuracy and macro-F1 of weighted books; a category without any is left out."""
    n = max(truth.max(), guess.max()) + 1
    right = np.bincount(truth, weights * (truth == guess), minlength=n)
    there, named = (np.bincount(of, weights, minlength=n) for of in (truth, guess))
    f1 = 2 * right / np.maximum(there + named, 1e-9)
    return right.sum() / weights.sum(), f1[there > 0].mean()


def _show_honesty(problem: Problem, answers: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Print what all held-out books together say of ours as shipped."""
    probabilities = np.concatenate([found for found, _ in answers])
    truth = np.concatenate([right for _, right in answers])
    pooled = figures(probabilities, truth)
    print(
        f"all held-out books together: calibration error {pooled['calibration_error']:.3f}, "
        f"chance alone would bring {pooled['calibration_noise']:.3f}"
    )
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    table = Table(title="reliability")
    for column in ("confidence", "books", "mean confidence", "accuracy"):
        table.add_column(column, justify="right")
    for row in reliability(probabilities.max(axis=1), correct):
        table.add_row(
            f"{row['from']:.2f}-{row['to']:.2f}", str(row["books"]), f"{row['confidence']:.3f}",
            f"{row['accuracy']:.3f}",
        )  # fmt: skip
    Console().print(table)
    curve = selective(probabilities.max(axis=1), correct)["curve"]
    print("coverage: accuracy " + ", ".join(f"{c:.2f}: {a:.3f}" for c, a in curve))
    if problem.parents:
        levels = by_level(probabilities, truth, classes=problem.classes, parents=problem.parents)
        print("accuracy by level of the tree: " + ", ".join(f"{a:.3f}" for a in levels))


if __name__ == "__main__":
    main()
