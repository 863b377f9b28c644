"""Audio modality: the start of an audiobook sample or of a spoken description.

The recording becomes a log-mel spectrogram, on which the fusion network trains a small network. Levels are
relative to the loudest frame, so quiet recordings look like loud ones.

References
----------
Davis and Mermelstein, Comparison of Parametric Representations for Monosyllabic Word Recognition, IEEE
Transactions on Acoustics, Speech and Signal Processing 28(4), 1980 (triangular bands on the mel scale).
O'Shaughnessy, Speech Communication: Human and Machine, 1987 (mel = 2595 log10(1 + Hz / 700)).
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from math import gcd
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
import scipy
from scipy.signal import resample_poly

from classifier.pipeline.config import AudioConfig, Config
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.cache import content_key, source_key
from classifier.pipeline.records import Bool, Catalogue, Float32

_RATE = 16_000  # Hz: keeps frequencies up to 8 kHz, all of speech and most of music
_WINDOW = 1024  # samples: 64 ms, a frequency resolution of 16 Hz
_HOP = 512  # samples between frames: 32 ms, shorter than a syllable
_DECIBELS = 80  # below the loudest frame; quieter is recorder noise
_SILENCE = (1e-4 * _WINDOW / 4) ** 2  # power of a tone with an amplitude of three 16-bit steps
_FORMATS = {"WAV", "WAVEX", "FLAC", "OGG"}
_SUFFIXES = {".wav", ".flac", ".ogg"}
_RATES = range(4_000, 192_001)  # plausible rates; a header that claims more would only cost memory
_MAX_CHANNELS = 64
_CHUNK = 512  # spectrograms in memory at a time
_SOURCE_KEY = source_key(sys.modules[__name__], versions=(np.__version__, scipy.__version__))
_BLOCK_FRAMES = 32_768  # read per block, because a file may have many channels


def read_recording(path: Path, *, seconds: int) -> Float32 | None:
    """Return the start of a WAV, FLAC or OGG file as mono at 16 kHz, (n_samples,).

    None if it is unreadable or soundfile is not installed. The rest of the file costs no time or memory.
    """
    soundfile = _soundfile()
    if soundfile is None or path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        if not path.is_file():  # reading a pipe would block
            return None
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            if file.format not in _FORMATS or rate not in _RATES or file.channels > _MAX_CHANNELS:
                return None
            blocks = file.blocks(_BLOCK_FRAMES, frames=seconds * rate, dtype="float32", always_2d=True)
            mono = np.concatenate([_in_range(block).mean(axis=1) for block in blocks])
    except (soundfile.SoundFileError, OSError, ValueError):  # not audio, damaged, or empty
        return None
    mono -= mono.mean()  # remove the DC offset
    common = gcd(rate, _RATE)
    return np.asarray(resample_poly(mono, _RATE // common, rate // common), np.float32)


def mel_filters(bands: int) -> Float32:
    """Return the weight of each frequency in each mel band, (bands, 513)."""
    top = 2595 * np.log10(1 + _RATE / 2 / 700)
    edges = (
        700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)[:, None]
    )  # Hz, equally spaced on the mel scale
    frequency = np.fft.rfftfreq(_WINDOW, 1 / _RATE)
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def log_mel(samples: Float32, *, filters: Float32, frames: int) -> np.ndarray[Any, Any] | None:
    """Return the log-mel spectrogram of a recording, (bands, frames), uint8; None if silent.

    255 is the loudest level, 0 is 80 dB or more below. Short recordings are repeated, because padding with
    silence would be learned as a sound.
    """
    padded = np.pad(samples, (0, _WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]  # (n, _WINDOW), a view
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32))) ** 2  # (n, 513)
    mel = power @ filters.T  # (n, bands)
    if mel.max() < _SILENCE:
        return None
    loudness = np.log10(np.maximum(mel / mel.max(), 10 ** (-_DECIBELS / 10))) * 10  # dB, -80 to 0
    levels = np.rint(255 * (1 + loudness / _DECIBELS)).astype(np.uint8)
    return np.resize(levels, (frames, len(filters))).T


class AudioModality(Modality):
    """Log-mel spectrogram of the start of a recording."""

    name = "audio"
    shows_nearest = True

    def __init__(self, *, settings: AudioConfig) -> None:
        self.settings = settings

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.audio)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        recordings = sum(book.audio is not None for book in catalogue.books)
        self.notes = ()
        if recordings and _soundfile() is None:
            self.notes = (
                f"{recordings} books have a recording, but none was read: the package soundfile is not "
                "installed. Install it with: pip install soundfile",
            )
        return self

    @property
    def spec(self) -> BlockSpec:
        frames = (self.settings.seconds * _RATE - _WINDOW) // _HOP + 1
        return BlockSpec(kind="spectrum", shape=(self.settings.bands, frames))

    def transform(self, catalogue: Catalogue) -> Any:
        return self.block(catalogue).values

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        values = np.zeros((len(catalogue.books), int(np.prod(self.spec.shape))), np.uint8)
        present = np.zeros(len(catalogue.books), bool)
        recordings = (
            (i, book.audio, digest)
            for i, book in enumerate(catalogue.books)
            if book.audio is not None and (digest := _digest(book.audio))
        )
        if (soundfile := _soundfile()) is None:  # do not cache unread recordings as silent
            return Block(values=values, present=present, spec=self.spec)
        settings = f"{self.spec.shape} {soundfile.__version__} {soundfile.__libsndfile_version__}"
        while part := list(islice(recordings, _CHUNK)):
            spectrograms = self.cache.get_or_compute(
                keys=[content_key(_SOURCE_KEY, settings, path.suffix, digest) for _, path, digest in part],
                items=[path for _, path, _ in part],
                compute=self._spectrograms,
            )
            for (i, *_), levels in zip(part, spectrograms, strict=True):
                if levels:
                    values[i], present[i] = np.frombuffer(levels, np.uint8), True
        return Block(values=values, present=present, spec=self.spec)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return {}, {}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        return self

    def _spectrograms(self, paths: Sequence[Path]) -> Iterable[bytes]:
        bands, frames = self.spec.shape
        filters = mel_filters(bands)
        for path in paths:
            samples = read_recording(path, seconds=self.settings.seconds)
            levels = None if samples is None else log_mel(samples, filters=filters, frames=frames)
            yield b"" if levels is None else levels.tobytes()


def _digest(path: Path) -> bytes:
    """Return the SHA-256 of a file; b"" if unreadable."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):  # ValueError: an invalid path, such as one with a null byte
        return b""


def _soundfile() -> ModuleType | None:
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the C library is missing
        return None
    return soundfile  # type: ignore[no-any-return]


def _in_range(block: Float32) -> Float32:
    """Return samples clipped to -1 and 1; NaN and infinity become silence."""
    return np.clip(np.nan_to_num(block, nan=0, posinf=0, neginf=0), -1, 1)
