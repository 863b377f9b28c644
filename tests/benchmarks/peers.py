"""Peers of the classifier: linear support vector machines on TF-IDF, and Annif."""

import csv
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

from classifier.pipeline.features.base import Block
from classifier.pipeline.records import Catalogue
from classifier.pipeline.text.normalization import normalize as normalize_text
from classifier.pipeline.text.tokenization import tokenize

Predict = Callable[[], np.ndarray]

_ANNIF = """
[library]
name=Library
language=en
backend=svc
analyzer=simple(token_min_length=1)
vocab=categories
limit=3
"""


def texts_of(catalogue: Catalogue) -> list[str]:
    """Return the text of each book as words separated by spaces; jieba segments Chinese for all peers."""
    return [
        " ".join(tokenize(normalize_text(f"{book.title} {book.authors} {book.publisher} {book.description}")))
        for book in catalogue.books
    ]


def peers(
    texts: list[str],
    blocks: Mapping[str, Block],
    y: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    classes: list[str],
) -> dict[str, Predict]:
    """Return the peers by name: functions that train and return predictions for the test books."""

    def terms(**options: Any) -> sp.csr_matrix:
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, **options)
        vectorizer.fit([texts[i] for i in train])
        return vectorizer.transform(texts)

    @cache
    def word_features() -> sp.csr_matrix:
        return terms(token_pattern=r"\S+")

    @cache
    def character_features() -> sp.csr_matrix:
        return sp.hstack([word_features(), terms(analyzer="char_wb", ngram_range=(3, 5))]).tocsr()

    @cache
    def all_features() -> sp.csr_matrix:
        dense = [_scaled(block, train) for block in blocks.values() if block.spec.kind == "vector"]
        return sp.hstack([character_features(), *dense]).tocsr()

    def predict(features: sp.csr_matrix, **options: Any) -> np.ndarray:
        return LinearSVC(**options).fit(features[train], y[train]).predict(features[test])

    table: dict[str, Predict] = {
        "majority": lambda: np.full(len(test), np.bincount(y[train]).argmax()),
        "words, linear SVM": lambda: predict(word_features()),
        "words + characters, linear SVM": lambda: predict(character_features()),
        "words + characters, balanced": lambda: predict(character_features(), class_weight="balanced"),
    }
    for name, block in blocks.items():
        if block.spec.kind == "vector":
            own = sp.csr_matrix(_scaled(block, train))
            table[f"{name}, linear SVM, balanced"] = lambda own=own: predict(own, class_weight="balanced")
    if any(block.spec.kind == "vector" for block in blocks.values()):
        table["everything in one linear SVM"] = lambda: predict(all_features())
        table["everything in one, balanced"] = lambda: predict(all_features(), class_weight="balanced")
    if len(classes) > 2 and (command := shutil.which("annif")):  # its svc fails with two categories
        table["Annif svc"] = lambda: _annif(command, texts, y, train, test, classes)
    return table


def _scaled(block: Block, train: np.ndarray) -> np.ndarray:
    """Return the rows of a dense block, normalised like TF-IDF; zeros where the modality is absent."""
    rows = train[block.present[train]]
    scaled = StandardScaler().fit(block.values[rows]).transform(block.values) if len(rows) else block.values
    return np.asarray(normalize(scaled * block.present[:, None]), np.float32)


def _sentences(folder: Path) -> Path:
    """Write an empty sentence model: the texts are words already, and NLTK would download its model."""
    model = folder / "nltk" / "tokenizers" / "punkt_tab" / "english"
    model.mkdir(parents=True, exist_ok=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (model / name).touch()
    return folder / "nltk"


def _annif(
    command: str, texts: list[str], y: np.ndarray, train: np.ndarray, test: np.ndarray, classes: list[str]
) -> np.ndarray:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "projects.cfg").write_text(_ANNIF, encoding="utf-8")
        uri = [f"http://example.org/{i}" for i in range(len(classes))]
        with (folder / "categories.tsv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t").writerows(zip([f"<{u}>" for u in uri], classes, strict=True))
        with (folder / "train.tsv").open("w", encoding="utf-8") as file:
            file.writelines(f"{texts[i] or '-'}\t<{uri[y[i]]}>\n" for i in train)
        (folder / "test").mkdir()
        for number, i in enumerate(test):
            (folder / "test" / f"{number:06}.txt").write_text(texts[i] or "-", encoding="utf-8")
        for arguments in (
            ["load-vocab", "--language", "en", "categories", "categories.tsv"],
            ["train", "library", "train.tsv"],
            ["index", "library", "test"],
        ):
            environment = os.environ | {"NLTK_DATA": str(_sentences(folder))}
            subprocess.run(
                [command, *arguments], cwd=folder, env=environment, check=True, capture_output=True
            )
        predictions = np.full(len(test), -1)
        for number in range(len(test)):
            output = (folder / "test" / f"{number:06}.annif").read_text(encoding="utf-8").strip()
            if output:
                predictions[number] = int(output.split("\t")[0].strip("<>").rpartition("/")[2])
        return predictions
