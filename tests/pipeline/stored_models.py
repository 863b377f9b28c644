"""Files of a stored model, and ways to damage them."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
#: Of the model that the fixture `trained` gives.
FILES = [
    "audio.json", "audio.safetensors", "cover.json", "cover.safetensors", "gallery.json",
    "gallery.safetensors", "held_out.safetensors", "judged.safetensors", "loans.json",
    "loans.safetensors", "model.json", "serving.safetensors", "text.json", "text.safetensors",
    "unseen.safetensors",
]  # fmt: skip


@contextmanager
def changed(folder: Path, name: str, content: bytes, *, signed: bool = False) -> Iterator[None]:
    """Give a file other content for a while; `signed`, the manifest too."""
    before = {file: (folder / file).read_bytes() for file in (name, MANIFEST)}
    (folder / name).write_bytes(content)
    if signed:
        sign(folder, name)
    try:
        yield
    finally:
        for file, old in before.items():
            (folder / file).write_bytes(old)


def sign(folder: Path, name: str) -> None:
    """Put the hash that a file has now into the manifest."""
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    rewrite_manifest(folder, files=hashes(folder) | {name: digest})


def rewrite_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes()) | changes
    (folder / MANIFEST).write_text(json.dumps(manifest))


def hashes(folder: Path) -> dict[str, str]:
    return json.loads((folder / MANIFEST).read_bytes())["files"]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside a JSON value; of long lists to the first three."""
    yield path
    inner = (
        value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    )
    for key, part in inner:
        yield from paths(part, (*path, key))


def put(values: Any, path: tuple[Any, ...], other: Any) -> Any:
    """Return a JSON value with another one at the end of the path."""
    if not path:
        return other
    copy = values.copy()
    copy[path[0]] = put(values[path[0]], path[1:], other)
    return copy
