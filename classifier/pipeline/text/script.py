"""Fold traditional Chinese characters into simplified ones."""

import re
from collections.abc import Callable
from functools import cache

#: A character that the conversion can change.
_HAN = re.compile("[\u2e80-\u2fdf\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SURROGATE = re.compile("([\ud800-\udfff]+)")
#: Regional forms that OpenCC keeps, because some of them are correct in some words of simplified text.
_VARIANTS = str.maketrans("敍衞於", "叙卫于")
#: Taiwan writes 著 for 着, too; in the words excluded here it is 著 everywhere.
_PARTICLE = re.compile("(?<=执)著|(?<![专主原史合名土巨所拙撰显昭力卓编论译遗])著(?![书于作名录文有者述称])")


def fold_script(text: str) -> str:
    """Return text in simplified characters; other scripts stay as they are.

    The conversion goes by phrases: 乾燥 becomes 干燥, 乾隆 stays. It also changes the characters that
    Japanese shares with traditional Chinese.

    Examples
    --------
    >>> fold_script("經濟學原理"), fold_script("Économie")
    ('经济学原理', 'Économie')
    """
    if text.isascii() or not _HAN.search(text):
        return text
    try:
        text = _converter()(text)
    except UnicodeEncodeError:  # OpenCC refuses lone surrogates
        parts = _SURROGATE.split(text)
        text = "".join(part if _SURROGATE.match(part) else _converter()(part) for part in parts)
    return _PARTICLE.sub("着", text.translate(_VARIANTS)).replace("想像", "想象")


@cache
def _converter() -> Callable[[str], str]:
    # Imported here: only Chinese text needs its dictionaries.
    from opencc import OpenCC

    return OpenCC("t2s").convert
