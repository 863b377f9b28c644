"""Recordings as the catalogue keeps them: samples of audiobooks and spoken descriptions, as they came."""

from pathlib import Path

from library.catalogue.media.storage import (
    FileRefusedError,
    StoredFile,
    digest_name,
    read_file,
    write_aside,
)

#: Five minutes of a compact disc; the classifier hears half a minute.
MOST_BYTES = 50_000_000
#: Of a file, to tell its kind.
HEAD_BYTES = 12


def recording_suffix(*, head: bytes) -> str | None:
    """Return the suffix for a recording that begins with `head`, or None if it is none that is read."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return ".wav"
    if head[:4] == b"fLaC":
        return ".flac"
    return ".ogg" if head[:4] == b"OggS" else None


def store_recording(*, folder: Path, name: str, media_root: Path, dry_run: bool = False) -> StoredFile:
    """Keep the recording `name` of `folder` as it is, under its SHA-256.

    Whether it can be played to the end is not checked: that takes libraries the catalogue does without.

    Parameters
    ----------
    folder : Path
        Files outside it are refused, whatever way the name or a link leads there.
    name : str
    media_root : Path
    dry_run : bool
        Write nothing.

    Returns
    -------
    StoredFile

    Raises
    ------
    FileRefusedError
    """
    content = read_file(folder=folder, name=name, noun="recording", most_bytes=MOST_BYTES)
    suffix = recording_suffix(head=content[:HEAD_BYTES])
    if suffix is None:
        raise FileRefusedError("The recording is of no kind that is kept: WAV, FLAC, OGG.")
    kept = digest_name(content=content, kind="audio", suffix=suffix)
    path = media_root / kept
    if path.exists():
        return StoredFile(kept, is_new=False)
    if not dry_run:
        write_aside(path, lambda aside: aside.write_bytes(content))
    return StoredFile(kept, is_new=True)
