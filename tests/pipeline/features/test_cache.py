"""The cache of features: found again by content, bounded, and never in the way."""

import dataclasses
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features.cache import FeatureCache, content_key
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.modalities import cover, sentence, text
from classifier.pipeline.records import BookRecord, Catalogue


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "cache" / "features.sqlite3"


def keys(*numbers: int) -> list[bytes]:
    return [content_key("number", str(number)) for number in numbers]


def remember(cache: FeatureCache, *numbers: int, size: int = 10) -> list[int]:
    """Ask for the values of numbers; return those that had to be made."""
    made: list[int] = []

    def make(missing):
        made.extend(missing)
        return (value(number, size) for number in missing)

    found = cache.remember(keys=keys(*numbers), items=numbers, make=make)
    assert found == [value(number, size) for number in numbers]
    return made


def value(number: int, size: int = 10) -> bytes:
    return f"{number:04}".encode() * (size // 4 + 1)


@given(st.lists(st.text(st.characters()), max_size=3), st.lists(st.text(st.characters()), max_size=3))
def test_only_the_same_parts_have_the_same_key(one, other):
    assert (content_key(*one) == content_key(*other)) == (one == other)


def test_text_and_its_bytes_have_the_same_key_and_half_a_character_has_one():
    assert content_key("é") == content_key("é".encode())
    assert content_key("\ud800") != content_key("\ud801")


def test_what_was_made_is_found_again_and_counted(file):
    first = FeatureCache(file)
    assert remember(first, 1, 2, 3) == [1, 2, 3]
    assert (first.hits, first.misses) == (0, 3)
    second = FeatureCache(file)
    assert remember(second, 3, 4, 2) == [4]
    assert (second.hits, second.misses) == (2, 1)
    assert first.notes == second.notes == []


def test_what_is_asked_for_twice_is_made_once(file):
    assert remember(FeatureCache(file), 7, 8, 7, 7) == [7, 8]


def test_an_empty_value_is_a_value(file):
    FeatureCache(file).put_many({b"key": b""})
    assert FeatureCache(file).get_many([b"key", b"other"]) == {b"key": b""}


def test_without_a_file_nothing_is_kept():
    cache = FeatureCache()
    assert remember(cache, 1) == [1]
    assert remember(cache, 1) == [1]
    assert cache.notes == []


def test_nothing_asked_for_makes_no_file(file):
    cache = FeatureCache(file)
    assert cache.remember(keys=[], items=[], make=list) == []
    cache.put_many({})
    assert not file.exists()


def test_more_keys_than_one_statement_takes_are_found(file):
    numbers = range(2500)
    assert remember(FeatureCache(file), *numbers) == list(numbers)
    assert remember(FeatureCache(file), *numbers) == []


def bytes_of(file: Path) -> int:
    return sum(path.stat().st_size for path in file.parent.iterdir())


def test_it_never_grows_beyond_its_bound(file):
    for start in range(0, 600, 20):
        remember(FeatureCache(file, max_bytes=400_000), *range(start, start + 20), size=1000)
        assert bytes_of(file) <= 400_000
    assert bytes_of(file) > 200_000


def test_a_lower_bound_shrinks_it_at_the_next_writing(file):
    remember(FeatureCache(file), *range(300), size=1000)
    assert bytes_of(file) > 400_000
    remember(FeatureCache(file, max_bytes=100_000), 1000)
    assert bytes_of(file) <= 100_000


def test_what_was_not_used_for_longest_goes_first(file):
    remember(FeatureCache(file), *range(100), size=1000)
    remember(FeatureCache(file), *range(20), size=1000)  # used, but made long ago
    remember(FeatureCache(file, max_bytes=200_000), *range(200, 240), size=1000)
    kept = FeatureCache(file).get_many(keys(*range(300)))
    assert kept.keys() >= set(keys(*range(20)))
    assert kept.keys() >= set(keys(*range(200, 240)))
    assert len(kept) < 100


def test_one_value_larger_than_the_bound_harms_nothing(file):
    cache = FeatureCache(file, max_bytes=50_000)
    assert remember(cache, 1, size=100_000) == [1]
    assert remember(cache, 2) == [2]
    assert cache.notes == []
    assert bytes_of(file) <= 50_000


def test_it_may_be_deleted_at_any_time(file):
    cache = FeatureCache(file)
    remember(cache, 1)
    for path in file.parent.iterdir():
        path.unlink()
    assert remember(cache, 1) == [1]
    file.unlink()
    file.parent.rmdir()
    assert remember(cache, 1) == [1]
    assert remember(FeatureCache(file), 1) == []
    assert cache.notes == []


def test_it_may_be_deleted_while_another_has_it_open(file):
    remember(FeatureCache(file), 1)
    other = sqlite3.connect(file)
    assert other.execute("SELECT count(*) FROM value").fetchone() == (1,)
    file.unlink()
    assert remember(FeatureCache(file), 1, 2) == [1, 2]
    other.close()
    assert remember(FeatureCache(file), 1, 2) == []


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


def overwrite_all(file):
    file.write_bytes(b"no database " * 1000)


def overwrite_the_middle(file):
    content = bytearray(file.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)


def change_one_value(file):
    content = file.read_bytes()
    assert content.count(value(5, 300)) == 1
    file.write_bytes(content.replace(value(5, 300), value(6, 300)))


def change(file, statement):
    with sqlite3.connect(file) as database:
        database.execute(statement)
    database.close()


def drop_a_table(file):
    change(file, "DROP TABLE used")


def another_release(file):
    change(file, "PRAGMA user_version = 99")


def a_number_too_large(file):
    change(file, "UPDATE used SET turn = 9223372036854775807")


def words_for_numbers(file):
    change(file, "UPDATE used SET turn = 'today'")


def no_characters(file):
    change(file, "UPDATE value SET data = CAST(x'ff' AS TEXT)")


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        overwrite_all,
        overwrite_the_middle,
        change_one_value,
        drop_a_table,
        another_release,
        a_number_too_large,
        words_for_numbers,
        no_characters,
    ],
)
def test_a_damaged_file_is_made_anew_and_a_note_says_so(file, damage):
    remember(FeatureCache(file), *range(200), size=300)
    damage(file)
    cache = FeatureCache(file)
    assert remember(cache, *range(200), size=300) == list(range(200))
    (note,) = cache.notes
    assert note.startswith("The cache of features was damaged (")
    assert note.endswith(") and is made anew.")
    again = FeatureCache(file)
    assert remember(again, *range(200), size=300) == []
    assert again.notes == []


@given(place=st.floats(0, 1), byte=st.integers(0, 255))
def test_whatever_byte_is_changed_no_wrong_value_comes_back(tmp_path_factory, place, byte):
    file = tmp_path_factory.mktemp("changed") / "features.sqlite3"
    remember(FeatureCache(file), *range(20))
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] = byte
    file.write_bytes(content)
    remember(FeatureCache(file), *range(20))  # checks what comes back


def test_an_empty_file_is_a_new_cache(file):
    file.parent.mkdir()
    file.touch()
    cache = FeatureCache(file)
    assert remember(cache, 1) == [1]
    assert remember(cache, 1) == []
    assert cache.notes == []


def in_the_way(file):
    file.parent.write_text("in the way")


def a_folder_of_its_name(file):
    file.mkdir(parents=True)


@pytest.mark.parametrize("block", [in_the_way, a_folder_of_its_name])
def test_without_a_place_to_keep_things_work_goes_on_and_one_note_says_so(file, block):
    block(file)
    cache = FeatureCache(file)
    assert remember(cache, 1) == [1]
    assert remember(cache, 1) == [1]
    (note,) = cache.notes
    assert note.startswith(f"The cache of features {file} cannot be used (")


def test_a_file_locked_for_long_is_done_without(file, monkeypatch):
    monkeypatch.setattr("classifier.pipeline.features.cache._PATIENCE", 0)
    remember(FeatureCache(file), 1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache = FeatureCache(file)
    assert remember(cache, 2) == [2]
    (note,) = cache.notes
    assert "database is locked" in note
    other.execute("ROLLBACK")
    other.close()
    assert remember(FeatureCache(file), 1) == []  # it was not thrown away


MANY_BATCHES = """
import sys
from pathlib import Path
from classifier.pipeline.cache import FeatureCache, content_key
cache, start = FeatureCache(Path(sys.argv[1])), int(sys.argv[2])
for first in range(start, start + 400, 20):
    numbers = range(first, first + 20)
    keys = [content_key("number", str(number)) for number in numbers]
    cache.remember(keys=keys, items=numbers, make=lambda missing: (b"%04d" % n * 3 for n in missing))
assert cache.notes == [], cache.notes
"""


def test_processes_share_a_file(file):
    command = [sys.executable, "-c", MANY_BATCHES, str(file)]
    processes = [
        subprocess.Popen([*command, str(start)], stderr=subprocess.PIPE, text=True) for start in (0, 200, 400)
    ]
    assert [process.communicate()[1] for process in processes] == ["", "", ""]
    assert remember(FeatureCache(file), *range(800)) == []


def extract(catalogue: Catalogue, config, cache=None):
    extractor = FeatureExtractor(config=config, cache=cache)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
    return extractor, blocks


def assert_same_blocks(one, other):
    assert one.keys() == other.keys()
    for name, block in one.items():
        values = [b.values.toarray() if sp.issparse(b.values) else b.values for b in (block, other[name])]
        assert np.array_equal(*values)
        assert np.array_equal(block.present, other[name].present)


def test_the_cache_changes_no_feature_and_saves_every_one(catalogue, everything, file):
    plain_extractor, plain = extract(catalogue, everything)
    first, second = FeatureCache(file), FeatureCache(file)
    extractor, computed = extract(catalogue, everything, first)
    _, remembered = extract(catalogue, everything, second)
    assert_same_blocks(computed, plain)
    assert_same_blocks(remembered, plain)
    assert extractor.modalities_["text"].terms == plain_extractor.modalities_["text"].terms
    distinct = {book.cover.read_bytes() for book in catalogue.books if book.cover}
    distinct |= {(book.title, book.authors, book.publisher, book.description) for book in catalogue.books}
    assert first.misses > len(distinct)
    assert second.misses == 0
    assert second.hits == first.hits + first.misses

    extractor.cache = third = FeatureCache(file)
    assert_same_blocks(extractor.transform(catalogue), plain_extractor.transform(catalogue))
    assert third.misses == 0


def test_only_the_book_that_changed_is_read_again(catalogue, everything, file):
    extract(catalogue, everything, FeatureCache(file))
    books = list(catalogue.books)
    books[5] = dataclasses.replace(books[5], description="All new")
    books[6] = dataclasses.replace(books[6], category="other", id="of another number", year=1)
    cache = FeatureCache(file)
    extract(Catalogue(books=books, loans=catalogue.loans), everything, cache)
    assert cache.misses == 2  # its words, and the vector of its text


@pytest.mark.parametrize("module", [text, cover, sentence])
def test_changed_code_computes_its_features_again(catalogue, everything, file, monkeypatch, module):
    first = FeatureCache(file)
    extract(catalogue, everything, first)
    monkeypatch.setattr(module, "_MADE_BY", content_key("other code"))
    second = FeatureCache(file)
    extract(catalogue, everything, second)
    assert 10 < second.misses < first.misses


def test_another_size_of_covers_is_decoded_again(catalogue, everything, file):
    extract(catalogue, everything.with_settings(["cover.features=pixels"]), FeatureCache(file))
    cache = FeatureCache(file)
    extract(catalogue, everything.with_settings(["cover.features=pixels", "cover.width=18"]), cache)
    assert cache.misses == len({book.cover for book in catalogue.books if book.cover})


def test_a_cover_that_cannot_be_read_is_not_tried_again(tmp_path, everything, file):
    (tmp_path / "cover.png").write_bytes(b"no picture")
    books = Catalogue(books=[BookRecord(id="1", title="soup", cover=tmp_path / "cover.png")])
    extract(books, everything, FeatureCache(file))
    cache = FeatureCache(file)
    _, blocks = extract(books, everything, cache)
    assert "cover" not in blocks
    assert cache.misses == 0


def test_what_went_wrong_is_among_the_notes_of_the_fitting(catalogue, everything, file):
    in_the_way(file)
    extractor, blocks = extract(catalogue, everything, FeatureCache(file))
    assert_same_blocks(blocks, extract(catalogue, everything)[1])
    (note,) = extractor.notes
    assert "cannot be used" in note


def test_a_single_book_is_not_worth_a_file(catalogue, everything, file):
    extractor, _ = extract(Catalogue(books=[BookRecord(id="1", title="soup")] * 5), everything, None)
    extractor.modalities_ = {"text": extractor.modalities_["text"]}
    extractor.cache = FeatureCache(file)
    extractor.transform(Catalogue(books=catalogue.books[:1]))
    assert not file.exists()


def test_no_book_can_be_recognised_by_its_key(catalogue, everything, file):
    extract(catalogue, everything, FeatureCache(file))
    with sqlite3.connect(file) as database:
        found = [key for (key,) in database.execute("SELECT key FROM value UNION SELECT key FROM used")]
    database.close()
    assert {len(key) for key in found} == {32}
    assert len(set(b"".join(found))) == 256  # no text has all bytes
