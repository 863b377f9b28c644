"""The classification of the demo: a tree of two levels, with books in its leaves."""

from typing import NamedTuple


class DemoCategory(NamedTuple):
    """A row of ``categories.csv``, with parameters of the generators for leaves.

    ``share`` is the leaf's share of the books. ``companion`` is a leaf that its borrowers often borrow too.
    It is never a sibling, so that loans confuse other categories than texts do.
    """

    notation: str
    label_en: str
    label_zh: str
    parent: str = ""
    share: float = 0.0
    companion: str = ""


CATEGORIES = (
    DemoCategory("LIT", "Literature", "文学"),
    DemoCategory("LIT.NOV", "Novels", "小说", "LIT", 0.15, "SOC.HIS"),
    DemoCategory("LIT.POE", "Poetry", "诗歌", "LIT", 0.08, "ART.VIS"),
    DemoCategory("SCI", "Natural sciences", "自然科学"),
    DemoCategory("SCI.AST", "Astronomy", "天文学", "SCI", 0.08, "TEC.ENG"),
    DemoCategory("SCI.BIO", "Life sciences", "生命科学", "SCI", 0.10, "ART.COO"),
    DemoCategory("TEC", "Technology", "技术"),
    DemoCategory("TEC.COM", "Computing", "计算机", "TEC", 0.12, "SOC.ECO"),
    DemoCategory("TEC.ENG", "Engineering", "工程", "TEC", 0.08, "SCI.AST"),
    DemoCategory("SOC", "Society", "社会"),
    DemoCategory("SOC.HIS", "History", "历史", "SOC", 0.12, "LIT.NOV"),
    DemoCategory("SOC.ECO", "Economics", "经济", "SOC", 0.10, "TEC.COM"),
    DemoCategory("ART", "Arts and leisure", "艺术与生活"),
    DemoCategory("ART.VIS", "Visual arts", "美术", "ART", 0.08, "LIT.POE"),
    DemoCategory("ART.COO", "Cooking", "烹饪", "ART", 0.09, "SCI.BIO"),
)

LEAVES = {category.notation: category for category in CATEGORIES if category.parent}
