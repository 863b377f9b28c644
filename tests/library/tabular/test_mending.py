import pytest

from library.tabular import rows_at, with_rows

TEXT = 'id,title\r\n1,"Stars\r\nand more"\r\n2,Optics,odd\r\n3,"open\r\n4,Light'


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (1, "id,title"),
        (2, '1,"Stars\r\nand more"'),
        (4, "2,Optics,odd"),
        # The quote would take in the rest of the file.
        (5, '3,"open'),
        (6, "4,Light"),
    ],
)
def test_a_row_is_shown_with_all_its_lines_and_with_no_other_row(line, row):
    assert rows_at(text=TEXT, lines=[line]) == {line: row}


@pytest.mark.parametrize("line", [0, 7])
def test_there_is_no_row_beyond_the_text(line):
    assert rows_at(text=TEXT, lines=[line]) == {}
    assert with_rows(text=TEXT, rows={line: "9,New"}) == TEXT


def test_only_a_files_own_line_breaks_end_a_line():
    assert rows_at(text="id,title\n1,a\u2028b\x0bc\n2,d\n", lines=[2, 3]) == {2: "1,a\u2028b\x0bc", 3: "2,d"}


def test_mended_rows_stand_where_the_faulty_ones_stood():
    mended = with_rows(text=TEXT, rows={2: "1,Stars", 4: "2,Optics", 5: "3,open\r\n"})
    assert mended == "id,title\r\n1,Stars\n2,Optics\n3,open\n4,Light"


def test_a_row_that_is_emptied_leaves_a_blank_line():
    assert with_rows(text="id\n1\n2\n", rows={2: ""}) == "id\n\n2\n"
