"""Tables of results and settings, in both languages."""

import pytest
from django.utils.translation import override

from classifier.presentation.tables import NAMES, results_table, settings_table
from library.admin_site.widgets.tiles import labelled


def test_results_table_is_localised():
    results = {
        "held_out": 12345,
        "by_level": [0.91234567, 1.0],
        "active": True,
        "changed": {"new": 3},
        "output": None,
    }
    assert results_table(results) == (
        '<table class="facts"><tr><th scope="row">test '
        'books</th><td>12,345</td></tr><tr><th scope="row">accuracy by category '
        'level</th><td>0.9123, 1</td></tr><tr><th scope="row">now '
        'active</th><td>yes</td></tr><tr><th scope="row">changed: '
        'new</th><td>3</td></tr><tr><th scope="row">output file</th><td>-</td></tr></table>'
    )
    with override("zh-hans"):
        table = results_table(results)
    for text in ("测试图书", "是", "：", "输出文件"):
        assert text in table


def test_settings_table_keeps_setting_names():
    table = settings_table({"network": {"dropout": 0.5, "learning_rate": 0.00025}, "seed": 1, "model": ""})
    assert "<code>network.dropout</code></th><td>0.5<" in table
    assert "<code>network.learning_rate</code></th><td>0.00025<" in table
    assert "<code>seed</code></th><td>1<" in table
    assert "<code>model</code></th><td>-<" in table


def test_empty_table_is_a_dash():
    assert results_table({}) == settings_table({}) == "-"


@pytest.mark.parametrize("name", NAMES)
def test_name_has_chinese_translation(name):
    with override("zh-hans"):
        assert str(NAMES[name]).isascii() is False


def test_colon_is_localised():
    assert labelled("Loans", 3) == "Loans: 3"
    with override("zh-hans"):
        assert labelled("借出", 3) == "借出：3"
