"""Preview of a category change as text for a terminal."""

from collections.abc import Iterator
from typing import Any

from library.console import format_table


def preview_text(result: dict[str, Any]) -> str:
    """Return the result of `classifier.services.taxonomy.preview` in the words of the page."""
    parts = [f"Preview: {result['summary']}", *_counts(result)]
    if result["undecided"]:
        more = " ..." if result["books"]["undecided"] > len(result["undecided"]) else ""
        books = ", ".join(result["undecided"])
        parts.append(f"These undecided books stay where they are. File them manually: {books}{more}")
    if result["accuracy"]:
        version = result["accuracy"]["version"]
        parts += [f"Accuracy of {version} before and after the change:", _accuracy(result["accuracy"])]
    parts += [*result["notes"], "Nothing was changed. Run the command without --preview to apply the change."]
    return "\n".join(parts)


def _counts(result: dict[str, Any]) -> Iterator[str]:
    books, loans, reviews = result["books"], result["loans"], result["reviews"]
    yield _line(
        "Books to be moved",
        books["moved"],
        {"filed by a person or an import": books["trusted"], "filed by the model": books["model"]},
    )
    for row in result["to"]:
        yield f"  → {row['category']}{' (new)' if row['new'] else ''}: {row['books']}"
    yield _line("Loans of these books", loans["all"], {"still checked out": loans["open"]})
    yield _line("Books whose suggestions change", result["suggestions"])
    yield _line("Categories with a new parent", result["categories"])
    reasons = {
        "uncategorised": reviews["unfiled"],
        "undecided": reviews["undecided"],
        "classified by text": reviews["guessed"],
    }
    yield _line("Books to review afterwards", reviews["needed"], reasons)
    separability = reviews["separability"]
    if separability["share"] is not None:
        yield f"Books classified correctly by text: {separability['share']:.0%} of {separability['books']}"
    if reviews["examples"]:
        yield _line(
            "Books needed per new category to match the current accuracy",
            reviews["examples"],
            {"total missing": reviews["missing"]},
        )


def _line(label: str, number: int, details: dict[str, int] | None = None) -> str:
    text = ", ".join(f"{name}: {count}" for name, count in (details or {}).items() if count)
    return f"{label}: {number}" + (f" ({text})" if text else "")


def _accuracy(accuracy: dict[str, Any]) -> str:
    now, then, about = accuracy["now"], accuracy["then"], accuracy["about"]
    shares = {
        "accuracy": (now["accuracy"], then["accuracy"]),
        "macro-F1": (now["macro_f1"], then["macro_f1"]),
        "accuracy in these categories": (about["now"], about["then"]),
    }
    rows = [
        [name, *("unknown" if share is None else f"{share:.3f}" for share in pair)]
        for name, pair in shares.items()
        if pair != (None, None)
    ]
    return format_table(title="", columns=["", "before", "after"], rows=rows)
