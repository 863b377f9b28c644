import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.catalogue.media.audio import recording_suffix, store_recording
from library.catalogue.media.storage import FileRefusedError, StoredFile
from tests.files import RECORDINGS, write_recording


@pytest.fixture
def store(tmp_path):
    """Store a recording of the folder `in`; those kept lie in the folder `media`."""
    (tmp_path / "in").mkdir()

    def store_named(name: str, *, dry_run: bool = False) -> StoredFile:
        return store_recording(
            folder=tmp_path / "in", name=name, media_root=tmp_path / "media", dry_run=dry_run
        )

    return store_named


def kept_files(tmp_path):
    return [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


@pytest.mark.parametrize("suffix", RECORDINGS)
def test_recording_is_stored_unchanged_with_its_suffix(store, tmp_path, suffix):
    (tmp_path / "in" / "sample.dat").write_bytes(RECORDINGS[suffix])
    kept = store("sample.dat")
    assert kept.is_new
    assert kept.name.endswith(suffix)
    assert (tmp_path / "media" / kept.name).read_bytes() == RECORDINGS[suffix]


def test_stored_recording_is_not_written_again(store, tmp_path):
    write_recording(tmp_path / "in" / "a.wav")
    first = store("a.wav")
    (path,) = kept_files(tmp_path)
    os.utime(path, (1, 1))
    write_recording(tmp_path / "in" / "b.wav")
    assert store("b.wav") == StoredFile(first.name, is_new=False)
    assert [(kept, kept.stat().st_mtime) for kept in kept_files(tmp_path)] == [(path, 1)]


def test_dry_run_writes_nothing(store, tmp_path):
    write_recording(tmp_path / "in" / "a.wav")
    assert store("a.wav", dry_run=True).is_new
    assert not (tmp_path / "media").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The recording is an empty file."),
        (b"ID3\x04 an mp3", "The recording is not a WAV, FLAC or OGG file."),
        (b"RIFF\0\0\0\0AVI LIST", "The recording is not a WAV, FLAC or OGG file."),
        (b"RIFF", "The recording is not a WAV, FLAC or OGG file."),
        (b"fLaC" + bytes(100), "The recording has 104 bytes; the limit is 90."),
    ],
)
def test_invalid_recording_is_refused(store, tmp_path, monkeypatch, content, message):
    monkeypatch.setattr("library.catalogue.media.audio.MAX_BYTES", 90)
    (tmp_path / "in" / "a.wav").write_bytes(content)
    with pytest.raises(FileRefusedError) as error:
        store("a.wav")
    assert error.value.message == message
    assert kept_files(tmp_path) == []


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "link.wav"])
def test_file_outside_the_folder_is_refused(store, tmp_path, name):
    write_recording(tmp_path / "secret.wav")
    (tmp_path / "in" / "link.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(FileRefusedError, match="The recording is outside the recordings folder"):
        store(name)


@given(st.binary(max_size=12))
def test_recording_is_recognised_by_its_first_bytes(head):
    begins = head[:4] in (b"fLaC", b"OggS") or (head[:4] == b"RIFF" and head[8:] == b"WAVE")
    assert (recording_suffix(head=head) is not None) == begins
