"""Detect series from volume numbers, and group titles by author and series."""

import re
import unicodedata

_MARK = r"(?:vol(?:ume)?|tome|t|band|bd|no|nr|n°|part(?:ie)?|teil|book|livre|\#)"
_VOLUME = re.compile(
    rf"""
    (?P<stem>.*?[^\W\d_].*?)            # a name that contains a letter
    [\s,.:;/(\[–—-]*
    (?: \b{_MARK}\.?\s*(?:\d+|[ivxl]+)  # "vol. 3", "tome II"
      | (?<=[\s,.:;/(\[–—\u4e00-\u9fff-])\d{{1,3}}  # "12"
      | 第\s*[\d一二三四五六七八九十百零〇两]+\s*[卷冊册集部辑輯回]
    )
    [\s)\]]*(?:$|[,.:;/–—-].*)          # the end, or the title of the volume
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def series_of(title: str) -> str:
    """Return the case-folded name of the series; empty without a volume number.

    A title that merely ends with a number becomes a series of one title.

    Examples
    --------
    >>> series_of("Naruto. Tome 12, Le combat"), series_of("三国演义 第三卷"), series_of("Emma")
    ('naruto', '三国演义', '')
    """
    match = _VOLUME.fullmatch(unicodedata.normalize("NFKC", title).strip())
    return match["stem"].strip(" ,.:;/([–—-").casefold() if match else ""


def groups_of(*, authors: str, title: str) -> list[str]:
    """Return the groups whose share of a list is limited: authors and series."""
    names = (("author", authors), ("series", series_of(title)))
    return [f"{kind}:{name}" for kind, name in names if name]
