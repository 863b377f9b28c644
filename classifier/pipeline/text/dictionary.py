"""Read a library's own dictionary of Chinese words."""

import re
from pathlib import Path
from typing import NamedTuple

from classifier.pipeline.errors import ConfigError

_LINE = re.compile(r"(?P<word>\S+)(?:\s+(?P<frequency>[0-9]{1,9}))?(?:\s+[a-zA-Z]+)?")


class Entry(NamedTuple):
    """A word, and its frequency; None: high enough for the word to stay whole."""

    word: str
    frequency: int | None


def read_dictionary(path: Path) -> list[Entry]:
    """Return the entries of a file in jieba's format: a word and optionally its frequency and part of speech.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a line has another form.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        message = f"The dictionary {path} cannot be read: {error.strerror or error}."
        raise ConfigError(message, file=str(path)) from error
    entries = []
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode().strip()
        except UnicodeDecodeError as error:
            raise _malformed(path, number, "not UTF-8") from error
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise _malformed(path, number, "not a word, a frequency and a part of speech")
        frequency = match["frequency"]
        if frequency is not None and not int(frequency):
            raise _malformed(path, number, "a frequency of 0")
        entries.append(Entry(match["word"], int(frequency) if frequency else None))
    return entries


def _malformed(path: Path, line: int, fault: str) -> ConfigError:
    message = (
        f"{path}, line {line}: {fault}. Write one word per line, optionally followed by its frequency "
        "and its part of speech, separated by spaces, in UTF-8."
    )
    return ConfigError(message, file=str(path), line=line)
