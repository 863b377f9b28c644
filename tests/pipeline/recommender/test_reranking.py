"""Lists for one borrower: in pages, no page too much of one kind; links as they are stored."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.config import SOURCES
from classifier.pipeline.recommender.item_links import Links
from classifier.pipeline.recommender.reranking import Pick, diverse, named, packed, unpacked


def picks(titles: list[int]) -> list[Pick]:
    return [Pick(title=title, score=1.0, sources=("text",)) for title in titles]


def listed(titles: list[int], **given_: object) -> list[int]:
    """Return the titles chosen, those of one remainder by 4 being of one author."""
    chosen = diverse(picks(titles), groups=lambda title: [str(title % 4)] if title % 4 else [], **given_)
    return [pick.title for pick in chosen]


@given(
    titles=st.lists(st.integers(0, 40), max_size=60),
    page=st.integers(1, 6),
    pages=st.integers(1, 4),
    share=st.sampled_from([0.1, 0.3, 0.5, 1]),
)
def test_each_page_has_its_share_of_an_author_and_a_longer_list_begins_as_a_shorter_one(
    titles, page, pages, share
):
    found = listed(titles, n=page * pages, page=page, share=share)
    assert len(found) == len(set(found)) <= page * pages
    assert set(found) <= set(titles)
    most = max(1, round(page * share))
    for start in range(0, len(found), page):
        of = [title % 4 for title in found[start : start + page] if title % 4]
        assert all(of.count(author) <= most for author in of)
    for n in range(1, page * pages):
        assert listed(titles, n=n, page=page, share=share) == found[:n]


def test_what_is_too_much_for_one_page_comes_on_the_next():
    assert listed([1, 5, 9, 2, 6, 3], n=6, page=3, share=0.3) == [1, 2, 3, 5, 6]
    assert listed([1, 5, 9, 2, 6, 3], n=3, page=3, share=1) == [1, 5, 9]
    assert listed([1, 5, 9], n=3, page=3, share=0.3) == [1]  # a page that cannot be filled is the last


@given(
    links=st.lists(
        st.tuples(st.integers(0, 2**40), st.lists(st.sampled_from([0, 0.25, -1, 3]), min_size=4, max_size=4))
    )
)
def test_links_are_read_as_they_were_written(links):
    other = np.array([title for title, _ in links], np.int64)
    parts = np.array([part for _, part in links], np.float32).reshape(len(links), len(SOURCES))
    content = packed(other=other, parts=parts)
    found = unpacked(content)
    assert found[0].tolist() == other.tolist()
    assert found[1].tolist() == parts.tolist()
    with pytest.raises(ValueError, match="no links of 16 bytes each"):
        unpacked(content + b"x")


def test_a_source_is_named_that_brought_a_third():
    assert named(np.array([0.0, 0.5, 0.1, 0.4, 0.0])) == ("text", "theme")
    assert named(np.array([0.2, 0.0, 0.0, 0.0, 0.8])) == ("again",)
    assert named(np.array([0.4, 0.3, 0.3, 0.0, 0.0])) == ("loans",)


def test_the_strongest_links_are_kept_and_parts_that_add_up_to_nothing_are_not():
    loans = sp.csr_matrix(np.array([[0, 1, 0.5], [0, 0, -1], [0, 0, 0]], np.float32))
    text = sp.csr_matrix(np.array([[0, 0, 1], [0, 0, 0.5], [0, 0, 0]], np.float32))
    links = Links.strongest({"loans": loans, "text": text}, most=1, n=3)
    assert (links.start.tolist(), links.other.tolist()) == ([0, 1, 1, 1], [2])
    assert links.parts.tolist() == [[0.5, 1, 0, 0]]
    owner, other, parts = links.of(np.array([1, 0]))
    assert (owner.tolist(), other.tolist(), parts.shape) == ([1], [2], (1, len(SOURCES)))
