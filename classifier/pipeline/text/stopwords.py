"""Stop words; other languages rely on TF-IDF."""

_ENGLISH = """
a about after all also an and any are as at be because been before being both but by can could did do
does during each for from further had has have having he her here him his how i if in into is it its
itself just may me more most my no nor not now of off on once one only or other our out over own said
same shall she should so some such than that the their them then there these they this those through to
too under until up upon us very was we were what when where which while who whom whose why will with
would you your
"""
_CHINESE = """
的 了 和 是 在 与 及 或 也 都 而 就 着 被 把 对 从 到 以 为 于 之 其 他 她 它 我 你 您 们 我们 你们 他们
她们 它们 这 那 这个 那个 这些 那些 一个 一种 一些 一本 一部 有 没有 不 不是 很 更 最 又 再 还 还有 但
但是 如果 因为 所以 由 等 等等 并 并且 则 可 可以 能 能够 会 将 让 使 给 向 中 上 下 里 后 前 时 来 去 说
要 自己 什么 怎么 如何 为什么 哪 谁 已 已经 曾 所 地 得 吗 呢 吧 啊 本书 书中 作者 通过 关于 进行 以及
其中 之间
"""

ENGLISH = frozenset(_ENGLISH.split())
CHINESE = frozenset(_CHINESE.split())
STOP_WORDS = ENGLISH | CHINESE
