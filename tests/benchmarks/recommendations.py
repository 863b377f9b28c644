"""Recommendations side by side: ours, the recommender libraries, words alone, and popularity.

    python tests/benchmarks/recommendations.py FOLDER [--share 0.8] [--set recommend.name=value]

FOLDER is in the import format (books.csv.gz, loans.csv.gz). All learn from the first loans by time, each
ranks every title for every borrower, and the tables look for what was borrowed from that day on: titles new
to the borrower, those that nobody had had before, and any title, those had before among them. Item-kNN
is LensKit's, ALS and BPR are implicit's; these join where they are installed. Of each the best of the values
tried is the one to compare with, on the very loans that are looked at: a favour that ours does not get.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from folders import read_folder
from rich.console import Console
from rich.table import Table
from scipy import linalg
from sklearn.preprocessing import normalize

from classifier.pipeline.backtest import LookBack, looked_for, most_popular
from classifier.pipeline.config import Config
from classifier.pipeline.modalities.text import TextModality
from classifier.pipeline.ranking import catalogue_shown, ranking_scores
from classifier.pipeline.recommend import Recommender

K = 10
_CHUNK = 512
Score = Callable[[np.ndarray], np.ndarray]
"""Scores of all titles for some borrowers, (n_borrowers, n_titles)."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=0.8, help="of the loans that is learned from")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    library = read_folder(options.folder)
    ids = [book.id for book in library.books]
    back = LookBack.of(library.loans, book_ids=ids, share=options.share)
    text = TextModality.from_config(Config()).fit_block(library, rng=np.random.default_rng(0)).values
    wanted = looked_for(back)
    columns = [
        "NDCG",
        "recall",
        "hit rate",
        "MRR",
        "never borrowed: recall",
        "any titles: NDCG",
        "shown",
        "s",
    ]
    table = Table("new titles, of known borrowers, at 10", *columns)
    readers = np.flatnonzero(back.readers)

    def report(name: str, new: np.ndarray, again: np.ndarray, seconds: float) -> None:
        found = ranking_scores(lists=new, wanted=wanted["of known borrowers"])
        cold = ranking_scores(lists=new, wanted=wanted["never borrowed titles"])
        any_title = ranking_scores(lists=again, wanted=back.later)
        shown = catalogue_shown(lists=new[readers], popularity=back.popularity)["coverage"]
        figures = [found.ndcg, found.recall, found.hit_rate, found.mrr, cold.recall, any_title.ndcg]
        table.add_row(name, *(f"{figure:.4f}" for figure in figures), f"{shown:.2f}", f"{seconds:.1f}")
        print(name, figures, flush=True)

    none = sp.csr_matrix(back.had.shape)
    report(
        "popularity",
        most_popular(back.popularity, back.had, k=K),
        most_popular(back.popularity, none, k=K),
        0.0,
    )
    for name, made in methods(back, text):
        began = time.monotonic()
        score = made()
        took = time.monotonic() - began
        report(
            name, ranked(score, back, readers, again=False), ranked(score, back, readers, again=True), took
        )
    for name, more in (
        ("ours, of whoever shares", ["recommend.min_borrowers=1"]),
        ("ours, without words", ["recommend.text_weight=0", "recommend.near_by_text=1"]),
        ("ours", []),
    ):
        settings = Config().with_settings([*options.settings, *more]).recommend
        began = time.monotonic()
        authors = [book.authors for book in library.books]
        ours = Recommender(settings=settings).fit(back.past, book_ids=ids, text=text, authors=authors)
        took = time.monotonic() - began
        report(name, *(listed(ours, back, again=again) for again in (False, True)), took)
    Console(width=150).print(table)


def listed(recommender: Recommender, back: LookBack, *, again: bool) -> np.ndarray:
    position = {book: i for i, book in enumerate(recommender.book_ids)}
    lists = np.full((back.had.shape[0], K), -1)
    for item in recommender.recommend(n=K, now=back.until, include_borrowed=again):
        lists[item.borrower, item.rank - 1] = position[item.book]
    return lists


def ranked(score: Score, back: LookBack, readers: np.ndarray, *, again: bool) -> np.ndarray:
    """Return the best titles of each borrower who had any, (n_borrowers, K)."""
    lists = np.full((back.had.shape[0], K), -1)
    for start in range(0, len(readers), _CHUNK):
        some = readers[start : start + _CHUNK]
        scores = np.array(score(some), np.float64)
        if not again:
            scores[back.had[some].nonzero()] = -np.inf
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.take_along_axis(-scores, best, 1).argsort(axis=1, kind="stable")
        lists[some] = np.take_along_axis(best, order, 1)
    return lists


def methods(back: LookBack, text: sp.csr_matrix) -> list[tuple[str, Callable[[], Score]]]:
    """Return the peers by name; each is trained when it is called."""
    had = back.had.tocsr()
    found: list[tuple[str, Callable[[], Score]]] = [
        ("words alone (TF-IDF cosines)", partial(content, had, text))
    ]
    found += [(f"EASE, penalty {penalty}", partial(ease, had, penalty)) for penalty in (50, 200, 800)]
    try:
        from lenskit.data import from_interactions_df  # noqa: F401
    except ImportError:
        print("LensKit is not installed.")
    else:
        found += [
            (f"LensKit item-kNN, {k} neighbours", lambda k=k: lenskit_knn(had, k)) for k in (20, 100, 1000)
        ]
    try:
        import implicit  # noqa: F401
    except ImportError:
        print("implicit is not installed.")
    else:
        found += [
            (f"implicit ALS, {factors} factors", partial(implicit_model, had, "als", factors))
            for factors in (64, 128, 256)
        ]
        found.append(("implicit BPR, 128 factors", partial(implicit_model, had, "bpr", 128)))
    return found


def content(had: sp.csr_matrix, text: sp.csr_matrix) -> Score:
    rows = normalize(text)
    of = rows.T.tocsr()
    return lambda some: ((had[some] @ rows) @ of).toarray()


def ease(had: sp.csr_matrix, penalty: float) -> Score:
    """Return Steck's closed form (WWW 2019), which needs titles times titles in memory."""
    inverse = linalg.inv((had.T @ had).toarray() + penalty * np.eye(had.shape[1], dtype=np.float32))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return lambda some: had[some] @ weights


def lenskit_data(had: sp.csr_matrix):  # type: ignore[no-untyped-def]
    import pandas as pd
    from lenskit.data import from_interactions_df

    pairs = had.tocoo()
    return from_interactions_df(pd.DataFrame({"user_id": pairs.row, "item_id": pairs.col}))


def lenskit_score(model, data, had: sp.csr_matrix) -> Score:  # type: ignore[no-untyped-def]
    from lenskit.data import ItemList, RecQuery

    model.train(data)
    known = data.items.ids()
    items = ItemList(item_ids=known)

    def score(some: np.ndarray) -> np.ndarray:
        scores = np.full((len(some), had.shape[1]), -np.inf)
        for row, borrower in enumerate(some):
            history = ItemList(item_ids=had.indices[had.indptr[borrower] : had.indptr[borrower + 1]])
            said = model(RecQuery(user_id=int(borrower), user_items=history), items).scores()
            scores[row, known] = np.nan_to_num(said, nan=-np.inf)
        return scores

    return score


def lenskit_knn(had: sp.csr_matrix, neighbours: int) -> Score:
    from lenskit.knn import ItemKNNScorer

    return lenskit_score(ItemKNNScorer(k=neighbours, feedback="implicit"), lenskit_data(had), had)


def implicit_model(had: sp.csr_matrix, kind: str, factors: int) -> Score:
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking

    if kind == "als":
        model = AlternatingLeastSquares(factors=factors, regularization=0.1, alpha=10, random_state=0)
    else:
        model = BayesianPersonalizedRanking(factors=factors, random_state=0)
    model.fit(had.astype(np.float32), show_progress=False)
    return lambda some: model.user_factors[some] @ model.item_factors.T


if __name__ == "__main__":
    main()
