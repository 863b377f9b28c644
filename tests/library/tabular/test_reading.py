import csv
import gzip
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.errors import LibraryError
from library.tabular import ImportReport, UnusableFileError, read_rows
from library.tabular.reading import MAX_ROW_LENGTH
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
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_spreadsheet_files_are_read(file, content, pack):
    rows, report = read(file(pack(content.encode())))
    assert rows == [(2, ["1", "书"])]
    assert report.problems == []
    assert report.warnings == []


def test_blank_rows_are_ignored(file):
    rows, report = read(file("\na,b\n\n1,2\n,\n3,4\n\n"))
    assert rows == [(4, ["1", "2"]), (6, ["3", "4"])]
    assert report.problems == []


def test_unknown_columns_are_ignored_with_a_warning(file):
    rows, report = read(file("a,shelf,b,,colour\n1,x,2,y,z\n"))
    assert rows == [(2, ["1", "2"])]
    assert report.warnings == ["file.csv: skipped unknown columns: shelf, colour."]


def test_row_has_the_number_of_its_first_line(file):
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
        ('2,"a ""word""","open', "c"),
    ],
)
def test_broken_quote_is_reported_with_line_and_column(file, line, column):
    path = file(f'a,b,c\n1,x,y\n{line}\n3,x,"y"\n4,x,y\n')
    with pytest.raises(
        UnusableFileError, match=f"line 3: The quote that opens in column {column}"
    ) as refusal:
        read(path)
    assert refusal.value.extra == {"file": "file.csv", "row": 3, "column": column}


def test_broken_quote_is_reported_on_its_own_line_of_the_row(file):
    with pytest.raises(UnusableFileError, match="line 3: The quote that opens in column b"):
        read(file('a,b,c\n"one\ntwo","open\n2,x,y\n'))


def test_multiline_row_with_wrong_field_count_is_refused(file):
    # The quotes of rows 2 and 4 pair off and swallow row 3.
    with pytest.raises(UnusableFileError, match=r"line 2: Too few fields.*extends to line 4") as refusal:
        read(file('a,b,c\n2,"x\n3,x,y\n4,x"\n5,x,y\n'))
    assert refusal.value.extra["row"] == 2


def test_long_field_is_read(file):
    text = "x" * 900_000
    rows, report = read(file(f'a,b\n1,"{text}"\n2,y\n'))
    assert rows == [(2, ["1", text]), (3, ["2", "y"])]
    assert report.problems == []


@pytest.mark.parametrize(
    "field",
    [
        "x" * 3_000_000,
        '"' + "x, " * 400_000 + '"',
        '"' + 'the ""word"", ' * 80_000 + '"',
        '5" disks ' + "x" * 1_000_000,
        '"' + "line\r\nline, line\n" * 60_000 + '"',
    ],
    ids=["plain", "quoted", "quotes", "inch", "lines"],
)
def test_row_that_is_too_long_is_skipped(file, field):
    lines = field.count("\n")
    rows, report = read(file(f"a,b,c\n1,2,3\n4,{field},6\n7,8,9\n"))
    assert rows == [(2, ["1", "2", "3"]), (4 + lines, ["7", "8", "9"])]
    assert [(problem.row, problem.message) for problem in report.problems] == [
        (3, "The row is longer than 1,000,000 characters. Row skipped.")
    ]
    assert report.skipped == 1


def test_row_without_end_is_refused_with_its_column(file):
    with pytest.raises(UnusableFileError, match=r"line 2: The row is far longer .* column b") as refusal:
        read(file('a,b\n1,"open\n' + "2,y\n" * 1_000_000))
    assert refusal.value.extra == {"file": "file.csv", "row": 2, "column": "b"}


def test_long_rows_need_little_memory(file):
    path = file("a,b\n1," + "x" * 60_000_000 + "\n2,y\n")
    tracemalloc.start()
    try:
        rows, _ = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == [(3, ["2", "y"])]
    assert peak < 20_000_000


def test_invalid_byte_far_into_a_line_is_located(file):
    with pytest.raises(UnusableFileError, match="line 2: invalid UTF-8: byte 0xE9 at character 1500001"):
        read(file(b"a,b\n" + b"x" * 1_500_000 + b"\xe9,2\n"))


def test_rows_with_wrong_field_count_or_nul_are_skipped(file):
    rows, report = read(file("a,b\n1\n1,2,3\n1,\0\n5,6\n"))
    assert rows == [(5, ["5", "6"])]
    assert problems(report) == [
        (2, "", "Too few fields"),
        (3, "", "Too many fields"),
        (4, "", "The row contains a NUL byte. Row skipped."),
    ]
    assert report.skipped == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.csv, line 1: the file is empty"),
        (b"\n\n", "file.csv, line 1: the file is empty"),
        (b"b,c\n1,2\n", 'file.csv, line 1: required columns are missing: a; columns found: "b", "c".'),
        (b"a;b\n1;2\n", "Save the file as comma-separated values."),
        (b"a,b,A\n1,2,3\n", 'file.csv, line 1: column "a" appears more than once.'),
        (b"a,b\n1,\xe9t\xe9\n", "file.csv, line 2: invalid UTF-8: byte 0xE9 at character 3."),
        ("a,b\n1,2\n".encode("utf-16"), "file.csv, line 1: invalid UTF-8: byte 0xFF at character 1."),
        (
            "a,b\n1,2\n".encode("utf-16-le"),
            "file.csv, line 1: the file contains NUL bytes and may be UTF-16.",
        ),
        (b'"a,b\n1,2\n', "file.csv, line 1: The quote that opens in column 1 is never closed"),
        (
            b"x" * MAX_ROW_LENGTH + b",b\n1,2\n",
            "file.csv, line 1: The row is longer than 1,000,000 characters.",
        ),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "file.csv: the gzip file is damaged"),
        (b"\x1f\x8b" + b"no gzip", "file.csv: the gzip file is damaged"),
    ],
)
def test_unusable_file_is_refused_with_reason_and_line(file, content, message):
    with pytest.raises(UnusableFileError) as refusal:
        read(file(content))
    assert message in refusal.value.message
    assert refusal.value.extra["file"] == "file.csv"


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(UnusableFileError, match=r"nowhere\.csv: cannot be read: No such file"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(UnusableFileError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_progress_reaches_the_file_size(file):
    path = file("a,b\n" + "1,2\n" * 5000)
    calls = []
    report = ImportReport(file=path.name)
    _, rows = read_rows(
        path=path,
        required=["a", "b"],
        optional=[],
        report=report,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert len(list(rows)) == 5000
    size = path.stat().st_size // 1024
    assert calls[0] == (0, size)
    assert calls[-1] == (size, size)
    assert calls == sorted(calls)


@given(st.lists(st.tuples(UTF8_TEXT, UTF8_TEXT, UTF8_TEXT)), st.sampled_from(["\n", "\r\n"]))
def test_any_text_survives_writing_and_reading(scratch, written, line_break):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=line_break).writerows([("a", "b", "c"), *written])
    scratch.write_bytes(text.getvalue().encode())
    rows, report = read(scratch)
    # Except the apostrophe before text that looks like a formula.
    assert [cells for _, cells in rows] == [[*map(plain_cell, cells)] for cells in written if any(cells)]
    assert report.problems == []


@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["a", "b", "c"]))
def test_open_quote_is_reported_where_it_opens(scratch, before, after, column):
    broken = ",".join('"x' if name == column else "x" for name in "abc")
    lines = [*["1,x,y"] * before, broken, *["2,x,y"] * after]
    scratch.write_text("\n".join(["a,b,c", *lines]) + "\n")
    with pytest.raises(UnusableFileError) as refusal:
        read(scratch)
    assert (refusal.value.extra["row"], refusal.value.extra["column"]) == (before + 2, column)


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
def test_arbitrary_bytes_raise_only_library_errors(scratch, content):
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
