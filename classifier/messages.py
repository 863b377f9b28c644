"""Messages stored as data and rendered later in the viewer's language.

A worker writes a message once; people read it days later in English or Chinese. It is therefore stored as its
English text with placeholders and the values for them.
"""

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext

Message = dict[str, Any]

_MAX_TITLE_LENGTH = 300


def message(text: str, **facts: Any) -> Message:
    """Return a message as JSON.

    Parameters
    ----------
    text
        English with ``%(name)s`` placeholders, marked for translation with ``gettext_noop``.
    **facts
        Values for the placeholders; strings are translated when rendered.
    """
    return {"text": text, "facts": facts}


def render(stored: Message) -> str:
    """Return a stored message in the current language."""
    facts = {
        name: gettext(fact) if isinstance(fact, str) and fact else fact
        for name, fact in stored["facts"].items()
    }
    return gettext(stored["text"]) % facts


def recommendation_reason(sources: Collection[str], *, title: str) -> str:
    """Return why a title is recommended, as a sentence in the current language.

    Parameters
    ----------
    sources
        See `classifier.pipeline.recommender.reranking.Candidate`.
    title
        The title that contributed most; empty if none did.
    """
    standalone = {
        "again": gettext("Borrowed before"),
        "new": gettext("New in a category you read"),
        "latest": gettext("New in this library"),
        "popular": gettext("Popular in this library"),
    }
    for source, text in standalone.items():
        if source in sources:
            return text
    title = title if len(title) <= _MAX_TITLE_LENGTH else f"{title[: _MAX_TITLE_LENGTH - 1]}…"
    similar = {"text": gettext("text"), "cover": gettext("cover"), "theme": gettext("topic")}
    ways = gettext(" and ").join(similar[source] for source in sources if source in similar)
    if "loans" not in sources:
        text = gettext("Similar %(ways)s to “%(title)s”")
    elif ways:
        text = gettext("Borrowers of “%(title)s” also borrowed this; similar %(ways)s")
    else:
        text = gettext("Borrowers of “%(title)s” also borrowed this")
    return text % {"title": title, "ways": ways}
