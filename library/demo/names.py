"""Fictitious authors, with names combined from syllables, and publishers that are clearly not real."""

import random

_STARTS = (
    "Bra", "Cal", "Dor", "El", "Fen", "Gar", "Hol", "Is", "Jor", "Kel", "Lum", "Mar", "Nor", "Os", "Pel",
    "Quil", "Ros", "Sel", "Tam", "Ul", "Ves", "Wil", "Yor", "Zan",
)  # fmt: skip
_MIDDLES = ("a", "e", "i", "o", "an", "en", "or", "ul", "av", "im")
_ENDS = (
    "bek", "dran", "fi", "gorn", "ith", "lan", "mir", "nok", "pha", "rus", "sen", "tov", "vel", "wyn", "zar",
)  # fmt: skip

# Pen names combine an activity and an occupation ("star-herding gardener").
_PEN_NAMES = {
    "听澜": "Tinglan", "砚溪": "Yanxi", "青蘅": "Qingheng", "墨渚": "Mozhu", "竹屿": "Zhuyu",
    "松笺": "Songjian", "云笠": "Yunli", "荷砚": "Heyan", "枕石": "Zhenshi", "拾萤": "Shiying",
    "晴筏": "Qingfa", "霜橹": "Shuanglu", "渡鸥": "Duou", "砌雪": "Qixue", "问橘": "Wenju",
    "裁月": "Caiyue", "煮泉": "Zhuquan", "牧星": "Muxing", "折苇": "Zhewei", "掬露": "Julu",
    "倚岫": "Yixiu", "晒书": "Shaishu", "沽风": "Gufeng", "数鹭": "Shulu",
}  # fmt: skip
_PEN_ROLES = {
    "山人": "Shanren", "居士": "Jushi", "散人": "Sanren", "老农": "Laonong", "小吏": "Xiaoli",
    "渔翁": "Yuweng", "行者": "Xingzhe", "书童": "Shutong", "过客": "Guoke", "主人": "Zhuren",
    "闲人": "Xianren", "学徒": "Xuetu", "樵夫": "Qiaofu", "邮差": "Youchai", "园丁": "Yuanding",
    "邻翁": "Linweng",
}  # fmt: skip

PUBLISHERS = {
    "en": (
        "Sample House", "Specimen Press", "Example University Press", "Placeholder Books", "Fictive Editions",
        "Lorem Press", "Test Shelf Books",
    ),
    "zh": ("示例出版社", "样书书局", "演示大学出版社", "范本文化", "虚构书坊", "占位图书", "试读书屋"),
}  # fmt: skip


def author(*, rng: random.Random, language: str) -> tuple[str, str]:
    """Return the name of a fictitious author, as catalogued and in Latin letters."""
    if language == "zh":
        name, role = rng.choice(tuple(_PEN_NAMES)), rng.choice(tuple(_PEN_ROLES))
        return name + role, f"{_PEN_NAMES[name]} {_PEN_ROLES[role]}"
    first = rng.choice(_STARTS) + rng.choice(_ENDS)
    last = rng.choice(_STARTS) + rng.choice(_MIDDLES) + rng.choice(_ENDS)
    return f"{first} {last}", f"{first} {last}"
