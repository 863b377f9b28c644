"""Feature cache: lookup by content, size bound, and recovery."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features.cache import FeatureCache, content_key
from tests.pipeline.features.blocked_paths import block_path


def keys(*numbers: int) -> list[bytes]:
    return [content_key("number", str(number)) for number in numbers]


def remember(cache: FeatureCache, *numbers: int, size: int = 10) -> list[int]:
    """Ask for the values of numbers; return those that had to be computed."""
    computed: list[int] = []

    def make(missing):
        computed.extend(missing)
        return (value(number, size) for number in missing)

    result = cache.get_or_compute(keys=keys(*numbers), items=numbers, compute=make)
    assert result == [value(number, size) for number in numbers]
    return computed


def value(number: int, size: int = 10) -> bytes:
    return f"{number:04}".encode() * (size // 4 + 1)


@given(st.lists(st.text(st.characters()), max_size=3), st.lists(st.text(st.characters()), max_size=3))
def test_key_depends_on_the_division_into_parts(one, other):
    assert (content_key(*one) == content_key(*other)) == (one == other)


def test_text_and_its_bytes_share_a_key():
    assert content_key("é") == content_key("é".encode())
    assert content_key("\ud800") != content_key("\ud801")


def test_stored_values_are_found_and_counted(file):
    first = FeatureCache(file)
    assert remember(first, 1, 2, 3) == [1, 2, 3]
    assert (first.hits, first.misses) == (0, 3)
    second = FeatureCache(file)
    assert remember(second, 3, 4, 2) == [4]
    assert (second.hits, second.misses) == (2, 1)
    assert first.notes == second.notes == []


def test_duplicate_keys_are_computed_once(file):
    assert remember(FeatureCache(file), 7, 8, 7, 7) == [7, 8]


def test_empty_value_is_stored(file):
    FeatureCache(file).put_many({b"key": b""})
    assert FeatureCache(file).get_many([b"key", b"other"]) == {b"key": b""}


def test_no_path_stores_nothing():
    cache = FeatureCache()
    assert remember(cache, 1) == [1]
    assert remember(cache, 1) == [1]
    assert cache.notes == []


def test_no_keys_create_no_file(file):
    cache = FeatureCache(file)
    assert cache.get_or_compute(keys=[], items=[], compute=list) == []
    cache.put_many({})
    assert not file.exists()


def test_many_keys_take_several_queries(file):
    numbers = range(2500)
    assert remember(FeatureCache(file), *numbers) == list(numbers)
    assert remember(FeatureCache(file), *numbers) == []


def bytes_of(file: Path) -> int:
    return sum(path.stat().st_size for path in file.parent.iterdir())


def test_size_stays_within_the_bound(file):
    for start in range(0, 600, 20):
        remember(FeatureCache(file, max_bytes=400_000), *range(start, start + 20), size=1000)
        assert bytes_of(file) <= 400_000
    assert bytes_of(file) > 200_000


def test_lower_bound_shrinks_on_the_next_write(file):
    remember(FeatureCache(file), *range(300), size=1000)
    assert bytes_of(file) > 400_000
    remember(FeatureCache(file, max_bytes=100_000), 1000)
    assert bytes_of(file) <= 100_000


def test_least_recently_used_values_go_first(file):
    remember(FeatureCache(file), *range(100), size=1000)
    remember(FeatureCache(file), *range(20), size=1000)  # used, but computed long ago
    remember(FeatureCache(file, max_bytes=200_000), *range(200, 240), size=1000)
    kept = FeatureCache(file).get_many(keys(*range(300)))
    assert kept.keys() >= set(keys(*range(20)))
    assert kept.keys() >= set(keys(*range(200, 240)))
    assert len(kept) < 100


def test_oversized_value_does_no_harm(file):
    cache = FeatureCache(file, max_bytes=50_000)
    assert remember(cache, 1, size=100_000) == [1]
    assert remember(cache, 2) == [2]
    assert cache.notes == []
    assert bytes_of(file) <= 50_000


def test_file_may_be_deleted_any_time(file):
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


def test_file_may_be_deleted_while_open(file):
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
def test_damaged_file_is_recreated_with_a_note(file, damage):
    remember(FeatureCache(file), *range(200), size=300)
    damage(file)
    cache = FeatureCache(file)
    assert remember(cache, *range(200), size=300) == list(range(200))
    (note,) = cache.notes
    assert note.startswith("The feature cache was damaged (")
    assert note.endswith(") and has been recreated.")
    again = FeatureCache(file)
    assert remember(again, *range(200), size=300) == []
    assert again.notes == []


@given(place=st.floats(0, 1), byte=st.integers(0, 255))
def test_changed_byte_never_returns_a_wrong_value(tmp_path_factory, place, byte):
    file = tmp_path_factory.mktemp("changed") / "features.sqlite3"
    remember(FeatureCache(file), *range(20))
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] = byte
    file.write_bytes(content)
    remember(FeatureCache(file), *range(20))  # checks what comes back


def test_empty_file_is_a_new_cache(file):
    file.parent.mkdir()
    file.touch()
    cache = FeatureCache(file)
    assert remember(cache, 1) == [1]
    assert remember(cache, 1) == []
    assert cache.notes == []


def a_folder_of_its_name(file):
    file.mkdir(parents=True)


@pytest.mark.parametrize("block", [block_path, a_folder_of_its_name])
def test_unusable_path_gives_one_note(file, block):
    block(file)
    cache = FeatureCache(file)
    assert remember(cache, 1) == [1]
    assert remember(cache, 1) == [1]
    (note,) = cache.notes
    assert note.startswith(f"The feature cache {file} cannot be used (")


def test_locked_file_is_skipped(file, monkeypatch):
    monkeypatch.setattr("classifier.pipeline.features.cache._LOCK_TIMEOUT", 0)
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
from classifier.pipeline.features.cache import FeatureCache, content_key
cache, start = FeatureCache(Path(sys.argv[1])), int(sys.argv[2])
for first in range(start, start + 400, 20):
    numbers = range(first, first + 20)
    keys = [content_key("number", str(number)) for number in numbers]
    cache.get_or_compute(keys=keys, items=numbers, compute=lambda missing: (b"%04d" % n * 3 for n in missing))
assert cache.notes == [], cache.notes
"""


def test_processes_share_a_file(file):
    command = [sys.executable, "-c", MANY_BATCHES, str(file)]
    processes = [
        subprocess.Popen([*command, str(start)], stderr=subprocess.PIPE, text=True) for start in (0, 200, 400)
    ]
    assert [process.communicate()[1] for process in processes] == ["", "", ""]
    assert remember(FeatureCache(file), *range(800)) == []
