"""Measure training and classification, relative to TF-IDF and a linear SVM.

    python tests/benchmarks/speed.py FOLDER [--sizes 600 5000 15000 1000000] [--set part.name=value]

FOLDER is in the import format. For each size, the peer (words, scikit-learn's TfidfVectorizer and LinearSVC,
as in Annif's svc) and the classifier as shipped train on so many of the categorised books; ours also computes
its metrics on held-out books. The features are in the cache by then, as before every training but the first.
Then the largest model classifies every uncategorised book. Each step runs in a separate process, so that its
memory can be measured. Needs an idle machine; `busy.py` shows the effect of other work.
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

_SINGLE_BOOKS = 50  # classified one by one


def training_books(folder: Path, size: int) -> Catalogue:
    """Return so many categorised books of a folder, sampled with a fixed seed."""
    catalogue = read_folder(folder)
    books = [book for book in catalogue.books if book.category]
    order = np.random.default_rng(0).permutation(len(books))[:size]
    return replace(catalogue, books=[books[i] for i in order])


def new_books(folder: Path) -> list[BookRecord]:
    """Return the uncategorised books of a folder; if it has none, some categorised ones."""
    books = read_folder(folder).books
    return [book for book in books if not book.category] or list(books[:5000])


def peer(folder: Path, size: int) -> dict[str, float]:
    """Train the peer and classify with it."""
    catalogue = training_books(folder, size)
    new = Catalogue(books=new_books(folder))
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
    """Train the classifier as shipped, compute features with and without the cache, and save the model."""
    catalogue = training_books(folder, size)
    with tempfile.TemporaryDirectory() as name:
        cache = FeatureCache(Path(name) / "features.sqlite3")

        def extract() -> float:
            start = time.perf_counter()
            extractor = FeatureExtractor(config=config, cache=cache)
            extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
            return time.perf_counter() - start

        plain, cached = extract(), extract()
        start = time.perf_counter()
        training = train(catalogue, config=config, seed=0, cache=cache)
        trained = time.perf_counter() - start
    save_model(training.model, model)
    return {
        "train": trained,
        "features": plain,
        "features from cache": cached,
        "books": len(catalogue.books),
        "accuracy": training.metrics["fused"]["accuracy"],
    }


def classify(folder: Path, model: Path) -> dict[str, float]:
    """Classify with a saved model: all books, some with evidence, and single books in a warm process."""
    loaded = load_model(model)
    loans = read_folder(folder).loans
    books = new_books(folder)
    new = Catalogue(books=books, loans=loans)
    start = time.perf_counter()
    loaded.suggest(new)
    plain = time.perf_counter()
    sample = replace(new, books=books[:5000])
    loaded.explain(sample)
    explained = time.perf_counter()
    single, single_explained = [], []
    for book in books[:_SINGLE_BOOKS]:
        record = replace(new, books=[book])
        before = time.perf_counter()
        loaded.suggest(record)
        between = time.perf_counter()
        loaded.explain(record)
        single.append(between - before)
        single_explained.append(time.perf_counter() - between)
    return {
        "classify": len(books) / (plain - start),
        "explain": len(sample.books) / (explained - plain),
        "single": float(np.median(single)) * 1000,
        "single explained": float(np.median(single_explained)) * 1000,
    }


def run_step(*arguments: str) -> dict[str, float]:
    """Run one step in a separate process; return its results with its peak memory in GB."""
    completed = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False
    )
    if completed.returncode:
        sys.exit(completed.stderr)
    results: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
    print(arguments[0], arguments[2:3], {key: round(value, 3) for key, value in results.items()}, flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", nargs="?", default="all", choices=["all", "peer", "ours", "classify"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[600, 5_000, 15_000, 1_000_000])
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
        "classify": lambda: classify(folder, options.model),
    }
    results = steps[options.step]()
    results["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(results))


def compare(folder: Path, sizes: list[int], settings: list[str]) -> None:
    """Run every step and print the ratios."""
    table = Table(title=f"{folder.name}: training")
    for column in (
        "books",
        "peer s",
        "ours s",
        "ratio",
        "ms per book",
        "features s",
        "cached s",
        "memory GB",
    ):
        table.add_column(column, justify="right")
    overrides = [part for setting in settings for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "model"
        for size in sizes:
            model = Path(name) / str(size)
            baseline = run_step("peer", str(folder), "--sizes", str(size))
            own = run_step("ours", str(folder), "--sizes", str(size), "--model", str(model), *overrides)
            table.add_row(
                f"{own['books']:,.0f}", f"{baseline['train']:.1f}", f"{own['train']:.1f}",
                f"{own['train'] / baseline['train']:.2f}", f"{own['train'] / own['books'] * 1000:.2f}",
                f"{own['features']:.1f}", f"{own['features from cache']:.1f}", f"{own['memory']:.1f}",
            )  # fmt: skip
        speed = run_step("classify", str(folder), "--model", str(model))
    Console().print(table)
    print(
        f"classifying: peer {baseline['classify']:,.0f} records per second, ours {speed['classify']:,.0f} "
        f"({speed['classify'] / baseline['classify']:.1f} x), with evidence {speed['explain']:,.0f}; "
        f"one book in a warm process {speed['single']:.1f} ms, "
        f"with evidence {speed['single explained']:.1f} ms"
    )


if __name__ == "__main__":
    main()
