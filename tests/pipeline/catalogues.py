"""Small seeded catalogues: books of three subjects that every modality can distinguish."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from classifier.pipeline.config import Config
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable

SUBJECTS = {
    "cooking": (
        "soup bread kitchen recipe oven spice herb pan",
        "厨房 面包 菜谱 香料 烹饪 美食",
        (200, 60, 40),
    ),
    "physics": (
        "quantum energy particle field motion wave atom mass",
        "量子 能量 粒子 物理 运动 原子",
        (40, 70, 200),
    ),
    "history": (
        "empire war king century dynasty treaty revolt army",
        "帝国 战争 国王 世纪 王朝 革命",
        (60, 160, 70),
    ),
}
PITCHES = {"cooking": 400, "physics": 900, "history": 2_000}  # Hz
COMMON = ["new", "guide", "complete", "small", "world", "first", "modern", "short"]

#: Networks small enough for a test, big enough to learn the three subjects. Loading the sentence encoder
#: would take longer than such a training.
TINY = Config().with_settings(
    [
        "network.width=16",
        "network.epochs=8",
        "network.batch=16",
        "loans.factors=8",
        "cover.height=24",
        "cover.width=17",
        "audio.seconds=1",
        "audio.bands=16",
        "sentence.model=none",
    ]
)


def make_catalogue(
    folder: Path, *, books: int = 60, seed: int = 0, start: int = 0, covers: bool = True, audio: bool = True
) -> Catalogue:
    """Draw books that lack now this modality, now that; every fifth without a category, every seventh with a
    wrong one, as in a real library.

    Parameters
    ----------
    folder
        Where covers and recordings are kept.
    start
        Number of the first book, so that two catalogues can have different ones.
    covers, audio
        Whether there are any.
    """
    rng = np.random.default_rng(seed)
    names = list(SUBJECTS)
    subjects = [names[i % len(names)] for i in range(start, start + books)]
    records = [
        _book(number, subject, rng, _cover(folder, number, subject, rng) if covers and number % 4 else None)
        for number, subject in enumerate(subjects, start=start)
    ]
    if audio:
        records = [
            dataclasses.replace(book, audio=_recording(folder, number, subject, seed)) if number % 8 else book
            for number, (book, subject) in enumerate(zip(records, subjects, strict=True), start=start)
        ]
    return Catalogue(books=records, loans=_loans(records, subjects, rng))


def relabelled(catalogue: Catalogue, categories: Sequence[str | None]) -> Catalogue:
    """Return the catalogue with other categories."""
    books = [
        dataclasses.replace(book, category=category)
        for book, category in zip(catalogue.books, categories, strict=True)
    ]
    return dataclasses.replace(catalogue, books=books)


def selected(catalogue: Catalogue, rows: Sequence[Any]) -> Catalogue:
    """Return some of the books, in that order, with all loans."""
    return dataclasses.replace(catalogue, books=[catalogue.books[i] for i in rows])


def loan_table(pairs: Sequence[tuple[str, int]]) -> LoanTable:
    """Return loans given as (book, borrower)."""
    ids = sorted({book for book, _ in pairs})
    return LoanTable(
        book_ids=ids,
        book=np.array([ids.index(book) for book, _ in pairs], np.int32),
        borrower=np.array([borrower for _, borrower in pairs], np.int32),
        borrowed_at=np.arange(len(pairs), dtype=np.int64),
    )


def _book(number: int, subject: str, rng: np.random.Generator, cover: Path | None) -> BookRecord:
    category = None if number % 5 == 0 else "history" if number % 7 == 3 else subject
    if number % 9 == 1:  # no text at all
        return BookRecord(id=f"b{number}", cover=cover, category=category)
    english, chinese, _ = SUBJECTS[subject]
    words = (chinese if number % 2 else english).split()
    return BookRecord(
        id=f"b{number}",
        title=" ".join([*rng.choice(words, 2), *rng.choice(COMMON, 1)]),
        authors=f"{subject.title()} Author{rng.integers(4)}; A. Nother",
        publisher=f"Press {rng.integers(3)}",
        year=int(rng.integers(1990, 2024)),
        language="zh" if words[0] in chinese else "en",
        description=f"<p>{' '.join([*rng.choice(words, 6), *rng.choice(COMMON, 4)])}</p>",
        cover=cover,
        category=category,
    )


def _cover(folder: Path, number: int, subject: str, rng: np.random.Generator) -> Path:
    noise = rng.integers(-30, 30, (36, 24, 3))
    pixels = np.clip(np.array(SUBJECTS[subject][2]) + noise, 0, 255).astype(np.uint8)
    path = folder / f"{number}.png"
    Image.fromarray(pixels).save(path)
    return path


def _recording(folder: Path, number: int, subject: str, seed: int) -> Path:
    """Write a third of a second of a tone in noise, drawn by itself so that the rest stays as it is."""
    rng = np.random.default_rng([seed, number])
    moment = np.arange(2_700) / 8_000  # seconds
    tone = np.sin(2 * np.pi * PITCHES[subject] * rng.uniform(0.9, 1.1) * moment)
    path = folder / f"{number}.wav"
    soundfile.write(path, 0.4 * tone + rng.normal(0, 0.1, len(moment)), 8_000)
    return path


def _loans(records: Sequence[BookRecord], subjects: Sequence[str], rng: np.random.Generator) -> LoanTable:
    lent = np.array([int(book.id[1:]) % 6 != 2 for book in records])
    pairs = []
    for borrower in range(len(records)):
        favourite = list(SUBJECTS)[borrower % len(SUBJECTS)]
        weights = np.where(np.array(subjects) == favourite, 10.0, 1.0) * lent
        rows = rng.choice(len(records), 4, p=weights / weights.sum())
        pairs.extend((records[row].id, borrower) for row in rows)
    return loan_table(pairs)
