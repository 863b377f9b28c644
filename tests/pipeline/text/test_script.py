"""Chinese script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opencc import OpenCC

from classifier.pipeline.text.script import fold_script

TEXTS = (
    "经济学原理",
    "台湾历史与文化",
    "有着丰富想象力的作家",
    "执着的人随着时代前进",
    "侧重于卫生和叙事",
    "干燥的沙漠，后来的皇后",
    "头发与发展",
    "一只猫只吃鱼",
    "范围里面的面条",
)


@pytest.mark.parametrize("region", ["s2t", "s2tw", "s2hk"])
@pytest.mark.parametrize("text", TEXTS)
def test_traditional_text_equals_simplified(text, region):
    assert fold_script(text) == text
    assert fold_script(OpenCC(region).convert(text)) == text


def test_words_with_both_characters_keep_them():
    assert fold_script("乾隆 乾燥 名著 著作 跟著") == "乾隆 干燥 名著 著作 跟着"


@pytest.mark.parametrize("text", ["", "Économie", "Книга", "ひらがな カタカナ", "한국어", "\ud800"])
def test_other_scripts_stay(text):
    assert fold_script(text) == text


def test_lone_surrogates_and_nul_stay():
    assert fold_script("經\ud800\ud800濟\0學") == "经\ud800\ud800济\0学"


@given(st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF)) | st.text())
def test_folding_again_changes_nothing(text):
    assert fold_script(fold_script(text)) == fold_script(text)
