"""Purpose of the demo: text, cover and loans each hold part of the truth, and together most of it."""

import jieba
import numpy as np
import pytest
from PIL import Image
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from library.demo.generate import DemoFiles
from tests.library.demo.files import make_demo, read


@pytest.fixture(scope="module")
def full_demo(tmp_path_factory) -> DemoFiles:
    return make_demo(tmp_path_factory.mktemp("full"), seed=1, titles=1_000, borrowers=400, loans=12_000)


def texts(books: list[dict[str, str]]) -> csr_matrix:
    words = [
        " ".join(jieba.cut(f"{book['title']} {book['subtitle']} {book['description']}")) for book in books
    ]
    return TfidfVectorizer(sublinear_tf=True, token_pattern=r"\S+").fit_transform(words)  # (n_books, n_words)


def cover_colours(files: DemoFiles, books: list[dict[str, str]]) -> np.ndarray:
    histograms = np.zeros((len(books), 12 * 3 * 4))  # (n_books, n_colours)
    for number, book in enumerate(books):
        if book["cover"]:
            with Image.open(files.covers / book["cover"]) as image:
                pixels = np.asarray(image.convert("HSV").resize((50, 75))).reshape(-1, 3)
            counts, _ = np.histogramdd(pixels, bins=(12, 3, 4), range=((0, 256),) * 3)
            histograms[number] = np.sqrt(counts.ravel() / counts.sum())
    return histograms


def loan_factors(books: list[dict[str, str]], loans: list[dict[str, str]]) -> np.ndarray:
    rows = {book["id"]: number for number, book in enumerate(books)}
    columns = {card: number for number, card in enumerate(sorted({loan["borrower"] for loan in loans}))}
    where = ([rows[loan["book"]] for loan in loans], [columns[loan["borrower"]] for loan in loans])
    borrowed = csr_matrix((np.ones(len(loans)), where), shape=(len(rows), len(columns)))
    return normalize(TruncatedSVD(48, random_state=0).fit_transform(normalize(borrowed)))  # (n_books, 48)


def test_three_modalities_beat_each_alone(full_demo):
    books, loans = read(full_demo.books), read(full_demo.loans)
    truth = np.array([row["category"] for row in read(full_demo.true_categories)])
    labelled = np.array([bool(book["category"]) for book in books])
    blocks = {
        "text": texts(books),
        "cover": cover_colours(full_demo, books),
        "loans": loan_factors(books, loans),
    }
    models = {
        name: LogisticRegression(C=10, max_iter=1_000).fit(block[labelled], truth[labelled])
        for name, block in blocks.items()
    }
    logs = {name: model.predict_log_proba(blocks[name][~labelled]) for name, model in models.items()}
    categories = models["text"].classes_

    def accuracy(log_probabilities: np.ndarray) -> float:
        return float((categories[log_probabilities.argmax(axis=1)] == truth[~labelled]).mean())

    alone = {name: accuracy(log) for name, log in logs.items()}
    assert 0.70 < alone["text"] < 0.88
    assert 0.40 < alone["cover"] < 0.70
    assert 0.50 < alone["loans"] < 0.75
    assert accuracy(sum(logs.values())) > max(alone.values()) + 0.05
