"""Audio: what the book sounds like, in a sample of its audiobook or a spoken description.

The start of a recording becomes a log-mel spectrogram: how loud each band of pitches is at each moment,
the bands as wide as the ear hears differences. The fusion network learns a small network of its own on it.
Levels count from the loudest moment down, so that a quiet recording looks like a loud one.

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

_RATE = 16_000  # samples a second: keeps pitches up to 8 kHz, all of speech and most of music
_WINDOW = 1024  # samples: 64 ms, in which two pitches 16 Hz apart can be told
_HOP = 512  # samples from one moment to the next: 32 ms, shorter than a syllable
_DECIBELS = 80  # below the loudest moment: beyond that is the noise of the recorder
_SILENCE = (1e-4 * _WINDOW / 4) ** 2  # power of a tone three steps of a 16-bit recorder high
_FORMATS = {"WAV", "WAVEX", "FLAC", "OGG"}
_SUFFIXES = {".wav", ".flac", ".ogg"}
_RATES = range(4_000, 192_001)  # what recorders write; a header that claims more would cost memory only
_CHANNELS = 64
_FILES = 512  # spectrograms held in memory at a time
_MADE_BY = source_key(sys.modules[__name__], versions=(np.__version__, scipy.__version__))
_READ_AT_ONCE = 32_768  # moments of all channels: a file may have more channels than are worth holding


def read_recording(path: Path, *, seconds: int) -> Float32 | None:
    """Return the start of a recording, its channels averaged, at 16,000 samples a second.

    Parameters
    ----------
    path : Path
        WAV, FLAC or OGG.
    seconds : int
        How much is read; what comes after costs neither time nor memory.

    Returns
    -------
    float32 array (n_samples,) or None
        None if it cannot be read, or the package soundfile is not installed.
    """
    soundfile = _soundfile()
    if soundfile is None or path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            if file.format not in _FORMATS or rate not in _RATES or file.channels > _CHANNELS:
                return None
            blocks = file.blocks(_READ_AT_ONCE, frames=seconds * rate, dtype="float32", always_2d=True)
            mono = np.concatenate([_in_range(block).mean(axis=1) for block in blocks])
    except (soundfile.SoundFileError, OSError, ValueError):  # no audio, damaged, or no moment in it
        return None
    mono -= mono.mean()  # a constant offset is no sound
    common = gcd(rate, _RATE)
    return np.asarray(resample_poly(mono, _RATE // common, rate // common), np.float32)


def mel_filters(bands: int) -> Float32:
    """Return how much each band takes of each frequency of the transform, (bands, 513)."""
    top = 2595 * np.log10(1 + _RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)[:, None]  # Hz, as the ear spaces them
    pitch = np.fft.rfftfreq(_WINDOW, 1 / _RATE)
    rising = (pitch - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - pitch) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def log_mel(samples: Float32, *, filters: Float32, moments: int) -> np.ndarray[Any, Any] | None:
    """Return the log-mel spectrogram of a recording, (bands, moments), uint8; None if it is silent.

    255 is the loudest level in it and 0 is 80 dB or more below. One too short is repeated to the end:
    silence would be taken for something heard.
    """
    padded = np.pad(samples, (0, _WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]  # (n, _WINDOW), a view
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32))) ** 2  # (n, 513)
    mel = power @ filters.T  # (n, bands)
    if mel.max() < _SILENCE:
        return None
    loudness = np.log10(np.maximum(mel / mel.max(), 10 ** (-_DECIBELS / 10))) * 10  # dB, -80 to 0
    levels = np.rint(255 * (1 + loudness / _DECIBELS)).astype(np.uint8)
    return np.resize(levels, (moments, len(filters))).T


class AudioModality(Modality):
    """Log-mel spectrogram of a recording's start."""

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
                f"{recordings} books have a recording, and none was heard: the package soundfile is not "
                "installed. Install it with: pip install soundfile",
            )
        return self

    @property
    def spec(self) -> BlockSpec:
        moments = (self.settings.seconds * _RATE - _WINDOW) // _HOP + 1
        return BlockSpec(kind="spectrum", shape=(self.settings.bands, moments))

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
        if (soundfile := _soundfile()) is None:  # what is not heard now must not be remembered as silent
            return Block(values=values, present=present, spec=self.spec)
        settings = f"{self.spec.shape} {soundfile.__version__} {soundfile.__libsndfile_version__}"
        while part := list(islice(recordings, _FILES)):
            heard = self.cache.remember(
                keys=[content_key(_MADE_BY, settings, path.suffix, digest) for _, path, digest in part],
                items=[path for _, path, _ in part],
                make=self._heard,
            )
            for (i, *_), levels in zip(part, heard, strict=True):
                if levels:
                    values[i], present[i] = np.frombuffer(levels, np.uint8), True
        return Block(values=values, present=present, spec=self.spec)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return {}, {}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        return self

    def _heard(self, paths: Sequence[Path]) -> Iterable[bytes]:
        """Return the levels of each recording; b"" of one that cannot be read or is silent."""
        bands, moments = self.spec.shape
        filters = mel_filters(bands)
        for path in paths:
            samples = read_recording(path, seconds=self.settings.seconds)
            levels = None if samples is None else log_mel(samples, filters=filters, moments=moments)
            yield b"" if levels is None else levels.tobytes()


def _digest(path: Path) -> bytes:
    """Return the SHA-256 of a file, read piece by piece; of one that cannot be read nothing."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):  # ValueError: no path at all, such as one with a null byte
        return b""


def _soundfile() -> ModuleType | None:
    """Return the package that reads recordings, or None: it comes with the extra `audio`."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package is there, its C library is not
        return None
    return soundfile  # type: ignore[no-any-return]


def _in_range(block: Float32) -> Float32:
    """Return samples between -1 and 1; what is no number is silence."""
    return np.clip(np.nan_to_num(block, nan=0, posinf=0, neginf=0), -1, 1)
