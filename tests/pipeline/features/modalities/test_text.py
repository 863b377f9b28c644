"""Text modality: terms of each field and their weights."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from opencc import OpenCC

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.text.segmentation import use_dictionary
from classifier.pipeline.text.term_matrix import CsrRows, Vocabulary, word_pairs
from classifier.pipeline.text.terms import TermGroups


def fitted(*books: BookRecord, **settings: int) -> TextModality:
    config = Config().with_settings(["text.min_books=1", *(f"text.{k}={v}" for k, v in settings.items())])
    return TextModality.from_config(config).fit(Catalogue(books=books), rng=np.random.default_rng(0))


def counted(books: list[list[str]], terms: list[str]) -> sp.csr_matrix:
    return sp.csr_matrix([[book.count(term) for term in terms] for book in books], dtype=np.float32)


def terms(book: BookRecord, group: str) -> set[str]:
    """Return a book's terms of one group."""
    named = (term.partition(":") for term in fitted(book).terms)
    return {term for name, _, term in named if name == group}


def row(modality: TextModality, book: BookRecord) -> dict[str, float]:
    values = modality.transform(Catalogue(books=[book]))
    return {modality.terms[i]: float(v) for i, v in zip(values.indices, values.data, strict=True)}


def test_field_distinguishes_terms():
    book = BookRecord(
        id="1", title="Berg", subtitle="See", authors="Thal", publisher="Wald & Co", description="Feld"
    )
    assert terms(book, "word") == {"berg", "see", "thal", "wald", "co", "feld"}
    assert terms(book, "title") == {"berg", "see"}
    assert terms(book, "author") == {"thal"}
    assert terms(book, "publisher") == {"wald co"}


@pytest.mark.parametrize(
    "authors",
    [
        "Ann Lee; Bo Xu", "Ann Lee；Bo Xu", "Ann Lee，Bo Xu", "Ann Lee、Bo Xu", "Ann Lee / Bo Xu",
        "Ann Lee and Bo Xu", "Ann Lee &amp; Bo Xu", "ANN LEE AND BO XU", "<i>Ann Lee</i> | bo xu ;",
    ],
)  # fmt: skip
def test_author_names_stay_whole(authors):
    assert terms(BookRecord(id="1", authors=authors), "author") == {"ann lee", "bo xu"}


def test_latin_comma_is_part_of_a_name():
    assert terms(BookRecord(id="1", authors="Lee, Ann; Xu, Bo"), "author") == {"lee, ann", "xu, bo"}


def test_description_gives_affixes_and_chinese_characters():
    assert terms(BookRecord(id="1", description="mountains above sea"), "stem") == {"<mount", "tains>"}
    assert terms(BookRecord(id="1", description="历史 mount"), "stem") == {"历", "史", "历史"}
    assert terms(BookRecord(id="1", title="mountains", authors="mountains"), "stem") == set()


def test_title_and_name_ngrams_differ():
    book = BookRecord(id="1", title="sea", authors="art", publisher="ark", description="mountains")
    assert terms(book, "title gram") == {"<se", "sea", "ea>", "<sea", "sea>", "<sea>"}
    assert {gram for gram in terms(book, "name gram") if len(gram) == 3} == {
        "<ar",
        "art",
        "rt>",
        "ark",
        "rk>",
    }


def test_pairs_are_adjacent_words_of_a_field():
    book = BookRecord(id="1", title="red blue", authors="green green", description="blue red 历史书 blue")
    assert terms(book, "pair") == {"red blue", "blue red", "red 历史", "历史 书", "书 blue"}


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=5), st.integers(1, 3))
def test_pair_counts_match_a_manual_count(books, least):
    numbering = Vocabulary()
    fields = [CsrRows(numbering), CsrRows(numbering)]
    for book in books:
        fields[0].append(book[:3])
        fields[1].append(book[3:])
    by_hand = [
        [Counter(f"{a} {b}" for a, b in itertools.pairwise(part)) for part in (book[:3], book[3:])]
        for book in books
    ]
    total = sum((both[0] + both[1] for both in by_hand), Counter())
    kept = {pair for pair, times in total.items() if times >= least}
    terms, result = word_pairs(fields, min_count=least)
    assert set(terms) == kept
    assert len(terms) == len(kept)
    for field, (rows, places) in enumerate(result):
        assert sorted(rows) == list(rows)
        for row, of_book in enumerate(by_hand):
            counted = Counter(terms[place] for place in places[rows == row])
            assert counted == {pair: n for pair, n in of_book[field].items() if pair in kept}


def test_settings_limit_ngram_length():
    book = BookRecord(id="1", title="mountain")
    result = fitted(book, gram_min=2, gram_max=2).terms
    assert {term[11:] for term in result if term.startswith("title gram:")} == {
        "<m",
        "mo",
        "ou",
        "un",
        "nt",
        "ta",
        "ai",
        "in",
        "n>",
    }


def test_group_rows_have_their_weight_as_length():
    book = BookRecord(
        id="1", title="Berg und See", authors="A. Thal", publisher="Wald", description="am Bergsee"
    )
    lengths = {}
    for term, value in row(fitted(book), book).items():
        group = term.partition(":")[0]
        lengths[group] = lengths.get(group, 0) + value**2
    assert {group: round(length**0.5, 4) for group, length in lengths.items()} == {
        "word": 1.5, "title": 0.7, "pair": 1, "title gram": 1, "name gram": 0.8, "stem": 1, "author": 0.7,
        "publisher": 0.7,
    }  # fmt: skip


def test_weights_are_sublinear_tf_idf():
    groups = TermGroups({"one": 2}, max_terms=10)
    books = [["a", "a", "b"], ["a"], ["a", "c"]]
    values = groups.fit(counted(books, ["a", "b", "c"]), {"one": ["a", "b", "c"]}, min_books=1).toarray()
    idf = {"a": 1.0, "b": np.log(4 / 2) + 1, "c": np.log(4 / 2) + 1}
    assert groups.index == {"one": {"a": 0, "b": 1, "c": 2}}
    np.testing.assert_allclose(groups.idf, list(idf.values()), rtol=1e-6)
    first = np.array([(1 + np.log(2)) * idf["a"], idf["b"], 0])
    third = np.array([idf["a"], 0, idf["c"]])
    expected = [2 * first / np.linalg.norm(first), [2, 0, 0], 2 * third / np.linalg.norm(third)]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert groups.columns({"one": ["d", "b"]}).tolist() == [-1, 1]
    assert groups.weigh(counted([[], ["b"]], ["a", "b", "c"])).toarray().tolist() == [[0, 0, 0], [0, 2, 0]]


def test_groups_have_separate_columns_and_lengths():
    groups = TermGroups({"one": 2, "none": 5, "other": 3}, max_terms=10)
    books = [["a", "b", "c", "d"], ["a", "d", "d"], ["c"]]
    terms = {"one": ["a", "b"], "none": [], "other": ["c", "d"]}
    values = groups.fit(counted(books, ["a", "b", "c", "d"]), terms, min_books=2).toarray()
    assert groups.index == {"one": {"a": 0}, "none": {}, "other": {"c": 1, "d": 2}}
    assert groups.columns({"one": ["d", "a"], "none": ["a"], "other": ["d", "e"]}).tolist() == [
        -1,
        0,
        -1,
        2,
        -1,
    ]
    np.testing.assert_allclose(values[:, 0], [2, 2, 0])
    np.testing.assert_allclose(np.linalg.norm(values[:, 1:], axis=1), 3, rtol=1e-6)
    names, idf = zip(*groups.state().values(), strict=True)
    assert names == (["a"], [], ["c", "d"])
    assert [len(of) for of in idf] == [1, 0, 2]


def test_rare_terms_are_dropped_and_frequent_ones_kept():
    books = [["a", "b", "c", "rare", "rare"], ["a", "b", "c"], ["b", "c"], ["c"]]
    assert list(_kept(books, min_books=2, max_terms=10)) == ["a", "b", "c"]
    assert list(_kept(books, min_books=2, max_terms=2)) == ["b", "c"]
    assert list(_kept(books, min_books=5, max_terms=2)) == []


def _kept(books, *, min_books, max_terms):
    groups = TermGroups({"one": 1}, max_terms=max_terms)
    terms = ["a", "b", "c", "rare"]
    assert groups.fit(counted(books, terms), {"one": terms}, min_books=min_books).shape == (
        len(books),
        len(groups),
    )
    return groups.index["one"]


def test_chunked_weighting_equals_single_rows():
    books = [
        BookRecord(id="1", title=f"{a} {b} art", authors="Lee", description=f"{b} {b} sea" * (a > b))
        for a, b in itertools.product(["red", "blue", "green", "deep"], repeat=2)
    ]
    modality = fitted(*books)
    together = modality.transform(Catalogue(books=books * 200))
    alone = sp.vstack([modality.transform(Catalogue(books=[book])) for book in books], format="csr")
    assert (together != sp.vstack([alone] * 200)).nnz == 0


@pytest.mark.parametrize("text", ["", " ", "<br>", "&amp;", "the", "的", "—!?"])
def test_text_without_words_is_absent(text):
    book = BookRecord(id="1", title=text, description=text)
    assert fitted(book).present(Catalogue(books=[book])).tolist() == [False]


def test_text_without_known_terms_is_absent():
    modality = fitted(BookRecord(id="1", title="mountain"))
    books = [BookRecord(id="2", title="zzz"), BookRecord(id="3", title="zzz mountain")]
    assert modality.present(Catalogue(books=books)).tolist() == [False, True]


anything = st.text(max_size=30) | st.text(alphabet="中国历史的書a <>&;、,é\u0308", max_size=30)
any_books = st.lists(
    st.builds(
        BookRecord,
        id=st.just("1"),
        title=anything,
        subtitle=anything,
        authors=anything,
        publisher=anything,
        description=anything,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200)
@given(books=any_books, later=any_books)
def test_any_text_can_be_stored(books, later):
    modality = fitted(*books)
    values, tensors = modality.state()
    stored = json.loads(json.dumps(values, ensure_ascii=False).encode())
    loaded = TextModality(settings=modality.settings).load_state(stored, tensors)
    for calls in (books, later):
        block = loaded.block(Catalogue(books=calls))
        assert (block.values != modality.transform(Catalogue(books=calls))).nnz == 0
        assert np.isfinite(block.values.data).all()
        assert np.array_equal(block.values.getnnz(axis=1) > 0, block.present)


def test_features_are_the_same_in_both_scripts():
    simplified = BookRecord(
        id="1",
        title="经济学与历史",
        authors="钱学森",
        publisher="华东师范大学出版社",
        description="随着时代的发展",
    )
    convert = OpenCC("s2tw").convert
    traditional = BookRecord(
        id="2",
        **{
            name: convert(getattr(simplified, name))
            for name in ("title", "authors", "publisher", "description")
        },
    )
    assert traditional.title != simplified.title
    modality = fitted(simplified)
    values = modality.transform(Catalogue(books=[simplified, traditional])).toarray()
    assert values[0].any()
    assert np.array_equal(values[0], values[1])
    assert fitted(traditional).terms == modality.terms


def test_dictionary_is_part_of_the_cache_key(tmp_path):
    books = [BookRecord(id=str(n), title=f"云图星河集{n}") for n in range(20)]
    modality = fitted(*books)
    modality.cache = FeatureCache(tmp_path / "cache")
    path = tmp_path / "words.txt"
    path.write_text("云图星河集\n", encoding="utf-8")
    modality.transform(Catalogue(books=books))
    use_dictionary(path)
    try:
        modality.transform(Catalogue(books=books))
    finally:
        use_dictionary(None)
    assert (modality.cache.hits, modality.cache.misses) == (0, 40)
