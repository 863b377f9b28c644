"""Re-ranking in pages, and packing of links."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.config import SOURCES
from classifier.pipeline.recommender.item_links import ItemLinks
from classifier.pipeline.recommender.reranking import (
    Candidate,
    contributing_sources,
    diversify,
    pack_links,
    unpack_links,
)


def picks(titles: list[int]) -> list[Candidate]:
    return [Candidate(title=title, score=1.0, sources=("text",)) for title in titles]


def listed(titles: list[int], **given_: object) -> list[int]:
    """Return the titles chosen, those of one remainder by 4 being of one author."""
    chosen = diversify(picks(titles), groups=lambda title: [str(title % 4)] if title % 4 else [], **given_)
    return [pick.title for pick in chosen]


@given(
    titles=st.lists(st.integers(0, 40), max_size=60),
    page=st.integers(1, 6),
    pages=st.integers(1, 4),
    share=st.sampled_from([0.1, 0.3, 0.5, 1]),
)
def test_each_page_limits_an_author(titles, page, pages, share):
    result = listed(titles, n=page * pages, page=page, share=share)
    assert len(result) == len(set(result)) <= page * pages
    assert set(result) <= set(titles)
    most = max(1, round(page * share))
    for start in range(0, len(result), page):
        of = [title % 4 for title in result[start : start + page] if title % 4]
        assert all(of.count(author) <= most for author in of)
    for n in range(1, page * pages):
        assert listed(titles, n=n, page=page, share=share) == result[:n]


def test_surplus_titles_move_to_the_next_page():
    assert listed([1, 5, 9, 2, 6, 3], n=6, page=3, share=0.3) == [1, 2, 3, 5, 6]
    assert listed([1, 5, 9, 2, 6, 3], n=3, page=3, share=1) == [1, 5, 9]
    assert listed([1, 5, 9], n=3, page=3, share=0.3) == [1]  # a page that cannot be filled is the last


@given(
    links=st.lists(
        st.tuples(st.integers(0, 2**40), st.lists(st.sampled_from([0, 0.25, -1, 3]), min_size=4, max_size=4))
    )
)
def test_links_survive_packing(links):
    other = np.array([title for title, _ in links], np.int64)
    parts = np.array([part for _, part in links], np.float32).reshape(len(links), len(SOURCES))
    content = pack_links(other=other, parts=parts)
    result = unpack_links(content)
    assert result[0].tolist() == other.tolist()
    assert result[1].tolist() == parts.tolist()
    with pytest.raises(ValueError, match="is not a multiple of 16"):
        unpack_links(content + b"x")


def test_sources_above_a_third_are_named():
    assert contributing_sources(np.array([0.0, 0.5, 0.1, 0.4, 0.0])) == ("text", "theme")
    assert contributing_sources(np.array([0.2, 0.0, 0.0, 0.0, 0.8])) == ("again",)
    assert contributing_sources(np.array([0.4, 0.3, 0.3, 0.0, 0.0])) == ("loans",)


def test_strongest_positive_links_are_kept():
    loans = sp.csr_matrix(np.array([[0, 1, 0.5], [0, 0, -1], [0, 0, 0]], np.float32))
    text = sp.csr_matrix(np.array([[0, 0, 1], [0, 0, 0.5], [0, 0, 0]], np.float32))
    links = ItemLinks.strongest({"loans": loans, "text": text}, max_links=1, n=3)
    assert (links.start.tolist(), links.other.tolist()) == ([0, 1, 1, 1], [2])
    assert links.parts.tolist() == [[0.5, 1, 0, 0]]
    owner, other, parts = links.of(np.array([1, 0]))
    assert (owner.tolist(), other.tolist(), parts.shape) == ([1], [2], (1, len(SOURCES)))
