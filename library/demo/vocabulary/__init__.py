"""Grammars of the demo's texts, one for each language and category.

A grammar maps a symbol to its options; an option may name further symbols in braces. Every grammar has
``title``, ``subtitle`` and ``sentence``. Other categories use its ``topic`` as ``{theme}``.
"""

from library.demo.vocabulary import (
    chinese_shared,
    chinese_stories,
    chinese_subjects,
    english_shared,
    english_stories,
    english_subjects,
)

Grammar = dict[str, tuple[str, ...]]


def _grammar(table: dict[str, str]) -> Grammar:
    return {
        symbol: tuple(option.strip() for option in options.replace("\n", "|").split("|") if option.strip())
        for symbol, options in table.items()
    }


SHARED: dict[str, Grammar] = {"en": _grammar(english_shared.SHARED), "zh": _grammar(chinese_shared.SHARED)}

OWN: dict[str, dict[str, Grammar]] = {
    language: {
        "LIT.NOV": _grammar(stories.NOVELS),
        "LIT.POE": _grammar(stories.POETRY),
        "SCI.AST": _grammar(subjects.ASTRONOMY),
        "SCI.BIO": _grammar(subjects.LIFE_SCIENCE),
        "TEC.COM": _grammar(subjects.COMPUTING),
        "TEC.ENG": _grammar(subjects.ENGINEERING),
        "SOC.HIS": _grammar(subjects.HISTORY),
        "SOC.ECO": _grammar(subjects.ECONOMICS),
        "ART.VIS": _grammar(stories.VISUAL_ART),
        "ART.COO": _grammar(stories.COOKING),
    }
    for language, stories, subjects in (
        ("en", english_stories, english_subjects),
        ("zh", chinese_stories, chinese_subjects),
    )
}
