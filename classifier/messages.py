"""Sentences that are kept to be read later, in the language of whoever reads them.

What a worker finds out, people read days later in English or in Chinese. So the sentence is kept as its
English words and the facts for its gaps, and put together when it is shown.
"""

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext

Sentence = dict[str, Any]


def sentence(text: str, **facts: Any) -> Sentence:
    """Return a sentence as JSON.

    Parameters
    ----------
    text : str
        English with ``%(name)s`` gaps, marked for translation with ``gettext_noop``.
    **facts
        What fills the gaps, as it is to be read.
    """
    return {"text": text, "facts": facts}


def spoken(kept: Sentence) -> str:
    """Return a kept sentence in the current language; its facts are translated where they are words."""
    facts = {
        name: gettext(fact) if isinstance(fact, str) and fact else fact
        for name, fact in kept["facts"].items()
    }
    return gettext(kept["text"]) % facts


_MAX_TITLE_LENGTH = 300  # characters of a title


def in_words(sources: Collection[str], *, title: str) -> str:
    """Return why a title is recommended, as a sentence in the current language.

    Parameters
    ----------
    sources : collection of str
        See `classifier.pipeline.recommender.reranking.Pick`.
    title : str
        The one that brought most; empty where none did.
    """
    alone = {
        "again": gettext("Borrowed before"),
        "new": gettext("New in a category you read"),
        "latest": gettext("New in this library"),
        "popular": gettext("Much borrowed in this library"),
    }
    for source, words in alone.items():
        if source in sources:
            return words
    title = title if len(title) <= _MAX_TITLE_LENGTH else f"{title[: _MAX_TITLE_LENGTH - 1]}…"
    alike = {"text": gettext("words"), "cover": gettext("cover"), "theme": gettext("theme")}
    ways = gettext(" and ").join(alike[source] for source in sources if source in alike)
    if "loans" not in sources:
        text = gettext("Like “%(title)s” in %(ways)s")
    elif ways:
        text = gettext("Borrowed by readers of “%(title)s”, and like it in %(ways)s")
    else:
        text = gettext("Borrowed by readers of “%(title)s”")
    return text % {"title": title, "ways": ways}
