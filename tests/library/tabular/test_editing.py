import pytest

from library.tabular import replace_rows, rows_at

TEXT = 'id,title\r\n1,"Stars\r\nand more"\r\n2,Optics,odd\r\n3,"open\r\n4,Light'


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (1, "id,title"),
        (2, '1,"Stars\r\nand more"'),
        (4, "2,Optics,odd"),
        # The open quote would swallow the rest of the file.
        (5, '3,"open'),
        (6, "4,Light"),
    ],
)
def test_row_has_all_its_lines_and_no_other_row(line, row):
    assert rows_at(text=TEXT, lines=[line]) == {line: row}


@pytest.mark.parametrize("line", [0, 7])
def test_no_row_outside_the_text(line):
    assert rows_at(text=TEXT, lines=[line]) == {}
    assert replace_rows(text=TEXT, rows={line: "9,New"}) == TEXT


def test_only_file_line_breaks_end_a_line():
    assert rows_at(text="id,title\n1,a\u2028b\x0bc\n2,d\n", lines=[2, 3]) == {2: "1,a\u2028b\x0bc", 3: "2,d"}


def test_rows_are_replaced_in_place():
    edited = replace_rows(text=TEXT, rows={2: "1,Stars", 4: "2,Optics", 5: "3,open\r\n"})
    assert edited == "id,title\r\n1,Stars\n2,Optics\n3,open\n4,Light"


def test_emptied_row_leaves_a_blank_line():
    assert replace_rows(text="id\n1\n2\n", rows={2: ""}) == "id\n\n2\n"
