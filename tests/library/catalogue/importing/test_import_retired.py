"""Files that name categories that were given up."""

import pytest
from django.utils import translation

from library.catalogue.importing.books import import_books
from library.catalogue.importing.categories import import_categories
from library.catalogue.models import Book, Category
from library.catalogue.services.taxonomy.changes import apply, undo
from library.catalogue.services.taxonomy.requests import Merge, Retire
from tests.factories import NOW, make_category
from tests.files import write_csv

pytestmark = pytest.mark.django_db


@pytest.fixture
def changes():
    """Category a merged into b, and c retired."""
    a, b, c = (make_category(notation=notation) for notation in "abc")
    return [
        apply(wish=Merge(sources=(a.pk,), into=b.pk), now=NOW),
        apply(wish=Retire(category=c.pk, books_to="unfiled"), now=NOW),
    ]


def test_books_of_a_merged_category_go_to_the_other_and_of_a_retired_one_to_none(changes, tmp_path):
    rows = [("1", "One", "a"), ("2", "Two", "a"), ("3", "Three", "c"), ("4", "Four", "b")]
    path = write_csv(tmp_path / "books.csv", "id,title,category", *rows)
    report = import_books(path=path, now=NOW)
    assert dict(Book.objects.values_list("control_number", "category__notation")) == {
        "1": "b", "2": "b", "3": None, "4": "b",
    }  # fmt: skip
    assert report.warnings == [
        '"a" was given up: 2 books that the file has there were taken for the category in its place. '
        "Name that one in the file."
    ]
    (problem,) = report.problems
    assert (problem.row, problem.column) == (4, "category")
    assert problem.message == (
        '"c" was retired and no category is in its place; left out. Name another category, or undo the '
        "taxonomy change."
    )
    assert import_books(path=path, now=NOW).unchanged == 4
    for change in reversed(changes):
        undo(change=change, now=NOW)
    assert import_books(path=path, now=NOW).updated == 3
    assert Book.objects.get(control_number="3").category.notation == "c"


def test_a_file_of_categories_leaves_retired_ones_alone(changes, tmp_path):
    rows = [("a", "again", ""), ("d", "new", "c"), ("e", "new", "b")]
    path = write_csv(tmp_path / "categories.csv", "notation,label_en,parent", *rows)
    report = import_categories(path=path)
    assert (report.created, report.skipped) == (2, 1)
    assert [(problem.row, problem.column, problem.message) for problem in report.problems] == [
        (2, "notation", '"a" was retired. Undo the taxonomy change to have it back. The row is left out.'),
        (3, "parent", '"c" was retired; left out.'),
    ]
    assert dict(Category.objects.filter(notation__in="ade").values_list("notation", "parent__notation")) == {
        "a": None, "d": None, "e": "b",
    }  # fmt: skip


def test_in_chinese_the_faults_of_categories_are_told_in_chinese(changes, tmp_path):
    rows = [
        ("a", "", ""),
        ("", "No", ""),
        ("2" * 201, "", ""),
        ("d", "x" * 201, "c"),
        ("e", "", "9"),
        ("f", "", "f"),
        ("e", "", "9"),
    ]
    path = write_csv(tmp_path / "categories.csv", "notation,label_en,parent", *rows)
    with translation.override("zh-hans"):
        report = import_categories(path=path)
    assert [(problem.row, problem.message) for problem in report.problems] == [
        (2, '"a" 已停用。如需恢复，请撤销该分类法变更。 该行已略去。'),
        (3, "缺少分类号。 该行已略去。"),
        (4, f'"{"2" * 59}…" 超过 200 个字符。 该行已略去。'),
        (5, '"c" 已停用；已略去。'),
        (5, "共 201 个字符；已截至 200 个。"),
        (7, '该类目将成为自己的上级类目："f"；已略去。'),
        (8, '"e" 已出现在第 6 行；以本行为准。'),
        (8, '没有类目 "9"；已略去。'),
    ]


def test_in_chinese_an_empty_file_is_told_in_chinese(tmp_path):
    path = write_csv(tmp_path / "categories.csv", "notation")
    with translation.override("zh-hans"):
        assert import_categories(path=path).warnings == ["categories.csv 没有数据行。"]
