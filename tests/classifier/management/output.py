"""Helpers to compare the output of commands."""

import re


def words(text):
    return re.sub(r"\s+", " ", text)
