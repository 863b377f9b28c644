"""Sentences that are kept to be read later, in the language of whoever reads them.

What a worker finds out, people read days later in English or in Chinese. So the sentence is kept as its
English words and the facts for its gaps, and put together when it is shown.
"""

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
