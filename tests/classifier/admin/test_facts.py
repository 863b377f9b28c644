"""What a run or a version says of itself: named and written in both languages."""

import pytest
from django.utils.translation import override

from classifier.presentation.facts import NAMES, as_facts, as_settings
from library.admin_site.widgets.tiles import labelled


def test_results_are_named_and_written_as_the_language_does():
    found = {
        "held_out": 12345,
        "by_level": [0.91234567, 1.0],
        "active": True,
        "changed": {"new": 3},
        "output": None,
    }
    assert as_facts(found) == (
        '<table class="facts">'
        '<tr><th scope="row">held-out books</th><td>12,345</td></tr>'
        '<tr><th scope="row">right answers by level of the tree</th><td>0.9123, 1</td></tr>'
        '<tr><th scope="row">classifies now</th><td>yes</td></tr>'
        '<tr><th scope="row">changed: new</th><td>3</td></tr>'
        '<tr><th scope="row">file written</th><td>-</td></tr></table>'
    )
    with override("zh-hans"):
        told = as_facts(found)
    for words in ("保留图书", "各级类目的正确率", "是", "：", "写出的文件"):
        assert words in told


def test_settings_keep_the_names_that_they_are_set_by():
    told = as_settings({"network": {"dropout": 0.5, "learning_rate": 0.00025}, "seed": 1, "model": ""})
    assert "<code>network.dropout</code></th><td>0.5<" in told
    assert "<code>network.learning_rate</code></th><td>0.00025<" in told
    assert "<code>seed</code></th><td>1<" in told
    assert "<code>model</code></th><td>-<" in told


def test_nothing_is_a_dash():
    assert as_facts({}) == as_settings({}) == "-"


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_another_one_in_chinese(name):
    with override("zh-hans"):
        assert str(NAMES[name]).isascii() is False


def test_the_colon_is_the_languages_own():
    assert labelled("Loans", 3) == "Loans: 3"
    with override("zh-hans"):
        assert labelled("借出", 3) == "借出：3"
