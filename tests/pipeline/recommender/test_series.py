"""Series and groups of titles."""

import pytest

from classifier.pipeline.recommender.series import groups_of, series_of


@pytest.mark.parametrize(
    ("title", "series"),
    [
        ("Naruto. Tome 12, Le combat", "naruto"),
        ("Naruto, tome II", "naruto"),
        ("The Sandman Vol. 3: Dream country", "the sandman"),
        ("哈利波特 7", "哈利波特"),
        ("三国演义 第三卷", "三国演义"),
        ("Emma", ""),
        ("1984", ""),
        ("", ""),
    ],
)
def test_volume_number_gives_the_series(title, series):
    assert series_of(title) == series


def test_title_is_grouped_by_author_and_series():
    assert groups_of(authors="Kishimoto", title="Naruto 3") == ["author:Kishimoto", "series:naruto"]
    assert groups_of(authors="", title="Emma") == []
