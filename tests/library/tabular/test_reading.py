import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.errors import LibraryError
from library.tabular import ImportReport, UnusableFileError, read_rows
from library.tabular.reading import LONGEST_LINE, MOST_LINES_A_ROW
from library.tabular.writing import plain_cell

UTF8_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def read(path, required=("a", "b"), optional=("c",)):
    """Return rows as (line, cells), and the report."""
    report = ImportReport(file=path.name)
    _, rows = read_rows(path=path, required=required, optional=optional, report=report)
    return [(row.line, list(row.cells.values())) for row in rows], report


def problems(report):
    return [(problem.row, problem.column, problem.message.split(":")[0]) for problem in report.problems]


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "file.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "file.csv"


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,书\n",
        "\ufeffa,b\n1,书\n",
        "a,b\r\n1,书\r\n",
        "a,b\r1,书\r",
        "a,b\n1,书",
        '"a","b"\n"1","书"\n',
        " A ,B\n1,书\n",
    ],
    ids=["plain", "byte order mark", "CRLF", "CR", "no last line break", "all quoted", "untidy header"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["as is", "gzip"])
def test_files_as_spreadsheets_write_them_are_read(file, content, pack):
    rows, report = read(file(pack(content.encode())))
    assert rows == [(2, ["1", "书"])]
    assert report.problems == []
    assert report.warnings == []


def test_blank_lines_and_rows_of_blank_cells_are_passed_over(file):
    rows, report = read(file("\na,b\n\n1,2\n,\n3,4\n\n"))
    assert rows == [(4, ["1", "2"]), (6, ["3", "4"])]
    assert report.problems == []


def test_unknown_columns_are_named_in_a_warning_and_left_out(file):
    rows, report = read(file("a,shelf,b,,colour\n1,x,2,y,z\n"))
    assert rows == [(2, ["1", "2"])]
    assert report.warnings == ["file.csv: unknown columns, left out: shelf, colour."]


def test_a_row_is_known_by_the_line_where_it_begins(file):
    rows, _ = read(file('a,b\n"one\ntwo","x"\n3,4\n'))
    assert rows == [(2, ["one\ntwo", "x"]), (4, ["3", "4"])]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ('2,"open,x', "b"),
        ('"open,x,y', "a"),
        ('2,"early"x,y', "b"),
        ('2,x,"open', "c"),
        ('2,"ok","early"x', "c"),
        ('"2","early" ,y', "b"),
    ],
)
def test_a_broken_quote_costs_its_row_and_no_other(file, line, column):
    rows, report = read(file(f'a,b,c\n1,x,y\n{line}\n3,x,"y"\n4,x,y\n'))
    assert rows == [(2, ["1", "x", "y"]), (4, ["3", "x", "y"]), (5, ["4", "x", "y"])]
    assert [(problem.file, problem.row, problem.column) for problem in report.problems] == [
        ("file.csv", 3, column)
    ]
    assert "a quote that is never closed, or closed too early" in report.problems[0].message
    assert report.skipped == 1


def test_a_broken_quote_is_named_by_the_line_where_it_opens(file):
    rows, report = read(file('a,b,c\n"one\ntwo","open\n2,x,y\n'))
    assert rows == [(4, ["2", "x", "y"])]
    assert problems(report)[0][:2] == (3, "b")


def test_good_rows_swallowed_by_a_stray_quote_are_found_again(file):
    # The quotes of the rows 2 and 4 pair off: to a reader of CSV that is one row with too few fields.
    rows, report = read(file('a,b,c\n2,"x\n3,x,y\n4,x"\n5,x,y\n'))
    assert rows == [(3, ["3", "x", "y"]), (5, ["5", "x", "y"])]
    assert problems(report) == [(2, "", "Too few fields"), (4, "", "Too few fields")]


def test_a_quote_open_for_too_many_lines_is_given_up(file):
    lines = "".join(f"{number},x\n" for number in range(MOST_LINES_A_ROW + 5))
    rows, report = read(file(f'a,b\n1,"open\n{lines}'))
    assert len(rows) == MOST_LINES_A_ROW + 5
    assert [(problem.row, problem.column) for problem in report.problems] == [(2, "b")]


def test_a_field_beyond_any_text_costs_its_row(file):
    rows, report = read(file(f'a,b\n1,"{"x" * 200_000}"\n2,y\n'))
    assert rows == [(3, ["2", "y"])]
    assert [(problem.row, problem.column) for problem in report.problems] == [(2, "b")]


def test_rows_with_too_few_or_too_many_fields_and_nul_bytes_are_skipped_and_named(file):
    rows, report = read(file("a,b\n1\n1,2,3\n1,\0\n5,6\n"))
    assert rows == [(5, ["5", "6"])]
    assert problems(report) == [
        (2, "", "Too few fields"),
        (3, "", "Too many fields"),
        (4, "", "It has a NUL byte, which text never has. The row is left out."),
    ]
    assert report.skipped == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.csv, line 1: the file is empty"),
        (b"\n\n", "file.csv, line 1: the file is empty"),
        (b"b,c\n1,2\n", 'file.csv, line 1: no column a; the columns are "b", "c".'),
        (b"a;b\n1;2\n", "Save the file with commas between the columns."),
        (b"a,b,A\n1,2,3\n", 'file.csv, line 1: column "a" is there more than once.'),
        (b"a,b\n1,\xe9t\xe9\n", "file.csv, line 2: not UTF-8: byte 0xE9 at character 3."),
        ("a,b\n1,2\n".encode("utf-16"), "file.csv, line 1: not UTF-8: byte 0xFF at character 1."),
        ("a,b\n1,2\n".encode("utf-16-le"), "file.csv, line 1: NUL bytes: is it UTF-16?"),
        (b'"a,b\n1,2\n', "file.csv, line 1: cannot be read as CSV"),
        (b"a,b\n" + b"x" * (LONGEST_LINE + 1), "file.csv, line 2: longer than 1,000,000 characters."),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "file.csv: a damaged gzip file"),
        (b"\x1f\x8b" + b"no gzip", "file.csv: a damaged gzip file"),
    ],
)
def test_a_file_of_no_use_is_refused_with_the_reason_and_the_place(file, content, message):
    with pytest.raises(UnusableFileError) as refusal:
        read(file(content))
    assert message in refusal.value.message
    assert refusal.value.extra["file"] == "file.csv"


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UnusableFileError, match=r"nowhere\.csv: cannot be read: No such file"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(UnusableFileError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_progress_ends_with_all_of_the_file(file):
    path = file("a,b\n" + "1,2\n" * 5000)
    said = []
    report = ImportReport(file=path.name)
    _, rows = read_rows(
        path=path,
        required=["a", "b"],
        optional=[],
        report=report,
        progress=lambda done, total: said.append((done, total)),
    )
    assert len(list(rows)) == 5000
    size = path.stat().st_size // 1024
    assert said[0] == (0, size)
    assert said[-1] == (size, size)
    assert said == sorted(said)


@given(st.lists(st.tuples(UTF8_TEXT, UTF8_TEXT, UTF8_TEXT)), st.sampled_from(["\n", "\r\n"]))
def test_any_text_written_as_csv_is_read_as_it_was(scratch, written, line_break):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=line_break).writerows([("a", "b", "c"), *written])
    scratch.write_bytes(text.getvalue().encode())
    rows, report = read(scratch)
    # But for the apostrophe that marks what a spreadsheet would take for a formula.
    assert [cells for _, cells in rows] == [[*map(plain_cell, cells)] for cells in written if any(cells)]
    assert report.problems == []


@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["a", "b", "c"]))
def test_an_open_quote_never_hides_a_row_before_or_after_it(scratch, before, after, column):
    broken = ",".join('"x' if name == column else "x" for name in "abc")
    lines = (
        [f"{number},x,y" for number in range(before)]
        + [broken]
        + [f"{number},x,y" for number in range(after)]
    )
    scratch.write_text("\n".join(["a,b,c", *lines]) + "\n")
    rows, report = read(scratch)
    assert [cells[0] for _, cells in rows] == [str(number) for number in [*range(before), *range(after)]]
    assert [(problem.row, problem.column) for problem in report.problems] == [(before + 2, column)]


CSV_LIKE = st.text('a,"\n\r\0é', max_size=60).map(str.encode)


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda tail: b"a,b\n" + tail),
        st.binary().map(lambda tail: b"\x1f\x8b\x08\0" + tail),
        CSV_LIKE.map(lambda tail: b"a,b\n" + tail),
        CSV_LIKE.map(lambda tail: gzip.compress(b"a,b,c\n" + tail, mtime=0)),
    )
)
def test_no_bytes_raise_anything_but_an_error_for_people(scratch, content):
    scratch.write_bytes(content)
    try:
        rows, report = read(scratch)
    except LibraryError as error:
        message, rows, report = error.message, [], None
    else:
        message = ""
    lines = [line for line, _ in rows]
    assert lines == sorted(set(lines))
    assert all(len(cells) in (2, 3) for _, cells in rows)
    assert message.startswith("file.csv") if report is None else report.skipped == len(report.problems)
