"""What a library could pick instead: linear support vector machines on TF-IDF, and Annif itself."""

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
from classifier.pipeline.text.tokenization import clean, words

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
    """Return all text of each book as words with spaces between; Chinese segmented by jieba for everyone."""
    return [
        " ".join(words(clean(f"{book.title} {book.authors} {book.publisher} {book.description}")))
        for book in catalogue.books
    ]


def peers(
    texts: list[str],
    blocks: Mapping[str, Block],
    y: np.ndarray,
    learn: np.ndarray,
    judge: np.ndarray,
    classes: list[str],
) -> dict[str, Predict]:
    """Return the peers by name, each a function that learns and answers for the books to be judged."""

    def terms(**options: Any) -> sp.csr_matrix:
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, **options)
        vectorizer.fit([texts[i] for i in learn])
        return vectorizer.transform(texts)

    @cache
    def of_words() -> sp.csr_matrix:
        return terms(token_pattern=r"\S+")

    @cache
    def of_characters() -> sp.csr_matrix:
        return sp.hstack([of_words(), terms(analyzer="char_wb", ngram_range=(3, 5))]).tocsr()

    @cache
    def of_everything() -> sp.csr_matrix:
        dense = [_scaled(block, learn) for block in blocks.values() if block.spec.kind == "vector"]
        return sp.hstack([of_characters(), *dense]).tocsr()

    def machine(features: sp.csr_matrix, **options: Any) -> np.ndarray:
        return LinearSVC(**options).fit(features[learn], y[learn]).predict(features[judge])

    table: dict[str, Predict] = {
        "majority": lambda: np.full(len(judge), np.bincount(y[learn]).argmax()),
        "words, linear SVM": lambda: machine(of_words()),
        "words + characters, linear SVM": lambda: machine(of_characters()),
        "words + characters, balanced": lambda: machine(of_characters(), class_weight="balanced"),
    }
    for name, block in blocks.items():
        if block.spec.kind == "vector":
            own = sp.csr_matrix(_scaled(block, learn))
            table[f"{name}, linear SVM, balanced"] = lambda own=own: machine(own, class_weight="balanced")
    if any(block.spec.kind == "vector" for block in blocks.values()):
        table["everything in one linear SVM"] = lambda: machine(of_everything())
        table["everything in one, balanced"] = lambda: machine(of_everything(), class_weight="balanced")
    if len(classes) > 2 and (command := shutil.which("annif")):  # its svc fails on two
        table["Annif svc"] = lambda: _annif(command, texts, y, learn, judge, classes)
    return table


def _scaled(block: Block, learn: np.ndarray) -> np.ndarray:
    """Return the rows of a dense block, each of length 1 as those of TF-IDF are; zeros where it is absent."""
    rows = learn[block.present[learn]]
    scaled = StandardScaler().fit(block.values[rows]).transform(block.values) if len(rows) else block.values
    return np.asarray(normalize(scaled * block.present[:, None]), np.float32)


def _sentences(folder: Path) -> Path:
    """Write a model of sentences that knows none: the texts come as words, and NLTK's is a download."""
    model = folder / "nltk" / "tokenizers" / "punkt_tab" / "english"
    model.mkdir(parents=True, exist_ok=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (model / name).touch()
    return folder / "nltk"


def _annif(
    command: str, texts: list[str], y: np.ndarray, learn: np.ndarray, judge: np.ndarray, classes: list[str]
) -> np.ndarray:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "projects.cfg").write_text(_ANNIF, encoding="utf-8")
        uri = [f"http://example.org/{i}" for i in range(len(classes))]
        with (folder / "categories.tsv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t").writerows(zip([f"<{u}>" for u in uri], classes, strict=True))
        with (folder / "learn.tsv").open("w", encoding="utf-8") as file:
            file.writelines(f"{texts[i] or '-'}\t<{uri[y[i]]}>\n" for i in learn)
        (folder / "judge").mkdir()
        for number, i in enumerate(judge):
            (folder / "judge" / f"{number:06}.txt").write_text(texts[i] or "-", encoding="utf-8")
        for arguments in (
            ["load-vocab", "--language", "en", "categories", "categories.tsv"],
            ["train", "library", "learn.tsv"],
            ["index", "library", "judge"],
        ):
            environment = os.environ | {"NLTK_DATA": str(_sentences(folder))}
            subprocess.run(
                [command, *arguments], cwd=folder, env=environment, check=True, capture_output=True
            )
        guess = np.full(len(judge), -1)
        for number in range(len(judge)):
            answer = (folder / "judge" / f"{number:06}.annif").read_text(encoding="utf-8").strip()
            if answer:
                guess[number] = int(answer.split("\t")[0].strip("<>").rpartition("/")[2])
        return guess
