"""Storage of recordings: samples of audiobooks and spoken descriptions, stored unchanged."""

from pathlib import Path

from library.atomic_file import replace_file
from library.catalogue.media.storage import (
    FileRefusedError,
    StoredFile,
    digest_name,
    read_file,
)

#: Five minutes of CD audio; the classifier uses half a minute.
MAX_BYTES = 50_000_000
#: The first bytes of a file, which identify its format.
HEAD_BYTES = 12


def recording_suffix(*, head: bytes) -> str | None:
    """Return the suffix for a recording that begins with `head`, or None if its format is not supported."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return ".wav"
    if head[:4] == b"fLaC":
        return ".flac"
    return ".ogg" if head[:4] == b"OggS" else None


def store_recording(*, folder: Path, name: str, media_root: Path, dry_run: bool = False) -> StoredFile:
    """Store the recording `name` of `folder` unchanged, under its SHA-256.

    It is not decoded, because the catalogue does not depend on audio libraries.

    Parameters
    ----------
    folder
        Files outside it are refused, also through links.
    dry_run
        Write nothing.

    Raises
    ------
    FileRefusedError
    """
    content = read_file(folder=folder, name=name, noun="recording", max_bytes=MAX_BYTES)
    suffix = recording_suffix(head=content[:HEAD_BYTES])
    if suffix is None:
        raise FileRefusedError("The recording is not a WAV, FLAC or OGG file.")
    stored_name = digest_name(content=content, kind="audio", suffix=suffix)
    path = media_root / stored_name
    if path.exists():
        return StoredFile(stored_name, is_new=False)
    if not dry_run:
        replace_file(path, content)
    return StoredFile(stored_name, is_new=True)
