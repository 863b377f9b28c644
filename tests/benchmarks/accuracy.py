"""Accuracy side by side: ours, each of our modalities alone, and the linear machines of others.

    python tests/benchmarks/accuracy.py FOLDER [--seeds 3] [--by-author] [--set part.name=value]

FOLDER is in the import format (books.csv.gz, loans.csv.gz, covers/). A fifth of the categorised books is held
out, all methods learn from the same rest, and the table gives means over the seeds. Chinese is segmented by
jieba for everyone. Run by hand: minutes on two cores.
"""

import argparse
import csv
import gzip
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from rich.console import Console
from rich.table import Table
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from classifier.pipeline.config import Config
from classifier.pipeline.features import FeatureExtractor
from classifier.pipeline.fusion import FusionClassifier
from classifier.pipeline.modalities.loans import book_borrower_matrix
from classifier.pipeline.modalities.text import clean, words
from classifier.pipeline.modality import Block
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable

Predict = Callable[[], np.ndarray]


def read_folder(folder: Path) -> Catalogue:
    """Return a folder in the import format as a catalogue."""
    with gzip.open(folder / "books.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts = ("id", "title", "authors", "publisher", "language", "description")
    books = [
        BookRecord(
            **{name: row[name] for name in texts},
            cover=folder / "covers" / row["cover"] if row["cover"] else None,
            category=row["category"] or None,
        )
        for row in rows
    ]
    return Catalogue(books=books, loans=_read_loans(folder / "loans.csv.gz", [book.id for book in books]))


def _read_loans(path: Path, ids: list[str]) -> LoanTable:
    if not path.exists():
        return LoanTable()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    index = {book: i for i, book in enumerate(ids)}
    people: dict[str, int] = {}
    return LoanTable(
        book_ids=ids,
        book=np.array([index[row["book"]] for row in rows], np.int32),
        borrower=np.array([people.setdefault(row["borrower"], len(people)) for row in rows], np.int32),
        borrowed_at=np.zeros(len(rows), np.int64),
    )


def split(catalogue: Catalogue, seed: int, *, by_author: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the books to learn from and the fifth held out; by author, no author is in both."""
    rng = np.random.default_rng(seed)
    labelled = np.array([i for i, book in enumerate(catalogue.books) if book.category])
    if not by_author:
        shuffled = rng.permutation(labelled)
        return shuffled[len(labelled) // 5 :], shuffled[: len(labelled) // 5]
    authors = np.array([catalogue.books[i].authors for i in labelled])
    names = rng.permutation(np.unique(authors))
    out = np.isin(authors, names[: len(names) // 5])
    return labelled[~out], labelled[out]


def peers(catalogue: Catalogue, y: np.ndarray, learn: np.ndarray, judge: np.ndarray) -> dict[str, Predict]:
    """Return the linear support vector machines a library could pick instead, by name."""
    texts = [
        " ".join(words(clean(f"{b.title} {b.authors} {b.publisher} {b.description}")))
        for b in catalogue.books
    ]

    def terms(**options: object) -> sp.csr_matrix:
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, **options)
        vectorizer.fit([texts[i] for i in learn])
        return vectorizer.transform(texts)

    def machine(features: sp.csr_matrix) -> np.ndarray:
        return LinearSVC().fit(features[learn], y[learn]).predict(features[judge])

    def all_terms() -> sp.csr_matrix:
        return sp.hstack([terms(token_pattern=r"\S+"), terms(analyzer="char_wb", ngram_range=(3, 5))]).tocsr()

    def loans() -> sp.csr_matrix:
        matrix = book_borrower_matrix(catalogue.loans)
        return sp.csr_matrix(normalize(TruncatedSVD(64, random_state=0).fit_transform(matrix)))

    table: dict[str, Predict] = {
        "majority": lambda: np.full(len(judge), np.bincount(y[learn]).argmax()),
        "TF-IDF words, linear SVM": lambda: machine(terms(token_pattern=r"\S+")),
        "words + characters, linear SVM": lambda: machine(all_terms()),
    }
    if len(catalogue.loans):
        table["words + characters + loans, linear SVM"] = lambda: machine(
            sp.hstack([all_terms(), loans()]).tocsr()
        )
    return table


def ours(
    blocks: dict[str, Block], y: np.ndarray, learn: np.ndarray, judge: np.ndarray, config: Config, seed: int
) -> dict[str, Predict]:
    """Return our classifier on all modalities, and on each alone."""

    def classify(names: list[str]) -> np.ndarray:
        def take(rows: np.ndarray) -> dict[str, Block]:
            return {name: blocks[name].take(rows) for name in names}

        model = FusionClassifier(config=config, seed=seed)
        model.fit(take(learn), y[learn], n_classes=int(y.max()) + 1)
        return model.predict_proba(take(judge)).argmax(axis=1)

    alone = {f"ours, {name} alone": lambda name=name: classify([name]) for name in blocks}
    return {**alone, "ours, fused": lambda: classify(list(blocks))} if len(blocks) > 1 else alone


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--by-author", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    config = Config().with_settings(options.settings)
    catalogue = read_folder(options.folder)
    names = sorted({book.category for book in catalogue.books if book.category})
    y = np.array([names.index(book.category) if book.category else -1 for book in catalogue.books])
    extractor = FeatureExtractor(config=config)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(options.seeds):
        learn, judge = split(catalogue, seed, by_author=options.by_author)
        methods = peers(catalogue, y, learn, judge) | ours(blocks, y, learn, judge, config, seed)
        for name, predict in methods.items():
            start = time.perf_counter()
            guess = predict()
            f1 = f1_score(y[judge], guess, average="macro", zero_division=0)
            row = (float(np.mean(guess == y[judge])), float(f1), time.perf_counter() - start)
            found.setdefault(name, []).append(row)
            print(f"seed {seed}: {name} {row[0]:.3f}", flush=True)
    table = Table(title=f"{options.folder.name}, {options.seeds} held-out fifths")
    for column in ("method", "accuracy", "macro-F1", "seconds"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for name, rows in found.items():
        accuracy, f1, seconds = np.mean(rows, axis=0)
        table.add_row(name, f"{accuracy:.3f}", f"{f1:.3f}", f"{seconds:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
