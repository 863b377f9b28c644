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
def test_a_series_is_told_from_the_number_of_the_volume(title, series):
    assert series_of(title) == series


def test_a_title_is_grouped_by_its_authors_and_its_series():
    assert groups_of(authors="Kishimoto", title="Naruto 3") == ["author:Kishimoto", "series:naruto"]
    assert groups_of(authors="", title="Emma") == []
