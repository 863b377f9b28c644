"""Which titles belong together: of one author, or of one series, told from the number of the volume."""

import re
import unicodedata

_MARK = r"(?:vol(?:ume)?|tome|t|band|bd|no|nr|n°|part(?:ie)?|teil|book|livre|\#)"
_VOLUME = re.compile(
    rf"""
    (?P<stem>.*?[^\W\d_].*?)            # a name, with a letter in it
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
    """Return the name of the series, in small letters; empty for a title without the number of a volume.

    A title that ends with a number of its own is taken for a series too, which then has one title.

    Parameters
    ----------
    title : str

    Examples
    --------
    >>> series_of("Naruto. Tome 12, Le combat"), series_of("三国演义 第三卷"), series_of("Emma")
    ('naruto', '三国演义', '')
    """
    found = _VOLUME.fullmatch(unicodedata.normalize("NFKC", title).strip())
    return found["stem"].strip(" ,.:;/([–—-").casefold() if found else ""


def groups_of(*, authors: str, title: str) -> list[str]:
    """Return the groups of which a list should not have too many titles: its authors, and its series."""
    named = (("author", authors), ("series", series_of(title)))
    return [f"{kind}:{name}" for kind, name in named if name]
