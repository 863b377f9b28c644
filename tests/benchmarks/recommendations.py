"""Compare our recommendations with recommender libraries, text similarity and popularity.

    python tests/benchmarks/recommendations.py FOLDER [--share 0.8] [--set recommend.name=value] [--ours]

FOLDER is in the import format (books.csv.gz, loans.csv.gz). All methods train on the first loans by time and
rank every title for every borrower. The table evaluates the lists on the later loans: titles new to the
borrower, titles that nobody had borrowed before, and all titles, repeats included. Item-kNN is LensKit's, ALS
and BPR are implicit's; these take part if they are installed. Compare with the best variant of each peer: it
is chosen on the test loans, an advantage that ours does not have.
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
from classifier.pipeline.recommender.backtest import TemporalHoldout, held_out_targets, popularity_lists
from classifier.pipeline.recommender.cooccurrence import borrowing_matrix, cooccurrence_matrix
from classifier.pipeline.recommender.ranking_metrics import catalogue_usage, ranking_scores
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
    parser.add_argument("--share", type=float, default=0.8, help="fraction of the loans used for training")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--ours", action="store_true", help="skip the peers")
    parser.add_argument("--targets", type=int, default=600, help="borrowers attacked, half of them unknown")
    options = parser.parse_args()
    library = read_folder(options.folder)
    ids = [book.id for book in library.books]
    holdout = TemporalHoldout.split(library.loans, book_ids=ids, share=options.share)
    text = TextModality.from_config(Config()).fit_block(library, rng=np.random.default_rng(0)).values
    relevant = held_out_targets(holdout)
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
    table = Table("titles new to known borrowers, at 10", *columns)
    known = np.flatnonzero(holdout.known_borrowers)

    def report(name: str, new: np.ndarray, any_titles: np.ndarray, seconds: float) -> None:
        scores = ranking_scores(lists=new, relevant=relevant["of known borrowers"])
        cold = ranking_scores(lists=new, relevant=relevant["never borrowed titles"])
        all_titles = ranking_scores(lists=any_titles, relevant=holdout.later)
        shown = catalogue_usage(lists=new[known], popularity=holdout.popularity)["coverage"]
        metrics = [scores.ndcg, scores.recall, scores.hit_rate, scores.mrr, cold.recall, all_titles.ndcg]
        table.add_row(name, *(f"{metric:.4f}" for metric in metrics), f"{shown:.2f}", f"{seconds:.1f}")
        print(name, metrics, flush=True)

    none = sp.csr_matrix(holdout.had.shape)
    report(
        "popularity",
        popularity_lists(holdout.popularity, holdout.had, k=K),
        popularity_lists(holdout.popularity, none, k=K),
        0.0,
    )
    for name, fit in [] if options.ours else methods(holdout, text):
        start = time.monotonic()
        score = fit()
        duration = time.monotonic() - start
        lists = [ranked(score, holdout, known, include_borrowed=repeats) for repeats in (False, True)]
        report(name, *lists, duration)
    content = {"text": text} | topics(replace(library, loans=holdout.past))
    for name, overrides, sources in (
        ("ours, pairs of one borrower", ["recommend.min_borrowers=1"], content),
        ("ours, without text and topics", [], {}),
        ("ours, without topics", [], {"text": text}),
        ("ours, no factor for unborrowed titles", ["recommend.new_title_factor=1"], content),
        ("ours, text weight 1", ["recommend.text_weight=1"], content),
        ("ours, no popularity factor", ["recommend.popular_power=0"], content),
        ("ours, pairs of five borrowers", ["recommend.min_borrowers=5"], content),
        ("ours", [], content),
    ):
        settings = Config().with_settings([*options.settings, *overrides]).recommend
        start = time.monotonic()
        recommender = Recommender(settings=settings).fit(
            holdout.past,
            book_ids=ids,
            content=sources,
            authors=[book.authors for book in library.books],
            titles=[book.title for book in library.books],
        )
        duration = time.monotonic() - start
        lists = [listed(recommender, holdout, include_borrowed=repeats) for repeats in (False, True)]
        report(name, *lists, duration)
    Console(width=150).print(table)
    attack(library.loans, targets=options.targets)


def attack(loans: LoanTable, *, targets: int) -> None:
    """Print how well an attacker who knows all titles of a borrower can guess whether they were trained on.

    The loans of half of the targets are excluded. The guess is the share of a target's pairs of titles that
    the statistics contain, which is all they reveal about a pair. 0.5 is chance.

    References
    ----------
    Shokri et al., Membership Inference Attacks Against Machine Learning Models, S&P 2017.
    """
    borrowed = borrowing_matrix(loans).T.tocsr()
    titles = np.diff(borrowed.indptr)
    rng = np.random.default_rng(0)
    chosen = rng.choice(np.flatnonzero((titles >= 5) & (titles <= 100)), targets, replace=False)
    known = ~np.isin(loans.borrower, chosen[: targets // 2])
    training = replace(
        loans, book=loans.book[known], borrower=loans.borrower[known], borrowed_at=loans.borrowed_at[known]
    )
    matrix = borrowing_matrix(training)
    table = Table("minimum borrowers of a pair", "pairs", "area under the ROC curve of the guess")
    for minimum in (1, 2, 3, 5):
        pairs = cooccurrence_matrix(matrix, weight=np.ones(matrix.shape[1]), min_borrowers=minimum)
        pairs.setdiag(0)
        pairs.eliminate_zeros()
        shares = []
        for target in chosen:
            own = borrowed.indices[borrowed.indptr[target] : borrowed.indptr[target + 1]]
            shares.append(pairs[own][:, own].nnz / (len(own) * (len(own) - 1)))
        area = roc_auc_score(np.arange(targets) >= targets // 2, shares)
        table.add_row(str(minimum), str(pairs.nnz // 2), f"{area:.3f}")
    Console().print(table)


def topics(library: Catalogue) -> dict[str, np.ndarray]:
    """Return the classifier's codes of the books; it trains on the earlier loans only."""
    if not any(book.category for book in library.books):
        return {}
    model = train(library, config=Config(), seed=0).model
    codes = [
        model.codes(replace(library, books=library.books[start : start + 2000], loans=LoanTable()))
        for start in range(0, len(library.books), 2000)
    ]
    return {"theme": np.concatenate(codes)}


def listed(recommender: Recommender, holdout: TemporalHoldout, *, include_borrowed: bool) -> np.ndarray:
    lists = np.full((holdout.had.shape[0], K), -1)
    ranked_titles = recommender.lists(n=K, include_borrowed=include_borrowed)
    lists[: len(ranked_titles)] = ranked_titles
    return lists


def ranked(
    score: Score, holdout: TemporalHoldout, known: np.ndarray, *, include_borrowed: bool
) -> np.ndarray:
    """Return the best titles for each borrower with loans, (n_borrowers, K)."""
    lists = np.full((holdout.had.shape[0], K), -1)
    for start in range(0, len(known), _CHUNK):
        borrowers = known[start : start + _CHUNK]
        scores = np.array(score(borrowers), np.float64)
        if not include_borrowed:
            scores[holdout.had[borrowers].nonzero()] = -np.inf
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.take_along_axis(-scores, best, 1).argsort(axis=1, kind="stable")
        lists[borrowers] = np.take_along_axis(best, order, 1)
    return lists


def methods(holdout: TemporalHoldout, text: sp.csr_matrix) -> list[tuple[str, Callable[[], Score]]]:
    """Return the peers by name: functions that train one and return its scores."""
    had = holdout.had.tocsr()
    peers: list[tuple[str, Callable[[], Score]]] = [
        ("text only (TF-IDF cosines)", partial(content, had, text))
    ]
    peers += [(f"EASE, penalty {penalty}", partial(ease, had, penalty)) for penalty in (50, 200, 800)]
    try:
        from lenskit.data import from_interactions_df  # noqa: F401
    except ImportError:
        print("LensKit is not installed.")
    else:
        peers += [
            (f"LensKit item-kNN, {k} neighbours", lambda k=k: lenskit_knn(had, k)) for k in (20, 100, 1000)
        ]
    try:
        import implicit  # noqa: F401
    except ImportError:
        print("implicit is not installed.")
    else:
        peers += [
            (f"implicit ALS, {factors} factors", partial(implicit_model, had, "als", factors))
            for factors in (64, 128, 256)
        ]
        peers.append(("implicit BPR, 128 factors", partial(implicit_model, had, "bpr", 128)))
    return peers


def content(had: sp.csr_matrix, text: sp.csr_matrix) -> Score:
    rows = normalize(text)
    columns = rows.T.tocsr()
    return lambda borrowers: ((had[borrowers] @ rows) @ columns).toarray()


def ease(had: sp.csr_matrix, penalty: float) -> Score:
    """Return the closed form of Steck (WWW 2019), which needs a matrix of titles by titles in memory."""
    inverse = linalg.inv((had.T @ had).toarray() + penalty * np.eye(had.shape[1], dtype=np.float32))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return lambda borrowers: had[borrowers] @ weights


def lenskit_data(had: sp.csr_matrix):  # type: ignore[no-untyped-def]
    import pandas as pd
    from lenskit.data import from_interactions_df

    pairs = had.tocoo()
    return from_interactions_df(pd.DataFrame({"user_id": pairs.row, "item_id": pairs.col}))


def lenskit_score(model, data, had: sp.csr_matrix) -> Score:  # type: ignore[no-untyped-def]
    from lenskit.data import ItemList, RecQuery

    model.train(data)
    ids = data.items.ids()
    items = ItemList(item_ids=ids)

    def score(borrowers: np.ndarray) -> np.ndarray:
        scores = np.full((len(borrowers), had.shape[1]), -np.inf)
        for row, borrower in enumerate(borrowers):
            history = ItemList(item_ids=had.indices[had.indptr[borrower] : had.indptr[borrower + 1]])
            values = model(RecQuery(user_id=int(borrower), user_items=history), items).scores()
            scores[row, ids] = np.nan_to_num(values, nan=-np.inf)
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
    return lambda borrowers: model.user_factors[borrowers] @ model.item_factors.T


if __name__ == "__main__":
    main()
