"""Simulate reviews: our review order against a random order and least confidence.

    python tests/benchmarks/reviews.py FOLDER [--start 300] [--step 200] [--rounds 5] [--seeds 3]
        [--orders random,least,codes] [--picture reviews.svg] [--pool 4000]

FOLDER is in the import format (books.csv.gz, loans.csv.gz). A fifth of the categorised books is held out. A
few of the others are categorised at the start. In each round the categories of the first `step` books of each
order are revealed, and a new model is trained. Prints means over the seeds: the accuracy on the held-out
books, the same weighted by loans, and the share of the loans of the other books that is of correctly filed
titles, if the reviewed books are filed correctly and the rest as suggested. Then prints the number of reviews
that each step of these metrics took.

Orders: `random`; `least`, least confidence first; `use`, least confidence times the weight of the loans; and
ours, by the representation in which books are compared: `codes` (the networks' hidden units, as shipped),
`votes` (their probabilities), `both`. In `codes@0.8@0.25` books are similar from a cosine of 0.8, and the
number of similar books counts to the power of 0.25; `codes-flat` ignores the loans.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from accuracy import classifier
from curves import draw
from folders import Problem, read_folder
from rich.console import Console
from rich.table import Table

from classifier.pipeline.active_learning import DENSITY_POWER, MIN_SIMILARITY, POOL_SIZE, rank_for_review
from classifier.pipeline.config import Config
from classifier.pipeline.features.base import Block
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded

METRICS = ("accuracy", "loan-weighted accuracy", "loans of correctly filed titles")
Representation = Callable[[FusionClassifier, Encoded], np.ndarray]


def votes(model: FusionClassifier, books: Encoded) -> np.ndarray:
    return np.exp(model.votes(books)[:, 0] / 2)


def codes(model: FusionClassifier, books: Encoded) -> np.ndarray:
    parts = [np.concatenate(list(code.values()), axis=1) for code in books.codes]
    return np.concatenate(parts, axis=1)


def both(model: FusionClassifier, books: Encoded) -> np.ndarray:
    parts = [represent(model, books) for represent in (votes, codes)]
    return np.concatenate([p / np.linalg.norm(p, axis=1, keepdims=True).clip(1e-9) for p in parts], axis=1)


REPRESENTATIONS: dict[str, Representation] = {"votes": votes, "codes": codes, "both": both}


class Library:
    """A data set with a simulated librarian who knows all categories."""

    def __init__(self, folder: Path, config: Config) -> None:
        catalogue = read_folder(folder)
        self.config = config
        self.problem = Problem.of(catalogue)
        self.blocks = FeatureExtractor(config=config).fit_transform(catalogue, rng=np.random.default_rng(0))
        loans = np.bincount(catalogue.loans.book, minlength=len(catalogue.books))
        # As in `classifier.services.review.queue`.
        self.use = 1 + np.log1p(loans)

    def train(self, known: np.ndarray, seed: int) -> FusionClassifier:
        model = classifier(self.problem, self.blocks, known, self.config, seed)
        model.temperature_ = model.expected_temperature_  # held-out books are test books here
        return model

    def blocks_of(self, rows: np.ndarray) -> Mapping[str, Block]:
        return {name: block.take(rows) for name, block in self.blocks.items()}

    def is_correct(self, model: FusionClassifier, rows: np.ndarray) -> np.ndarray:
        return model.predict_proba(self.blocks_of(rows)).argmax(axis=1) == self.problem.y[rows]


def select_books(
    order: str, library: Library, model: FusionClassifier, pool: np.ndarray, step: int, rng, options
) -> np.ndarray:
    """Return the positions in `pool` of the books that are reviewed next."""
    if order == "random":
        return rng.permutation(len(pool))[:step]
    books = model.encode(library.blocks_of(pool))
    uncertainty = 1 - model.temperature_.probabilities(model.scores(books)).max(axis=1)
    use = library.use[pool] if order == "use" or not order.endswith("-flat") else np.ones(len(pool))
    if order == "least":
        return np.argsort(-uncertainty, kind="stable")[:step]
    if order == "use":
        return np.argsort(-uncertainty * use, kind="stable")[:step]
    name, similarity, power = (*order.removesuffix("-flat").split("@"), MIN_SIMILARITY, DENSITY_POWER)[:3]
    represent = REPRESENTATIONS[name]
    ranked = rank_for_review(
        uncertainty,
        use,
        lambda rows: represent(model, books.take(rows)),
        limit=step,
        pool_size=options.pool,
        min_similarity=float(similarity),
        density_power=float(power),
    )
    return ranked[0][:step]


def simulate(library: Library, orders: list[str], seed: int, options) -> dict[str, np.ndarray]:
    """Return the metrics of each order, (rounds + 1, metrics)."""
    train, test = library.problem.split(seed, at_most=options.max_test_books)
    train = np.random.default_rng(seed).permutation(train)
    curves = {}
    # All orders start with the same model.
    first = library.train(train[: options.start], seed)
    for order in orders:
        known, model = train[: options.start], first
        rng = np.random.default_rng(seed)
        rows = []
        for round_ in range(options.rounds + 1):
            if round_:
                pool = np.setdiff1d(train, known)
                known = np.append(
                    known, pool[select_books(order, library, model, pool, options.step, rng, options)]
                )
                model = library.train(known, seed)
            correct, use = library.is_correct(model, test), library.use[test]
            filed_correctly = library.is_correct(model, train) | np.isin(train, known)
            rows.append([correct.mean(), np.average(correct, weights=use),
                         np.average(filed_correctly, weights=library.use[train])])  # fmt: skip
        curves[order] = np.array(rows)
        print(f"seed {seed}, {order}: " + " ".join(f"{row[0]:.3f}/{row[1]:.3f}/{row[2]:.3f}" for row in rows),
              flush=True)  # fmt: skip
    return curves


def reviews_to(curve: np.ndarray, target: float, counts: np.ndarray) -> str:
    """Return the number of reviews after which a metric stays above a target, interpolated between rounds."""
    below = np.flatnonzero(curve < target)
    if not len(below):
        return "0"
    if below[-1] == len(curve) - 1:
        return "-"
    after = below[-1] + 1
    fraction = (target - curve[after - 1]) / (curve[after] - curve[after - 1])
    return f"{counts[after - 1] + fraction * (counts[after] - counts[after - 1]):.0f}"


def show(name: str, counts: np.ndarray, curves_by_order: Mapping[str, np.ndarray]) -> None:
    """Print the curves, (seeds, rounds, metrics), and the number of reviews until each step of a metric."""
    for number, metric in enumerate(METRICS):
        table = Table(title=f"{name}: {metric} by number of reviews (± standard deviation over seeds)")
        table.add_column("order")
        for count in counts:
            table.add_column(str(count), justify="right")
        for order, curves in curves_by_order.items():
            mean, spread = curves[..., number].mean(axis=0), curves[..., number].std(axis=0)
            table.add_row(order, *(f"{m:.3f} ±{s:.3f}" for m, s in zip(mean, spread, strict=True)))
        Console(width=120).print(table)
        means = {order: curves[..., number].mean(axis=0) for order, curves in curves_by_order.items()}
        low, high = min(m[0] for m in means.values()), max(m.max() for m in means.values())
        targets = np.arange(np.ceil(low * 50) / 50, high, 0.02)
        table = Table(title=f"{name}: reviews until {metric}")
        table.add_column("order")
        for value in targets:
            table.add_column(f"{value:.2f}", justify="right")
        for order, mean in means.items():
            table.add_row(order, *(reviews_to(mean, value, counts) for value in targets))
        Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=int, default=300, help="books categorised at the start")
    parser.add_argument("--step", type=int, default=200, help="reviews in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--max-test-books", type=int, default=5000, help="test books for each seed, at most")
    parser.add_argument("--orders", default="random,least,codes")
    parser.add_argument("--pool", type=int, default=POOL_SIZE)
    parser.add_argument("--picture", type=Path, help="draw the curves into this SVG file")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    library = Library(options.folder, Config().with_settings(options.settings))
    orders = options.orders.split(",")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    runs = [simulate(library, orders, seed, options) for seed in seeds]
    curves = {order: np.array([run[order] for run in runs]) for order in orders}
    counts = np.arange(options.rounds + 1) * options.step
    show(options.folder.name, counts, curves)
    if options.picture:
        panels = {
            metric: {order: values[..., number].mean(axis=0) for order, values in curves.items()}
            for number, metric in enumerate(METRICS)
        }
        options.picture.write_text(draw(counts, panels, title=options.folder.name), encoding="utf-8")


if __name__ == "__main__":
    main()
