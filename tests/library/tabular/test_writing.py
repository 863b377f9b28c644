"""Written files contain no formulas and are read back unchanged."""

import ast
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.tabular import CsvWriter, ImportReport, read_rows
from library.tabular.writing import plain_cell, safe_cell

ROOT = Path(__file__).parents[3]
STARTS = "=+-@\t\r\n＝＋－＠"

#: Any text, and many texts that start like a formula.
TEXT = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.builds(
        "".join, st.tuples(st.text("'", max_size=3), st.sampled_from(STARTS), st.text("1a'=(", max_size=4))
    ),
)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("written") / "file.csv"


def is_plain_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and not text.startswith("+") and "_" not in text


@given(TEXT)
def test_only_numbers_start_like_a_formula(text):
    cell = safe_cell(text)
    assert cell[:1] not in tuple(STARTS) or is_plain_number(cell)
    assert plain_cell(cell) == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('=HYPERLINK("http://evil.example")', '\'=HYPERLINK("http://evil.example")'),
        ("@SUM(1+1)", "'@SUM(1+1)"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("+44 20 7946 0000", "'+44 20 7946 0000"),
        ("＝1+1", "'＝1+1"),
        ("'=1", "''=1"),
        ("-0.250000", "-0.250000"),
        ("-", "'-"),
        ("", ""),
        ("'tis", "'tis"),
        ("水浒传", "水浒传"),
        (-3, -3),
        (-0.5, -0.5),
        (None, None),
    ],
)
def test_only_formulas_are_marked_as_text(value, cell):
    assert safe_cell(value) == cell


@given(st.lists(st.tuples(TEXT, TEXT, TEXT)))
def test_written_rows_are_read_unchanged(scratch, written):
    text = io.StringIO(newline="")
    writer = CsvWriter(text)
    writer.writerow(("a", "b", "c"))
    writer.writerows(written)
    scratch.write_bytes(text.getvalue().encode())
    report = ImportReport(file="file.csv")
    _, rows = read_rows(path=scratch, required=("a", "b", "c"), optional=(), report=report)
    assert [tuple(row.cells.values()) for row in rows] == [cells for cells in written if any(cells)]
    assert report.problems == []
    for cells in csv.reader(io.StringIO(text.getvalue(), newline="")):
        assert all(cell[:1] not in tuple(STARTS) or is_plain_number(cell) for cell in cells)


def test_no_other_module_writes_csv():
    """A plain `csv.writer` elsewhere would let formulas through."""
    found = set()
    for package in ("library", "classifier"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if (isinstance(node, ast.Attribute) and node.attr in ("writer", "DictWriter", "to_csv")) or (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "csv"
                    and {name.name for name in node.names} & {"writer", "DictWriter"}
                ):
                    found.add(str(file.relative_to(ROOT)))
    assert found == {"library/tabular/writing.py"}
