"""Imports of files that name retired categories."""

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
        apply(change_request=Merge(sources=(a.pk,), into=b.pk), now=NOW),
        apply(change_request=Retire(category=c.pk, books_to="unfiled"), now=NOW),
    ]


def test_books_follow_merged_categories(changes, tmp_path):
    rows = [("1", "One", "a"), ("2", "Two", "a"), ("3", "Three", "c"), ("4", "Four", "b")]
    path = write_csv(tmp_path / "books.csv", "id,title,category", *rows)
    report = import_books(path=path, now=NOW)
    assert dict(Book.objects.values_list("control_number", "category__notation")) == {
        "1": "b", "2": "b", "3": None, "4": "b",
    }  # fmt: skip
    assert report.warnings == [
        (
            'Category "a" has been replaced: 2 books in the file were filed under its '
            "replacement. Update the file."
        )
    ]
    (problem,) = report.problems
    assert (problem.row, problem.column) == (4, "category")
    assert problem.message == (
        'Category "c" was retired without a replacement; the value is skipped. Use another '
        "category, or undo the category change."
    )
    assert import_books(path=path, now=NOW).unchanged == 4
    for change in reversed(changes):
        undo(change=change, now=NOW)
    assert import_books(path=path, now=NOW).updated == 3
    assert Book.objects.get(control_number="3").category.notation == "c"


def test_retired_categories_are_not_imported(changes, tmp_path):
    rows = [("a", "again", ""), ("d", "new", "c"), ("e", "new", "b")]
    path = write_csv(tmp_path / "categories.csv", "notation,label_en,parent", *rows)
    report = import_categories(path=path)
    assert (report.created, report.skipped) == (2, 1)
    assert [(problem.row, problem.column, problem.message) for problem in report.problems] == [
        (
            2,
            "notation",
            'Category "a" has been retired. To restore it, undo the category change. Row skipped.',
        ),
        (3, "parent", 'Category "c" has been retired. The value is skipped.'),
    ]
    assert dict(Category.objects.filter(notation__in="ade").values_list("notation", "parent__notation")) == {
        "a": None, "d": None, "e": "b",
    }  # fmt: skip


def test_category_problems_are_translated(changes, tmp_path):
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
        (2, '类目 "a" 已停用。如需恢复，请撤销该类目变更。 已跳过该行。'),
        (3, "缺少分类号。 已跳过该行。"),
        (4, f'"{"2" * 59}…" 超过 200 个字符。 已跳过该行。'),
        (5, '类目 "c" 已停用，已跳过该值。'),
        (5, "文本共 201 个字符，已截断为 200 个字符。"),
        (7, '该上级类目会形成循环："f"，已跳过该值。'),
        (8, '"e" 与第 6 行重复，以本行为准。'),
        (8, '类目 "9" 不存在，已跳过该值。'),
    ]


def test_empty_file_warning_is_translated(tmp_path):
    path = write_csv(tmp_path / "categories.csv", "notation")
    with translation.override("zh-hans"):
        assert import_categories(path=path).warnings == ["categories.csv 没有数据行。"]
