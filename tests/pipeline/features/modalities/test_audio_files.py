"""Invalid and oversized audio files: absent or truncated, without errors or much memory."""

import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features.modalities.audio import read_recording
from tests.pipeline.recordings import (
    FORMATS,
    RATE,
    band_of,
    loudest_band,
    modality,
    recorded,
    shelf,
    spectra,
    tone,
)  # fmt: skip


def wav(
    *, rate: int = RATE, channels: int = 1, claimed: int = 2_000, content: bytes = b"\1\2" * 1000
) -> bytes:
    """Return a 16-bit WAV with the given header."""
    form = struct.pack("<HHIIHH", 1, channels, rate, min(rate * 2, 2**32 - 1), 2 * channels % 2**16, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", claimed) + content
    return b"RIFF" + struct.pack("<I", (len(body) + 4) % 2**32) + body


HOSTILE = {
    "missing": None,
    "empty": b"",
    "text": b"no sound at all" * 100,
    "a few letters": b"RIFF",
    "wav header only": wav(claimed=0, content=b""),
    "no rate": wav(rate=0),
    "slow rate": wav(rate=100),
    "huge rate": wav(rate=2**32 - 1),
    "large rate": wav(rate=200_000),
    "no channels": wav(channels=0),
    "many channels": wav(channels=65),
    "flac header only": b"fLaC\0\0\0\x22" + bytes(34),
    "ogg header only": b"OggS" + bytes(60),
    "an aiff in disguise": b"FORM\0\0\0\x2eAIFFCOMM\0\0\0\x12\0\1\0\0\0\1\0\x10\x40\x0e\xac\x44" + bytes(40),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("suffix", FORMATS)
def test_non_audio_file_is_absent(tmp_path, content, suffix):
    path, good = tmp_path / f"a.{suffix}", recorded(tmp_path / "good.wav", tone(440))
    if content is not None:
        path.write_bytes(content)
    block = modality().block(shelf(path, None, good))
    assert block.present.tolist() == [False, False, True]
    assert not block.values[:2].any()


def test_directory_and_other_file_types_are_absent(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    raw = tmp_path / "a.raw"  # soundfile would ask what is in it
    raw.write_bytes(bytes(1000))
    aiff = recorded(tmp_path / "a.aiff", tone(440))
    disguised = recorded(tmp_path / "b.wav", tone(440), format="AIFF")
    odd = tmp_path / "a\0b.wav"
    block = modality().block(shelf(tmp_path / "folder.wav", raw, aiff, disguised, tmp_path, odd))
    assert not block.present.any()


@pytest.mark.parametrize("level", [0.0, 0.3, -1.0])
def test_silence_and_constant_are_absent(tmp_path, level):
    path = recorded(tmp_path / "a.wav", np.full(RATE, level), subtype="FLOAT")
    block = modality().block(shelf(path))
    assert not block.present.any()
    assert not block.values.any()


def test_non_finite_samples_are_silence(tmp_path):
    samples = tone(1_000)
    samples[100:200], samples[300], samples[301], samples[302] = np.nan, np.inf, -np.inf, 1e38
    odd = np.column_stack([samples, np.full(RATE, -np.inf)])
    for name, content in (("mono.wav", samples), ("stereo.wav", odd)):
        path = recorded(tmp_path / name, content, subtype="FLOAT")
        heard = read_recording(path, seconds=1)
        assert np.isfinite(heard).all()
        assert loudest_band(spectra(path)[0]) == band_of(1_000)
    nothing = recorded(tmp_path / "nan.wav", np.full(RATE, np.nan), subtype="FLOAT")
    assert not modality().present(shelf(nothing)).any()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_recording_is_cut_or_absent(tmp_path, suffix, share):
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)
    whole = recorded(tmp_path / f"whole.{suffix}", noise).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    heard = read_recording(path, seconds=1)
    assert heard is None or 0 < len(heard) <= RATE


def test_claimed_length_costs_no_memory(tmp_path):
    path = tmp_path / "hours.wav"
    path.write_bytes(wav(rate=192_000, channels=64, claimed=2**32 - 1, content=bytes(2 * 64 * 1000)))
    tracemalloc.start()
    try:
        heard = read_recording(path, seconds=30)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert heard is None or len(heard) < RATE
    assert peak < 64e6


def test_long_recording_is_not_loaded_whole(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 48_000, 2, subtype="PCM_16") as file:
        for _ in range(120):
            file.write(np.zeros((48_000, 2), np.int16) + np.int16(5))
    tracemalloc.start()
    try:
        heard = read_recording(path, seconds=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(heard) == 2 * RATE
    assert peak < 8e6  # the file holds 46 MB as numbers


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A recording in each format, and a folder to spoil them in."""
    folder = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(0).normal(0, 0.1, 4_000)
    files = {suffix: recorded(folder / f"a.{suffix}", noise, rate=8_000).read_bytes() for suffix in FORMATS}
    return files, folder


@given(suffix=st.sampled_from(FORMATS), data=st.data())
def test_corrupt_recording_never_crashes(recordings, suffix, data):
    files, folder = recordings
    content = bytearray(files[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        # The header decides most, so half of the damage is done there.
        last = data.draw(st.sampled_from([min(60, len(content)), len(content)])) - 1
        content[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    path = folder / f"spoilt.{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    block = modality().block(shelf(path))
    assert block.present[0] == block.values.any()


@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"OggS"]))
def test_random_bytes_never_crash(recordings, content, start):
    path = recordings[1] / "bytes.wav"
    path.write_bytes(start + content)
    block = modality().block(shelf(path))
    assert block.present[0] == block.values.any()
