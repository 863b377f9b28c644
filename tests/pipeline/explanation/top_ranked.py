"""Categories to explain."""

from classifier.pipeline.suggestion import top_categories


def top_three(scores):
    return top_categories(scores, ranks=3)
