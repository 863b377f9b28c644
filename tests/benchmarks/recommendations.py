"""Recommendations side by side: ours, the recommender libraries, words alone, and popularity.

    python tests/benchmarks/recommendations.py FOLDER [--share 0.8] [--set recommend.name=value] [--ours]

FOLDER is in the import format (books.csv.gz, loans.csv.gz). All learn from the first loans by time, each
ranks every title for every borrower, and the tables look for what was borrowed from that day on: titles new
to the borrower, those that nobody had had before, and any title, those had before among them. Item-kNN
is LensKit's, ALS and BPR are implicit's; these join where they are installed. Of each the best of the values
tried is the one to compare with, on the very loans that are looked at: a favour that ours does not get.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from folders import read_folder
from rich.console import Console
from rich.table import Table
from scipy import linalg
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

from classifier.pipeline.config import Config
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.recommender.backtest import LookBack, looked_for, most_popular
from classifier.pipeline.recommender.cooccurrence import borrowed_together, readers
from classifier.pipeline.recommender.ranking_metrics import catalogue_shown, ranking_scores
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import Catalogue, LoanTable
from classifier.pipeline.training.train import train

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
    parser.add_argument("--ours", action="store_true", help="leave the other libraries out")
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
    known = np.flatnonzero(back.readers)

    def report(name: str, new: np.ndarray, again: np.ndarray, seconds: float) -> None:
        found = ranking_scores(lists=new, wanted=wanted["of known borrowers"])
        cold = ranking_scores(lists=new, wanted=wanted["never borrowed titles"])
        any_title = ranking_scores(lists=again, wanted=back.later)
        shown = catalogue_shown(lists=new[known], popularity=back.popularity)["coverage"]
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
    for name, made in [] if options.ours else methods(back, text):
        began = time.monotonic()
        score = made()
        took = time.monotonic() - began
        report(name, ranked(score, back, known, again=False), ranked(score, back, known, again=True), took)
    content = {"text": text} | themes(replace(library, loans=back.past))
    for name, more, sources in (
        ("ours, of whoever shares", ["recommend.min_borrowers=1"], content),
        ("ours, without words and themes", [], {}),
        ("ours, without themes", [], {"text": text}),
        ("ours, titles nobody has had as others", ["recommend.new_title_factor=1"], content),
        ("ours, words weighing half", ["recommend.text_weight=1"], content),
        ("ours, without a factor for popularity", ["recommend.popular_power=0"], content),
        ("ours, of five who share", ["recommend.min_borrowers=5"], content),
        ("ours", [], content),
    ):
        settings = Config().with_settings([*options.settings, *more]).recommend
        began = time.monotonic()
        ours = Recommender(settings=settings).fit(
            back.past,
            book_ids=ids,
            content=sources,
            authors=[book.authors for book in library.books],
            titles=[book.title for book in library.books],
        )
        took = time.monotonic() - began
        report(name, *(listed(ours, back, again=again) for again in (False, True)), took)
    Console(width=150).print(table)
    attack(library.loans)


def attack(loans: LoanTable, *, targets: int = 600) -> None:
    """Print how well one who knows all that somebody had can tell whether it was learned from.

    Half of the targets are left out of the loans. Guessed is by the share of a target's pairs of titles that
    the statistics know, which is all they can tell of a pair. 0.5 is chance.

    References
    ----------
    Shokri et al., Membership Inference Attacks Against Machine Learning Models, S&P 2017.
    """
    had = readers(loans).T.tocsr()
    titles = np.diff(had.indptr)
    rng = np.random.default_rng(0)
    asked = rng.choice(np.flatnonzero((titles >= 5) & (titles <= 100)), targets, replace=False)
    kept = ~np.isin(loans.borrower, asked[: targets // 2])
    rest = replace(
        loans, book=loans.book[kept], borrower=loans.borrower[kept], borrowed_at=loans.borrowed_at[kept]
    )
    learned = readers(rest)
    table = Table("borrowers who share a pair, at least", "pairs", "area under the ROC curve of the guess")
    for least in (1, 2, 3, 5):
        known = borrowed_together(learned, weight=np.ones(learned.shape[1]), least=least)
        known.setdiag(0)
        known.eliminate_zeros()
        shares = []
        for target in asked:
            own = had.indices[had.indptr[target] : had.indptr[target + 1]]
            shares.append(known[own][:, own].nnz / (len(own) * (len(own) - 1)))
        area = roc_auc_score(np.arange(targets) >= targets // 2, shares)
        table.add_row(str(least), str(known.nnz // 2), f"{area:.3f}")
    Console().print(table)


def themes(library: Catalogue) -> dict[str, np.ndarray]:
    """Return how a classifier encodes the books; it learns from loans before the day alone."""
    if not any(book.category for book in library.books):
        return {}
    model = train(library, config=Config(), seed=0).model
    codes = [
        model.codes(replace(library, books=library.books[start : start + 2000], loans=LoanTable()))
        for start in range(0, len(library.books), 2000)
    ]
    return {"theme": np.concatenate(codes)}


def listed(recommender: Recommender, back: LookBack, *, again: bool) -> np.ndarray:
    lists = np.full((back.had.shape[0], K), -1)
    found = recommender.lists(n=K, include_borrowed=again)
    lists[: len(found)] = found
    return lists


def ranked(score: Score, back: LookBack, known: np.ndarray, *, again: bool) -> np.ndarray:
    """Return the best titles of each borrower who had any, (n_borrowers, K)."""
    lists = np.full((back.had.shape[0], K), -1)
    for start in range(0, len(known), _CHUNK):
        some = known[start : start + _CHUNK]
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
