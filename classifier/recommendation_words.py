"""Why a title is recommended, in words; apart from what works it out, so that a page needs no numpy."""

from collections.abc import Collection

from django.utils.translation import gettext as _

_LONGEST = 300  # characters of a title


def in_words(sources: Collection[str], *, title: str) -> str:
    """Return why a title is recommended, as a sentence in the current language.

    Parameters
    ----------
    sources : collection of str
        See `classifier.pipeline.shortlist.Pick`.
    title : str
        The one that brought most; empty where none did.
    """
    alone = {
        "again": _("Borrowed before"),
        "new": _("New in a category you read"),
        "latest": _("New in this library"),
        "popular": _("Much borrowed in this library"),
    }
    for source, words in alone.items():
        if source in sources:
            return words
    title = title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
    alike = {"text": _("words"), "cover": _("cover"), "theme": _("theme")}
    ways = _(" and ").join(alike[source] for source in sources if source in alike)
    if "loans" not in sources:
        text = _("Like “%(title)s” in %(ways)s")
    elif ways:
        text = _("Borrowed by readers of “%(title)s”, and like it in %(ways)s")
    else:
        text = _("Borrowed by readers of “%(title)s”")
    return text % {"title": title, "ways": ways}
