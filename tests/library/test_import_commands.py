"""Output and exit codes of the three import commands."""

import json
import re

import pytest
from django.db import connection

from library.catalogue.models import Book, Category
from library.circulation.models import Loan
from tests.factories import make_book
from tests.files import write_csv, write_image

COMMANDS = ["import_books", "import_categories", "import_loans"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_example_and_rules(run, command):
    code, output, _ = run(command, "--help")
    output = re.sub(r"\s+", " ", output)
    assert code == 0
    assert f"Example: manage.py {command} " in output
    assert "Good rows are imported and bad ones are reported" in output
    assert "--strict" in output


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_usage_exits_with_2(run, command):
    code, output, error = run(command)
    assert (code, output) == (2, "")
    assert "the following arguments are required: file" in error


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.django_db
def test_missing_file_exits_with_1(run, tmp_path, command):
    code, output, error = run(command, tmp_path / "nowhere.csv")
    assert (code, output) == (1, "")
    assert error == "CommandError: nowhere.csv: cannot be read: No such file or directory.\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.django_db
def test_failure_is_reported_as_json(run, tmp_path, command):
    code, output, error = run(command, tmp_path / "nowhere.csv", "--json")
    assert code == 1
    assert json.loads(output) == {
        "error": "nowhere.csv: cannot be read: No such file or directory.",
        "file": "nowhere.csv",
        "row": None,
        "column": "",
    }
    assert "No such file" in error


@pytest.mark.django_db
def test_three_files_are_imported(run, tmp_path):
    write_image(tmp_path / "pictures" / "a.png")
    books = write_csv(tmp_path / "books.csv", "id,title,category,cover", ("7", "Optics", "535", "a.png"))
    categories = write_csv(tmp_path / "categories.csv", "notation,label_en", ("535", "Light"))
    loans = write_csv(
        tmp_path / "loans.csv", "borrower,book,borrowed_at,returned_at", ("P1", "7", "2024-01-01", "")
    )
    assert run("import_categories", categories, "--scheme", "ddc") == (
        0,
        "categories.csv: created: 1, updated: 0, unchanged: 0, skipped: 0.\n",
        "",
    )
    assert run("import_books", books, "--scheme", "ddc", "--covers", tmp_path / "pictures") == (
        0,
        "books.csv: created: 1, updated: 0, unchanged: 0, skipped: 0, copies created: 1, "
        "covers created: 1.\n",
        "",
    )
    assert run("import_loans", loans) == (
        0,
        "loans.csv: created: 1, updated: 0, unchanged: 0, skipped: 0, borrowers created: 1.\n",
        "",
    )
    assert Book.objects.get().category == Category.objects.get(scheme="ddc", label_en="Light")
    assert Loan.objects.get().copy.book.title == "Optics"


@pytest.mark.django_db
def test_problems_go_to_standard_error(run, tmp_path):
    books = write_csv(
        tmp_path / "books.csv", "id,title,year,shelf", ("7", "Optics", "19xx", ""), ("", "", "", "x")
    )
    code, output, error = run("import_books", books)
    assert code == 0
    assert output == "books.csv: created: 1, updated: 0, unchanged: 0, skipped: 1, copies created: 1.\n"
    assert error.splitlines() == [
        "books.csv: skipped unknown columns: shelf.",
        'books.csv, line 2, column year: "19xx" is not a year from 1 to '
        + re.search(r"from 1 to (\d+)", error)[1]
        + ". The value is skipped.",
        "books.csv, line 3, column id: Missing id. Row skipped.",
    ]


@pytest.mark.django_db
def test_long_problem_lists_are_cut_except_in_json(run, tmp_path):
    rows = [(f"{number}", "Title", "x") for number in range(30)]
    books = write_csv(tmp_path / "books.csv", "id,title,year", *rows)
    _, _, error = run("import_books", books, "--dry-run")
    assert len(error.splitlines()) == 21
    assert error.splitlines()[-1] == "More problems: 10. Use --json to list them all."
    code, output, error = run("import_books", books, "--dry-run", "--json")
    result = json.loads(output)
    assert (code, error) == (0, "")
    assert (result["created"], result["problem_count"], len(result["problems"])) == (30, 30, 30)
    assert result["problems"][29]["row"] == 31
    assert Book.objects.count() == 0


@pytest.mark.django_db
def test_strict_import_reports_and_imports_nothing(run, tmp_path):
    make_book(control_number="7")
    loans = write_csv(
        tmp_path / "loans.csv",
        "borrower,book,borrowed_at,returned_at",
        ("P1", "7", "2024-01-02", "2024-01-01"),
        ("P1", "7", "2024-01-02", "2024-01-03"),
    )
    code, output, error = run("import_loans", loans, "--strict")
    assert (code, output) == (1, "")
    assert error.splitlines() == [
        (
            "loans.csv, line 2, column returned_at: The return time 2024-01-01 00:00 is before "
            "the checkout time. Row skipped."
        ),
        ("CommandError: Nothing was imported: loans.csv has 1 problem. Fix them, or run without --strict."),
    ]
    assert Loan.objects.count() == 0
    code, output, _ = run("import_loans", loans, "--strict", "--json")
    assert code == 1
    assert json.loads(output)["problems"][0]["column"] == "returned_at"


@pytest.mark.django_db
def test_dry_run_says_nothing_imported(run, tmp_path):
    books = write_csv(tmp_path / "books.csv", "id,title", ("7", "Optics"))
    code, output, _ = run("import_books", books, "--dry-run")
    assert code == 0
    assert output.startswith("books.csv: dry run, nothing imported: created: 1")
    assert Book.objects.count() == 0


def test_unmigrated_database_is_reported(database, run, tmp_path):
    books = write_csv(tmp_path / "books.csv", "id,title", ("7", "Optics"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE catalogue_book RENAME TO elsewhere")
    try:
        code, output, error = run("import_books", books)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO catalogue_book")
    assert (code, output) == (1, "")
    assert "The database is unavailable (no such table: catalogue_book)" in error
    assert "run manage.py migrate" in error
