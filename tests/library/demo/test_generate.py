"""Demo folder: reproducible for a seed, complete, and ready to import."""

import itertools
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import isbn

from library.demo.categories import CATEGORIES, LEAVES
from library.demo.generate import BOOK_COLUMNS, DemoFiles, generate
from library.demo.loans import MAX_LOANS_PER_TITLE, DemoSizeError
from tests.library.demo.files import NOW, contents, make_demo, moment, read

ROOT = Path(__file__).resolve().parents[3]


def test_same_seed_gives_identical_files(demo, tmp_path):
    assert contents(make_demo(tmp_path)) == contents(demo)


def test_other_seed_gives_other_files(demo, tmp_path):
    other, same = contents(make_demo(tmp_path, seed=8)), contents(demo)
    assert [name for name in same if other.get(name) == same[name]] == ["categories.csv"]


def test_new_demo_replaces_the_earlier_one(tmp_path):
    make_demo(tmp_path / "used")
    again = make_demo(tmp_path / "used", titles=20, borrowers=5, loans=50)
    assert contents(again) == contents(make_demo(tmp_path / "fresh", titles=20, borrowers=5, loans=50))


def test_foreign_cover_files_are_kept(tmp_path):
    (tmp_path / "covers").mkdir()
    (tmp_path / "covers" / "mine.jpg").write_bytes(b"mine")
    assert (make_demo(tmp_path, titles=5, borrowers=1, loans=2).covers / "mine.jpg").read_bytes() == b"mine"


def test_counts_match_and_a_third_has_no_category(demo):
    books, loans = read(demo.books), read(demo.loans)
    assert len(books) == 120
    assert sum(not book["category"] for book in books) == 40
    assert len(loans) == 1_500
    assert len({loan["borrower"] for loan in loans}) == 40
    assert len({loan["book"] for loan in loans}) == 108  # a tenth is never borrowed
    assert len(list(demo.covers.iterdir())) == 90  # three in four
    assert Counter(book["language"] for book in books) == {"zh": 60, "en": 60}


def test_columns_match_the_import_format(demo):
    assert list(read(demo.books)[0]) == list(BOOK_COLUMNS)
    assert list(read(demo.categories)[0]) == ["notation", "label_en", "label_zh", "parent"]
    assert list(read(demo.loans)[0]) == [
        "borrower",
        "book",
        "borrowed_at",
        "returned_at",
        "due_at",
        "renewals",
    ]
    assert list(read(demo.true_categories)[0]) == ["id", "category"]


def test_categories_have_two_levels_and_two_languages(demo):
    rows = read(demo.categories)
    tops = {row["notation"] for row in rows if not row["parent"]}
    assert len(rows) == len(CATEGORIES) == 15
    assert {row["parent"] for row in rows} == tops | {""}
    assert all(row["label_en"] and row["label_zh"] for row in rows)
    assert sum(leaf.share for leaf in LEAVES.values()) == pytest.approx(1)


def test_isbns_are_unique_and_of_an_unassigned_group(demo):
    isbns = [book["isbn"] for book in read(demo.books)]
    assert len(set(isbns)) == 120
    # By the published ranges, the prefix belongs to no group and no publisher.
    assert {isbn.split(number)[:3] for number in isbns} == {("979", "", "")}


def test_generator_import_is_light():
    loaded = (
        "import sys, library.demo.generate; print(sorted({'PIL', 'numpy', 'django.db'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titles": 0, "borrowers": 0, "loans": 0}, "at least one title"),
        ({"uncategorised": 1.5}, "between 0 and 1"),
        ({"borrowers": 10, "loans": 9}, "more loans or fewer borrowers"),
        ({"borrowers": 0, "loans": 9}, "more loans or fewer borrowers"),
        ({"titles": 10, "loans": 9 * MAX_LOANS_PER_TITLE + 1}, "more titles"),
    ],
)
def test_inconsistent_numbers_are_refused(tmp_path, changes, message):
    with pytest.raises(DemoSizeError, match=message):
        make_demo(tmp_path / "demo", **changes)
    assert not (tmp_path / "demo").exists()


def test_progress_of_each_phase_reaches_its_total(tmp_path):
    seen: dict[str, list[tuple[int, int]]] = {}
    generate(
        folder=tmp_path,
        seed=1,
        titles=20,
        borrowers=3,
        loans=60,
        now=NOW,
        progress=lambda phase, done, total: seen.setdefault(phase, []).append((done, total)),
    )
    assert list(seen) == ["writing books", "lending books", "drawing covers"]
    for steps in seen.values():
        done, total = zip(*steps, strict=True)
        assert list(done) == sorted(done)
        assert set(total) == {done[-1]}


@st.composite
def sizes(draw) -> dict:
    titles = draw(st.integers(1, 25))
    borrowers = draw(st.integers(0, 8))
    most = MAX_LOANS_PER_TITLE * (titles - round(titles / 10)) if borrowers else 0
    return {
        "seed": draw(st.integers(-(2**63), 2**63)),
        "titles": titles,
        "borrowers": borrowers,
        "loans": draw(st.integers(borrowers, most)),
        "uncategorised": draw(st.floats(0, 1)),
        "now": NOW + timedelta(minutes=draw(st.integers(-5_000_000, 5_000_000))),
    }


@settings(max_examples=25, deadline=None)
@given(options=sizes())
def test_any_demo_is_consistent(options):
    with tempfile.TemporaryDirectory() as folder:
        files = make_demo(Path(folder), **options)
        check_books(files, options)
        check_loans(files, options)


def check_books(files: DemoFiles, options: dict) -> None:
    books, true_categories = (
        read(files.books),
        {row["id"]: row["category"] for row in read(files.true_categories)},
    )
    assert list(true_categories) == [book["id"] for book in books]
    assert len(true_categories) == options["titles"]
    assert set(true_categories.values()) <= set(LEAVES)
    assert all(book["category"] in ("", true_categories[book["id"]]) for book in books)
    assert sum(not book["category"] for book in books) == round(options["uncategorised"] * options["titles"])
    assert {book["cover"] for book in books} - {""} == {path.name for path in files.covers.iterdir()}
    for book in books:
        assert isbn.validate(book["isbn"]) == book["isbn"]
        assert book["title"]
        assert book["authors"]
        assert int(book["year"]) < options["now"].year - 2


def check_loans(files: DemoFiles, options: dict) -> None:
    loans = read(files.loans)
    assert len(loans) == options["loans"]
    assert len({loan["borrower"] for loan in loans}) == options["borrowers"]
    assert {loan["book"] for loan in loans} <= {book["id"] for book in read(files.books)}
    for loan in loans:
        borrowed, due = moment(loan["borrowed_at"]), moment(loan["due_at"])
        assert borrowed < moment(loan["returned_at"] or options["now"].isoformat()) <= options["now"]
        assert due - borrowed == timedelta(days=28 * (1 + int(loan["renewals"])))
        assert borrowed > options["now"] - timedelta(days=549)
    loans.sort(key=lambda loan: (loan["book"], loan["borrowed_at"]))
    for earlier, later in itertools.pairwise(loans):
        if earlier["book"] == later["book"]:
            assert "" < earlier["returned_at"] < later["borrowed_at"]
