"""Compare the classifier with plain linear machines on libraries with few categorised books.

    python tests/benchmarks/learning_curve.py FOLDER [--sizes 75,150,300,600] [--draws 3] [--fields
    title,authors]
        [--categories 20] [--no-loans] [--set part.name=value]

FOLDER is in the import format (books.csv.gz, loans.csv.gz, covers/). For each size and draw, that many
random categorised books are learned from and others are predicted; both are the whole catalogue.
``--fields`` keeps only these text fields, ``--categories`` only the largest categories. All machines are
linear support vector machines on TF-IDF, balanced where it says so; vectors are those of the sentence
encoder. The table has means over the draws, with the standard error of the difference from ours. Takes a
minute for each size and draw on two cores.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from folders import read_folder
from peers import texts_of
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.extractor import Blocks, FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable

FIELDS = ("title", "subtitle", "authors", "publisher", "description")
OURS = "ours"
Metrics = tuple[float, float]


def small_library(
    catalogue: Catalogue, *, size: int, n_test: int, rng: np.random.Generator
) -> tuple[Catalogue, np.ndarray, np.ndarray]:
    """Return a catalogue of `size` books to learn from and others to predict, its categories, and who is who.

    Returns
    -------
    Catalogue
    y : (n_books,)
    is_test : (n_books,)
    """
    order = rng.permutation(len(catalogue.books))
    train, test = order[:size], order[size : size + n_test]
    known = sorted({catalogue.books[i].category or "" for i in train})
    index = {name: i for i, name in enumerate(known)}
    test = np.array([i for i in test if catalogue.books[i].category in index], int)
    books = [catalogue.books[i] for i in (*train, *test)]
    y = np.array([index[book.category or ""] for book in books])
    return replace(catalogue, books=books), y, np.arange(len(books)) >= len(train)


def baselines(
    texts: Sequence[str], blocks: Blocks, is_test: np.ndarray
) -> Iterator[tuple[str, sp.csr_matrix]]:
    """Yield features of all books by name; vocabularies are those of the training books."""
    train = [text for text, test in zip(texts, is_test.tolist(), strict=True) if not test]

    def terms(**options: object) -> sp.csr_matrix:
        return TfidfVectorizer(sublinear_tf=True, **options).fit(train).transform(texts)

    words = terms(token_pattern=r"\S+")
    characters = terms(analyzer="char_wb", ngram_range=(2, 5))
    pairs = terms(token_pattern=r"\S+", ngram_range=(2, 2))
    dense = {
        name: sp.csr_matrix(normalize(block.values))
        for name, block in blocks.items()
        if block.spec.kind == "vector"
    }
    plain = {
        "words": words,
        "words + characters": sp.hstack([words, characters]).tocsr(),
        "characters 1-2": terms(analyzer="char", ngram_range=(1, 2)),
        "words + characters + pairs": sp.hstack([words, characters, pairs]).tocsr(),
    }
    yield from plain.items()
    if "sentence" in dense:
        yield "vectors", dense["sentence"]
        for name, features in plain.items():
            yield f"{name} + vectors", sp.hstack([features, dense["sentence"]]).tocsr()
    if set(dense) - {"sentence"}:
        yield "everything", sp.hstack([*plain.values(), *dense.values()]).tocsr()


def measured(predicted: np.ndarray, truth: np.ndarray) -> Metrics:
    """Return accuracy and macro-F1."""
    macro = f1_score(truth, predicted, average="macro", zero_division=0)
    return float((predicted == truth).mean()), float(macro)


def methods(
    catalogue: Catalogue, y: np.ndarray, is_test: np.ndarray, *, config: Config, cache: FeatureCache
) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Yield each method's name and a function that returns its predictions for the test books."""
    extractor = FeatureExtractor(config=config, cache=cache)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
    learned = np.where(is_test, -1, y)

    def ours() -> np.ndarray:
        model = FusionClassifier(config=config, seed=0).fit(blocks, learned, n_classes=y.max() + 1)
        test_blocks = {name: block.take(is_test) for name, block in blocks.items()}
        return model.predict_proba(test_blocks).argmax(axis=1)

    yield OURS, ours
    for name, features in baselines(texts_of(catalogue), blocks, is_test):
        for balanced in (None, "balanced"):
            machine = LinearSVC(class_weight=balanced)
            yield (
                f"{name}, balanced" if balanced else name,
                lambda X=features, machine=machine: machine.fit(X[~is_test], y[~is_test]).predict(X[is_test]),
            )


def stripped(book: BookRecord, fields: Sequence[str]) -> BookRecord:
    """Return the book with only these text fields."""
    return replace(book, **{field: "" for field in FIELDS if field not in fields})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="75,150,300,600")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--test-books", type=int, default=1500)
    parser.add_argument("--fields", default=",".join(FIELDS))
    parser.add_argument("--categories", type=int, help="keep only the largest")
    parser.add_argument("--no-loans", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    config, cache = Config().with_settings(options.settings), FeatureCache()
    catalogue = read_folder(options.folder)
    books = [stripped(book, options.fields.split(",")) for book in catalogue.books if book.category]
    largest = dict(Counter(book.category for book in books).most_common(options.categories))
    books = [book for book in books if book.category in largest]
    loans = LoanTable() if options.no_loans else catalogue.loans
    results: dict[str, dict[int, list[Metrics]]] = {}
    sizes = [int(size) for size in options.sizes.split(",")]
    for size in sizes:
        for draw in range(options.draws):
            print(f"{size} books, draw {draw + 1} of {options.draws}", flush=True)
            library, y, is_test = small_library(
                Catalogue(books=books, loans=loans, parents=catalogue.parents),
                size=size,
                n_test=options.test_books,
                rng=np.random.default_rng(draw),
            )
            for name, predict in methods(library, y, is_test, config=config, cache=cache):
                results.setdefault(name, {}).setdefault(size, []).append(measured(predict(), y[is_test]))
    table = Table(title=f"{options.folder.name}: accuracy / macro-F1 (difference from ours ± standard error)")
    table.add_column("method")
    for size in sizes:
        table.add_column(f"{size} books", justify="right")
    for name, by_size in results.items():
        table.add_row(name, *(_cell(by_size[size], results[OURS][size]) for size in sizes))
    Console(width=40 + 45 * len(sizes)).print(table)


def _cell(rows: Sequence[Metrics], ours: Sequence[Metrics]) -> str:
    means = " / ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
    if rows is ours:
        return means
    apart = np.array(rows) - np.array(ours)  # (n_draws, 2)
    errors = apart.std(axis=0, ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else np.zeros(2)
    differences = " / ".join(f"{d:+.3f} ± {e:.3f}" for d, e in zip(apart.mean(axis=0), errors, strict=True))
    return f"{means} ({differences})"


if __name__ == "__main__":
    main()
