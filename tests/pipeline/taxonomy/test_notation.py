"""Parent classes derived from notations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.taxonomy.hierarchy import path_of
from classifier.pipeline.taxonomy.notation import implied_parents


@pytest.mark.parametrize(
    ("notation", "path"),
    [
        ("ddc/53", ["ddc/5", "ddc/53"]),
        ("ddc/535", ["ddc/5", "ddc/53", "ddc/535"]),
        ("ddc/004", ["ddc/0", "ddc/00", "ddc/004"]),
        ("中图法/O4", ["中图法/O", "中图法/O4"]),
        ("中图法/TP391", ["中图法/T", "中图法/TP", "中图法/TP3", "中图法/TP39", "中图法/TP391"]),
        ("clc/I247.57", ["clc/I", "clc/I2", "clc/I24", "clc/I247", "clc/I247.5", "clc/I247.57"]),
        ("clc/I", ["clc/I"]),
        ("clc/TP", ["clc/T", "clc/TP"]),
        ("a/b/53", ["a/b/5", "a/b/53"]),
    ],
)
def test_each_character_is_a_level(notation, path):
    assert list(path_of(notation, implied_parents([notation]))) == path


@pytest.mark.parametrize(
    "notation",
    [
        "",
        "5",
        "5350",
        "535.2",
        "history",
        "AST",
        "AB",
        "ABC1",
        "o4",
        "O4-43",
        "O4/7",
        "5a",
        "５３",
        "53 ",
        "生活",
    ],
)
def test_other_notations_imply_nothing(notation):
    assert implied_parents([f"local/{notation}"]) == {}


def test_one_foreign_notation_excludes_the_scheme():
    assert implied_parents(["local/53", "local/Fiction", "ddc/53"]) == {"ddc/53": "ddc/5"}
    assert implied_parents(["local/53", "local/O4"]) == {}


dewey = st.from_regex(r"[0-9]{2,3}", fullmatch=True)
chinese = st.from_regex(r"[A-Z]{1,2}[0-9]{1,4}(\.[0-9]{1,3})?", fullmatch=True)


@given(st.lists(dewey, max_size=9) | st.lists(chinese, max_size=9))
def test_parents_are_prefixes_and_end(notations):
    keys = [f"s/{notation}" for notation in notations]
    parents = implied_parents(keys)
    assert set(keys) <= set(parents)
    for below, above in parents.items():
        assert below.startswith(above)
        assert 1 <= len(below) - len(above) <= 2
    assert {path_of(key, parents)[0] for key in keys} == {key[:3] for key in keys}
