"""Markup in descriptions."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.text.html import strip_markup


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("<p>Salt<br/>and</p> pepper", " Salt and  pepper"),
        ("at < 0 °C and > 1 bar", "at < 0 °C and > 1 bar"),
        ("a <> b, i <3 u, 1 <= 2 => x", "a <> b, i <3 u, 1 <= 2 => x"),
        ("a<!-- no > text -->b", "a b"),
        ("a<script type='x'>if (1 < 2) '<b>'</SCRIPT >b<STYLE>b {}</style>c", "a b c"),
        ("On the <script> tag <!-- and comments", "On the   tag   and comments"),
        ("<![CDATA[kept", " kept"),
        ("<?xml version='1.0'?>kept<!DOCTYPE html>", " kept "),
        ('<img src="data:' + "A" * 5000 + '">kept', " kept"),
        ("&lt;b&gt;bold &lt; thin", " bold < thin"),
        ("a <b " + "far " * 100 + "> c", "a <b " + "far " * 100 + "> c"),
    ],
)
def test_markup_and_code_are_not_text(text, stripped):
    assert strip_markup(text) == stripped


@given(st.text(st.characters(exclude_characters="<&")), st.text(st.characters(exclude_characters="<&")))
def test_text_beside_tags_survives(before, after):
    assert strip_markup(f"{before}<i class='x'>{after}</i>") == f"{before} {after} "


@given(st.text(st.sampled_from("< >=0°C,x").filter(lambda letter: letter != "x")))
def test_comparisons_survive(text):
    spaced = text.replace("<", "< ")  # "<C" begins a tag
    assert strip_markup(spaced) == spaced


PIECES = ["<", ">", "/", "!", "--", "script", "style", "a", " ", "&lt;", '="']


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_markup_is_read(text):
    assert len(strip_markup(text)) <= len(text) + 1


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<!--", "<script>", "<script", "</style ", "<a b='", "<a b=", "<!", "&lt;", "<style><!--"],
)
def test_long_markup_is_read_in_linear_time(piece):
    text = piece * (200_000 // len(piece))
    start = time.process_time()
    strip_markup(text)
    strip_markup(f"<script>{text}")
    assert time.process_time() - start < 2
