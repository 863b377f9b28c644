"""How many reviews it takes: our order against a random one and plain least confidence.

    python tests/benchmarks/reviews.py FOLDER [--start 300] [--step 200] [--rounds 5] [--seeds 3]
        [--orders random,least,codes] [--picture reviews.svg] [--pool 4000]

FOLDER is in the import format (books.csv.gz, loans.csv.gz). A fifth of the categorised books is held out. Of
the others, a few are categorised at the start; then the categories of `step` more are told in each round,
those that stand first in each order, and a new model is trained. Printed are, means over the seeds, the
accuracy on the held-out books, the same weighted by loans, and how much of the loans of the other books is of
titles filed rightly if the reviewed ones are and the rest are filed as suggested. Then, how many reviews each
step of these took.

Orders: `random`; `least`, the least confident first; `use`, the same times the weight of the loans; and ours,
by what books are compared with: `codes` (the networks' hidden units, as shipped), `votes` (their
probabilities), `both`. `codes@0.8@0.25` takes books for alike from a cosine of 0.8 on and raises how many an
answer settles to the power of 0.25; `codes-flat` leaves the loans out.
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

from classifier.pipeline.active_learning import ALIKE, POOL, REACH, review_order
from classifier.pipeline.config import Config
from classifier.pipeline.features.base import Block
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded

FIGURES = ("accuracy", "loan-weighted accuracy", "loans of titles filed rightly")
Seen = Callable[[FusionClassifier, Encoded], np.ndarray]


def votes(model: FusionClassifier, books: Encoded) -> np.ndarray:
    return np.exp(model.votes(books)[:, 0] / 2)


def codes(model: FusionClassifier, books: Encoded) -> np.ndarray:
    parts = [np.concatenate(list(code.values()), axis=1) for code in books.codes]
    return np.concatenate(parts, axis=1)


def both(model: FusionClassifier, books: Encoded) -> np.ndarray:
    parts = [see(model, books) for see in (votes, codes)]
    return np.concatenate([p / np.linalg.norm(p, axis=1, keepdims=True).clip(1e-9) for p in parts], axis=1)


SEEN: dict[str, Seen] = {"votes": votes, "codes": codes, "both": both}


class Library:
    """A data set that a librarian who knows all answers works through."""

    def __init__(self, folder: Path, config: Config) -> None:
        catalogue = read_folder(folder)
        self.config = config
        self.problem = Problem.of(catalogue)
        self.blocks = FeatureExtractor(config=config).fit_transform(catalogue, rng=np.random.default_rng(0))
        loans = np.bincount(catalogue.loans.book, minlength=len(catalogue.books))
        # As the services weigh them: `classifier.services.review.queue`.
        self.use = 1 + np.log1p(loans)

    def trained(self, known: np.ndarray, seed: int) -> FusionClassifier:
        model = classifier(self.problem, self.blocks, known, self.config, seed)
        model.temperature_ = model.expected_  # held-out books are for judging here
        return model

    def of(self, rows: np.ndarray) -> Mapping[str, Block]:
        return {name: block.take(rows) for name, block in self.blocks.items()}

    def right(self, model: FusionClassifier, rows: np.ndarray) -> np.ndarray:
        return model.predict_proba(self.of(rows)).argmax(axis=1) == self.problem.y[rows]


def picked(
    order: str, library: Library, model: FusionClassifier, pool: np.ndarray, step: int, rng, options
) -> np.ndarray:
    """Return the rows of `pool` that are reviewed next."""
    if order == "random":
        return rng.permutation(len(pool))[:step]
    books = model.encode(library.of(pool))
    wrong = 1 - model.temperature_.probabilities(model.scores(books)).max(axis=1)
    use = library.use[pool] if order == "use" or not order.endswith("-flat") else np.ones(len(pool))
    if order == "least":
        return np.argsort(-wrong, kind="stable")[:step]
    if order == "use":
        return np.argsort(-wrong * use, kind="stable")[:step]
    name, alike, reach = (*order.removesuffix("-flat").split("@"), ALIKE, REACH)[:3]
    see, bounds = SEEN[name], {"pool": options.pool, "alike": float(alike), "reach": float(reach)}
    return review_order(wrong, use, lambda rows: see(model, books.take(rows)), n=step, **bounds)[0][:step]


def simulated(library: Library, orders: list[str], seed: int, options) -> dict[str, np.ndarray]:
    """Return the figures of each order, (rounds + 1, figures)."""
    learn, judge = library.problem.split(seed, at_most=options.judge)
    learn = np.random.default_rng(seed).permutation(learn)
    found = {}
    # The first model is the same for all.
    first = library.trained(learn[: options.start], seed)
    for order in orders:
        known, model = learn[: options.start], first
        rng = np.random.default_rng(seed)
        rows = []
        for round_ in range(options.rounds + 1):
            if round_:
                pool = np.setdiff1d(learn, known)
                known = np.append(
                    known, pool[picked(order, library, model, pool, options.step, rng, options)]
                )
                model = library.trained(known, seed)
            right, use = library.right(model, judge), library.use[judge]
            of_all = library.right(model, learn) | np.isin(learn, known)
            rows.append([right.mean(), np.average(right, weights=use),
                         np.average(of_all, weights=library.use[learn])])  # fmt: skip
        found[order] = np.array(rows)
        print(f"seed {seed}, {order}: " + " ".join(f"{row[0]:.3f}/{row[1]:.3f}/{row[2]:.3f}" for row in rows),
              flush=True)  # fmt: skip
    return found


def reviews_to(curve: np.ndarray, wanted: float, counts: np.ndarray) -> str:
    """Return after how many reviews a figure is reached for good, between rounds by a straight line."""
    below = np.flatnonzero(curve < wanted)
    if not len(below):
        return "0"
    if below[-1] == len(curve) - 1:
        return "-"
    after = below[-1] + 1
    share = (wanted - curve[after - 1]) / (curve[after] - curve[after - 1])
    return f"{counts[after - 1] + share * (counts[after] - counts[after - 1]):.0f}"


def show(name: str, counts: np.ndarray, found: Mapping[str, np.ndarray]) -> None:
    """Print the curves, (seeds, rounds, figures), and how many reviews each step of a figure took."""
    for number, figure in enumerate(FIGURES):
        table = Table(title=f"{name}: {figure} after so many reviews (± standard deviation between seeds)")
        table.add_column("order")
        for count in counts:
            table.add_column(str(count), justify="right")
        for order, curves in found.items():
            mean, spread = curves[..., number].mean(axis=0), curves[..., number].std(axis=0)
            table.add_row(order, *(f"{m:.3f} ±{s:.3f}" for m, s in zip(mean, spread, strict=True)))
        Console(width=120).print(table)
        means = {order: curves[..., number].mean(axis=0) for order, curves in found.items()}
        low, high = min(m[0] for m in means.values()), max(m.max() for m in means.values())
        wanted = np.arange(np.ceil(low * 50) / 50, high, 0.02)
        table = Table(title=f"{name}: reviews until {figure}")
        table.add_column("order")
        for value in wanted:
            table.add_column(f"{value:.2f}", justify="right")
        for order, mean in means.items():
            table.add_row(order, *(reviews_to(mean, value, counts) for value in wanted))
        Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=int, default=300, help="books categorised at the start")
    parser.add_argument("--step", type=int, default=200, help="reviews a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--judge", type=int, default=5000, help="the most books judged by")
    parser.add_argument("--orders", default="random,least,codes")
    parser.add_argument("--pool", type=int, default=POOL)
    parser.add_argument("--picture", type=Path, help="draw the curves into this SVG file")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    library = Library(options.folder, Config().with_settings(options.settings))
    orders = options.orders.split(",")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    runs = [simulated(library, orders, seed, options) for seed in seeds]
    found = {order: np.array([run[order] for run in runs]) for order in orders}
    counts = np.arange(options.rounds + 1) * options.step
    show(options.folder.name, counts, found)
    if options.picture:
        panels = {
            figure: {order: curves[..., number].mean(axis=0) for order, curves in found.items()}
            for number, figure in enumerate(FIGURES)
        }
        options.picture.write_text(draw(counts, panels, title=options.folder.name), encoding="utf-8")


if __name__ == "__main__":
    main()
