"""Audio modality: spectrograms of recordings in any format."""

import builtins
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.modalities.audio import log_mel, mel_filters, read_recording
from tests.pipeline.recordings import (
    FORMATS,
    band_of,
    loudest_band,
    modality,
    recorded,
    shelf,
    spectra,
    tone,
)  # fmt: skip


@pytest.mark.parametrize("bands", [1, 40, 80])
def test_mel_bands_cover_all_frequencies(bands):
    filters = mel_filters(bands)
    assert filters.shape == (bands, 513)
    assert filters.any(axis=1).all()
    assert set((filters[:, 1:-1] > 0).sum(axis=0)) <= {1, 2}
    assert 0 <= filters.min() < filters.max() <= 1


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_tone_is_in_its_band_for_any_format_and_rate(tmp_path, suffix, rate):
    path = recorded(tmp_path / f"a.{suffix}", tone(1_000, rate=rate), rate=rate)
    (spectrum,) = spectra(path)
    assert loudest_band(spectrum) == band_of(1_000)
    assert spectrum.max() == 255
    assert spectrum[band_of(5_000) :].mean() < 60


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_all_wav_sample_types_are_read(tmp_path, subtype):
    path = recorded(tmp_path / "a.wav", tone(1_000), subtype=subtype)
    assert loudest_band(spectra(path)[0]) == band_of(1_000)


def test_channels_are_averaged(tmp_path):
    both = np.column_stack([tone(500), tone(3_000, loudness=0.1)])
    path = recorded(tmp_path / "a.wav", both, subtype="FLOAT")
    expected = recorded(tmp_path / "b.wav", both.mean(axis=1), subtype="FLOAT")
    np.testing.assert_allclose(
        read_recording(path, seconds=1), read_recording(expected, seconds=1), atol=1e-6
    )


def test_volume_does_not_matter(tmp_path):
    loud, quiet = (
        recorded(tmp_path / f"{loudness}.wav", tone(700, loudness=loudness), subtype="FLOAT")
        for loudness in (0.9, 0.01)
    )
    one, other = spectra(loud, quiet)
    assert np.abs(one - other).max() <= 1


def test_time_is_the_last_axis(tmp_path):
    path = recorded(tmp_path / "a.wav", np.concatenate([tone(500, seconds=0.5), tone(4_000, seconds=0.5)]))
    (spectrum,) = spectra(path)
    assert loudest_band(spectrum[:, :14]) == band_of(500)
    assert loudest_band(spectrum[:, 17:]) == band_of(4_000)


def test_only_the_start_is_read(tmp_path):
    long = recorded(tmp_path / "long.wav", np.concatenate([tone(500), tone(4_000)]))
    short = recorded(tmp_path / "short.wav", tone(500))
    one, other = spectra(long, short)
    assert np.array_equal(one, other)


def test_short_recording_is_repeated(tmp_path):
    (spectrum,) = spectra(
        recorded(tmp_path / "a.wav", tone(500, seconds=0.25)), settings=("audio.seconds=5",)
    )
    assert spectrum.shape == (40, 155)
    assert np.array_equal(spectrum, np.resize(spectrum[:, :8].T, (155, 40)).T)
    assert (spectrum[band_of(500), :7] > 200).all()


@pytest.mark.parametrize("samples", [1, 2, 700, 1023, 1024, 1025])
def test_shortest_recording_is_read_or_absent(tmp_path, samples):
    path = recorded(tmp_path / "a.wav", tone(1_000)[4 : 4 + samples], subtype="FLOAT")
    block = modality().block(shelf(path))
    assert block.present[0] == block.values.any()
    assert block.present[0] == (samples >= 700)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=3_000))
def test_levels_are_relative_to_the_loudest(samples):
    levels = log_mel(np.array(samples, np.float32), filters=mel_filters(16), frames=30)
    assert levels is None or (levels.shape, levels.dtype, levels.max()) == ((16, 30), np.uint8, 255)


def test_missing_soundfile_gives_a_note(tmp_path, monkeypatch):
    path = recorded(tmp_path / "a.wav", tone(440))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    heard = modality()
    block = heard.fit_block(shelf(path, None, path), rng=np.random.default_rng(0))
    assert not block.present.any()
    assert heard.notes == (
        "2 books have a recording, but none was read: the package soundfile is not installed. Install it "
        "with: pip install soundfile",
    )
    assert heard.fit(shelf(None), rng=np.random.default_rng(0)).notes == ()


def test_missing_c_library_counts_as_missing(tmp_path, monkeypatch):
    path = recorded(tmp_path / "a.wav", tone(440))
    before = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "soundfile":
            raise OSError("sndfile library not found")
        return before(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert not modality().present(shelf(path)).any()


def test_note_disappears_once_soundfile_is_installed(tmp_path, monkeypatch):
    path = recorded(tmp_path / "a.wav", tone(440))
    heard = modality()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "soundfile", None)
        assert heard.fit(shelf(path), rng=np.random.default_rng(0)).notes
    assert heard.fit(shelf(path), rng=np.random.default_rng(0)).notes == ()
    assert heard.present(shelf(path)).all()


def test_soundfile_is_imported_lazily():
    code = "import sys, classifier.pipeline.features.modalities.audio; print('soundfile' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_recording_is_cached_until_it_or_a_setting_changes(tmp_path):
    path, copy = recorded(tmp_path / "a.wav", tone(440)), recorded(tmp_path / "b.wav", tone(440))
    silent = recorded(tmp_path / "silent.wav", np.zeros(8_000))
    calls = shelf(path, None, copy, silent)
    cache = FeatureCache(tmp_path / "features.sqlite3")

    def heard(*settings: str) -> tuple[np.ndarray, int]:
        listening, before = modality(*settings), cache.misses
        listening.cache = cache
        block = listening.block(calls)
        assert block.present.tolist() == [True, False, True, False]
        return block.values, cache.misses - before

    first, n_computed = heard()
    assert n_computed > 0
    again, n_computed = heard()
    assert n_computed == 0
    assert np.array_equal(again, first)
    assert heard("audio.bands=20")[1] > 0
    assert heard("audio.seconds=2")[1] > 0
    recorded(path, tone(2_000))
    changed, n_computed = heard()
    assert n_computed == 1
    assert not np.array_equal(changed[0], first[0])
    assert np.array_equal(changed[2], first[2])


def test_unread_recordings_are_not_cached(tmp_path, monkeypatch):
    path, cache = recorded(tmp_path / "a.wav", tone(440)), FeatureCache(tmp_path / "features.sqlite3")
    listening = modality()
    listening.cache = cache
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "soundfile", None)
        assert not listening.present(shelf(path)).any()
    assert listening.present(shelf(path)).all()
