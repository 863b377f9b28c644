"""What training and classifying cost beside TF-IDF and a linear SVM, in one run.

    python tests/benchmarks/speed.py FOLDER [--sizes 5000 15000 100000] [--set part.name=value]

FOLDER is in the import format. For each size, so many of the categorised books are trained on: by the peer
(words, scikit-learn's TfidfVectorizer and LinearSVC: what Annif's svc does) and by ours as shipped, figures,
held-out books and all. Then the largest model classifies every book without a category. Each step runs in a
process of its own, so that its memory is its own. Run by hand, on an idle machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from folders import read_folder
from peers import texts_of
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.training.train import train

_ALONE = 50  # books classified one by one


def learned(folder: Path, size: int) -> Catalogue:
    """Return so many categorised books of a folder, drawn from a fixed seed."""
    catalogue = read_folder(folder)
    books = [book for book in catalogue.books if book.category]
    order = np.random.default_rng(0).permutation(len(books))[:size]
    return replace(catalogue, books=[books[i] for i in order])


def asked(folder: Path) -> list[BookRecord]:
    """Return the books without a category; where there are too few, some that have one."""
    books = read_folder(folder).books
    return [book for book in books if not book.category] or list(books[:5000])


def peer(folder: Path, size: int) -> dict[str, float]:
    """Train the peer and let it classify."""
    catalogue = learned(folder, size)
    new = Catalogue(books=asked(folder))
    start = time.perf_counter()
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"\S+")
    features = vectorizer.fit_transform(texts_of(catalogue))
    machine = LinearSVC().fit(features, [book.category for book in catalogue.books])
    trained = time.perf_counter()
    machine.predict(vectorizer.transform(texts_of(new)))
    return {
        "train": trained - start,
        "classify": len(new.books) / (time.perf_counter() - trained),
        "books": len(catalogue.books),
    }


def ours(folder: Path, size: int, config: Config, model: Path) -> dict[str, float]:
    """Train ours as shipped, twice with the same cache of features, and store it."""
    catalogue = learned(folder, size)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        cache = FeatureCache(Path(name) / "features.sqlite3")
        training = train(catalogue, config=config, seed=0, cache=cache)
        trained = time.perf_counter()
        FeatureExtractor(config=config, cache=cache).fit_transform(catalogue, rng=np.random.default_rng(0))
        cached = time.perf_counter()
        FeatureExtractor(config=config).fit_transform(catalogue, rng=np.random.default_rng(0))
        plain = time.perf_counter()
    save_model(training.model, model)
    return {
        "train": trained - start,
        "features": plain - cached,
        "features from cache": cached - trained,
        "books": len(catalogue.books),
        "accuracy": training.figures["fused"]["accuracy"],
    }


def answers(folder: Path, model: Path) -> dict[str, float]:
    """Classify with a stored model: all books, the same with evidence, and some alone in a warm process."""
    loaded = load_model(model)
    loans = read_folder(folder).loans
    books = asked(folder)
    new = Catalogue(books=books, loans=loans)
    start = time.perf_counter()
    loaded.suggest(new)
    plain = time.perf_counter()
    some = replace(new, books=books[:5000])
    loaded.explain(some)
    explained = time.perf_counter()
    alone, with_reasons = [], []
    for book in books[:_ALONE]:
        one = replace(new, books=[book])
        before = time.perf_counter()
        loaded.suggest(one)
        between = time.perf_counter()
        loaded.explain(one)
        alone.append(between - before)
        with_reasons.append(time.perf_counter() - between)
    return {
        "classify": len(books) / (plain - start),
        "explain": len(some.books) / (explained - plain),
        "one": float(np.median(alone)) * 1000,
        "one explained": float(np.median(with_reasons)) * 1000,
    }


def apart(*arguments: str) -> dict[str, float]:
    """Run one step in a process of its own; its peak memory in GB comes with what it says."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(arguments[0], arguments[2:3], {key: round(value, 3) for key, value in found.items()}, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", nargs="?", default="all", choices=["all", "peer", "ours", "answers"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 15_000, 1_000_000])
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    config = Config().with_settings(options.settings)
    if options.step == "all":
        compare(options.folder, options.sizes, options.settings)
        return
    size, folder = options.sizes[0], options.folder
    steps: dict[str, Any] = {
        "peer": lambda: peer(folder, size),
        "ours": lambda: ours(folder, size, config, options.model),
        "answers": lambda: answers(folder, options.model),
    }
    found = steps[options.step]()
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(found))


def compare(folder: Path, sizes: list[int], settings: list[str]) -> None:
    """Run every step and print the ratios."""
    table = Table(title=f"{folder.name}: training")
    for column in ("books", "peer s", "ours s", "ratio", "ms a book", "features s", "cached s", "memory GB"):
        table.add_column(column, justify="right")
    extra = [part for setting in settings for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "model"
        for size in sizes:
            model = Path(name) / str(size)
            other = apart("peer", str(folder), "--sizes", str(size))
            own = apart("ours", str(folder), "--sizes", str(size), "--model", str(model), *extra)
            table.add_row(
                f"{own['books']:,.0f}", f"{other['train']:.1f}", f"{own['train']:.1f}",
                f"{own['train'] / other['train']:.2f}", f"{own['train'] / own['books'] * 1000:.2f}",
                f"{own['features']:.1f}", f"{own['features from cache']:.1f}", f"{own['memory']:.1f}",
            )  # fmt: skip
        said = apart("answers", str(folder), "--model", str(model))
    Console().print(table)
    print(
        f"classifying: peer {other['classify']:,.0f} records a second, ours {said['classify']:,.0f} "
        f"({said['classify'] / other['classify']:.1f} x), with evidence {said['explain']:,.0f}; one book in "
        f"a warm process {said['one']:.1f} ms, with evidence {said['one explained']:.1f} ms"
    )


if __name__ == "__main__":
    main()
