"""Generate titles and descriptions from the grammars of `library.demo.vocabulary`."""

import random
import re
from typing import NamedTuple

from library.demo.categories import LEAVES
from library.demo.vocabulary import OWN, SHARED, Grammar

# Tuned so that text alone classifies about four books in five correctly: general phrases carry no
# information, and phrases from another category mislead.
OWN_TITLE = 0.60
OWN_SUBTITLE = 0.40
SENTENCE_SOURCES = {"own": 0.46, "other": 0.07, "shared": 0.47}
NO_SUBTITLE = 0.60
NO_DESCRIPTION = 0.12

_SLOT = re.compile(r"\{(\w+)\}")
_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiouAEIOU]|hour|Hour)")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")
_SMALL_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)


class Text(NamedTuple):
    """Title, subtitle and description of a book."""

    title: str
    subtitle: str
    description: str


def generate_text(*, rng: random.Random, category: str, language: str) -> Text:
    """Generate the text of a book; subtitle and description are sometimes empty.

    Parameters
    ----------
    category
        Notation of a leaf; the text also contains phrases of one other category.
    language
        ``"en"`` or ``"zh"``.
    """
    other = _other_category(rng=rng, category=category)
    theme = {"theme": OWN[language][other]["topic"]}
    own = SHARED[language] | OWN[language][category] | theme
    grammars = {
        "own": own,
        "other": SHARED[language] | OWN[language][other] | {"theme": own["topic"]},
        "shared": SHARED[language] | theme,
    }
    used: set[str] = set()
    title = expand(
        rng=rng, grammar=grammars["own" if rng.random() < OWN_TITLE else "shared"], symbol="title", used=used
    )
    subtitle = ""
    if rng.random() >= NO_SUBTITLE:
        source = "own" if rng.random() < OWN_SUBTITLE else "shared"
        subtitle = expand(rng=rng, grammar=grammars[source], symbol="subtitle", used=used)
    sentences = []
    if rng.random() >= NO_DESCRIPTION:
        sources = rng.choices(
            tuple(SENTENCE_SOURCES),
            weights=tuple(SENTENCE_SOURCES.values()),
            k=rng.choice((2, 3, 3, 4, 4, 5)),
        )
        # Sentences on the topic come first, general ones later.
        sources.sort(key=lambda source: source == "shared")
        later = sources[1:]
        rng.shuffle(later)
        sources[1:] = later
        sentences = [
            expand(rng=rng, grammar=grammars[source], symbol="sentence", used=used) for source in sources
        ]
    if language == "zh":
        return Text(title, subtitle, "".join(sentences))
    return Text(_title_case(title), _first_capital(subtitle), _first_capital(" ".join(sentences)))


def expand(*, rng: random.Random, grammar: Grammar, symbol: str, used: set[str]) -> str:
    """Expand a symbol of a grammar to text, recursively.

    Options in `used` are avoided if there are others, and chosen options are added to it, so that a book does
    not repeat a phrase.
    """
    option = rng.choice([option for option in grammar[symbol] if option not in used] or grammar[symbol])
    used.add(option)
    return _SLOT.sub(lambda slot: expand(rng=rng, grammar=grammar, symbol=slot[1], used=used), option)


def _other_category(*, rng: random.Random, category: str) -> str:
    """Return another leaf; siblings are three times as likely, because related subjects share vocabulary."""
    others = [leaf for leaf in LEAVES.values() if leaf.notation != category]
    weights = [3 if leaf.parent == LEAVES[category].parent else 1 for leaf in others]
    return rng.choices(others, weights=weights)[0].notation


def _first_capital(text: str) -> str:
    text = _BEFORE_VOWEL.sub(r"\1n ", text)
    return _SENTENCE_START.sub(lambda start: start[0].upper(), text)


def _title_case(text: str) -> str:
    words = _BEFORE_VOWEL.sub(r"\1n ", text).split(" ")
    starts = [True, *(word.endswith(":") for word in words)]
    return " ".join(
        word[:1].upper() + word[1:] if start or word not in _SMALL_WORDS else word
        for word, start in zip(words, starts, strict=False)
    )
