"""Cover modality: descriptors, pixels, pretrained features, and invalid images."""

import json
import struct
import zlib
from io import BytesIO
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load, save
from torchvision import models

from classifier.pipeline.config import Config
from classifier.pipeline.errors import ConfigError
from classifier.pipeline.features.base import BlockSpec
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.image_descriptors import SIZE, WEIGHTS
from classifier.pipeline.features.modalities.cover import CoverModality, read_cover
from classifier.pipeline.records import BookRecord, Catalogue

SMALL = "shufflenet_v2_x0_5"
PIXELS = "cover.features=pixels"


def picture(path, colour=(200, 60, 40), size=(60, 90), mode="RGB"):
    Image.new(mode, size, colour).save(path)
    return path


def shelf(*covers) -> Catalogue:
    return Catalogue(books=[BookRecord(id=str(i), cover=cover) for i, cover in enumerate(covers)])


def fitted(catalogue: Catalogue, *settings: str) -> CoverModality:
    config = Config().with_settings(["cover.height=32", "cover.width=20", *settings])
    return CoverModality.from_config(config).fit(catalogue, rng=np.random.default_rng(0))


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header promises a large picture."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "webp"])
def test_pixels_are_channels_first(tmp_path, suffix):
    block = fitted(shelf(), PIXELS).block(shelf(picture(tmp_path / f"red.{suffix}", (255, 0, 0))))
    image = block.values.reshape(3, 32, 20).astype(int)
    assert np.abs(image - np.array([255, 0, 0])[:, None, None]).max() <= 2


def test_cover_orientation_is_kept(tmp_path):
    image = Image.new("RGB", (20, 32))
    image.putpixel((3, 30), (10, 20, 30))
    image.save(tmp_path / "dot.png")
    block = fitted(shelf(), PIXELS).block(shelf(tmp_path / "dot.png"))
    assert block.values.reshape(3, 32, 20)[:, 30, 3].tolist() == [10, 20, 30]
    assert np.count_nonzero(block.values) == 3


def test_format_is_measured_before_resizing(tmp_path):
    sizes = {"novel": (400, 564), "manga": (400, 600), "large manga": (800, 1200)}
    shelves = {name: shelf(picture(tmp_path / f"{name}.jpg", size=size)) for name, size in sizes.items()}
    modality = fitted(shelf(*(book.cover for one in shelves.values() for book in one.books)))
    novel, manga, large = (modality.transform(one)[0] for one in shelves.values())
    np.testing.assert_allclose(large, manga, atol=1e-5)
    assert np.abs(novel - manga).max() > 1
    assert np.abs(novel).max() <= 4 * WEIGHTS.max()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_all_image_modes_are_read(mode):
    image = Image.new("RGB", (40, 60), (9, 90, 200)).convert("L" if mode == "I;16" else mode).convert(mode)
    image.save(file := BytesIO(), "JPEG" if mode in ("CMYK", "YCbCr") else "PNG")
    assert read_cover(file.getvalue(), size=(10, 15)).mode == "RGB"


@pytest.mark.parametrize("form", ["TIFF", "ICO", "PPM", "EPS"])
def test_unsupported_formats_are_not_parsed(form):
    Image.new("RGB", (40, 60)).save(file := BytesIO(), form)
    assert read_cover(file.getvalue(), size=(10, 15)) is None


def test_large_jpeg_is_decoded_at_reduced_size(tmp_path):
    content = picture(tmp_path / "large.jpg", size=(1200, 1800)).read_bytes()
    assert read_cover(content, size=(20, 32)).size == (20, 32)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        png_that_claims(20_000, 20_000),
        png_that_claims(30, 40),
        b"GIF89a",
    ],
    ids=["missing", "empty", "text", "header only", "bomb", "no pixels", "cut gif"],
)
def test_unreadable_cover_is_absent(tmp_path, content):
    path = tmp_path / "cover.png"
    if content is not None:
        path.write_bytes(content)
    block = fitted(shelf(path)).block(shelf(path, None, picture(tmp_path / "good.png")))
    assert block.present.tolist() == [False, False, True]
    assert not block.values[:2].any()


def test_truncated_cover_and_directory_are_absent(tmp_path):
    whole = picture(tmp_path / "whole.jpg", size=(300, 400)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert fitted(shelf()).present(shelf(tmp_path / "cut.jpg", tmp_path)).tolist() == [False, False]


@pytest.fixture(scope="module")
def covers():
    """The bytes of a picture in each of the usual formats."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (24, 16, 3), np.uint8))
    files = {}
    for form in ("PNG", "JPEG", "GIF", "WEBP"):
        image.save(buffer := BytesIO(), form)
        files[form] = buffer.getvalue()
    return files


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow may say what it found odd
@given(form=st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), data=st.data())
def test_corrupt_cover_never_crashes(covers, form, data):
    content = bytearray(covers[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    image = read_cover(bytes(content), size=(20, 32))
    assert image is None or (image.size, image.mode) == ((20, 32), "RGB")


def test_unknown_network_is_rejected():
    with pytest.raises(ConfigError, match="no classification model “resnet999”"):
        fitted(shelf(), "cover.pretrained=resnet999")


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """The folder torch keeps downloaded weights in: empty, and nothing can be downloaded."""

    def unreachable(url, *args, **kwargs):
        raise URLError("network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def place_weights(checkpoints, name: str, **options: bool) -> None:
    """Write random weights where torch looks for downloaded ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = models.get_model(name, weights=None, **options).state_dict()
    torch.save(weights, checkpoints / models.get_model_weights(name).DEFAULT.url.rpartition("/")[2])


def test_missing_weights_fall_back_to_descriptors(checkpoints, tmp_path):
    calls = shelf(picture(tmp_path / "a.png"), None)
    modality = fitted(calls, f"cover.pretrained={SMALL}")
    (note,) = modality.notes
    assert note.startswith(f"The pretrained weights of {SMALL} could not be loaded (<urlopen error network")
    assert "TORCH_HOME/hub/checkpoints" in note
    assert modality.state()[0] == {"network": ""}
    assert modality.spec == BlockSpec(kind="vector", shape=(SIZE,))
    assert np.array_equal(modality.transform(calls), fitted(calls).transform(calls))
    assert fitted(calls).notes == ()


@pytest.mark.parametrize("content", [b"", b"no weights " * 50], ids=["empty", "text"])
def test_damaged_weights_count_as_missing(checkpoints, content):
    place_weights(checkpoints, SMALL)
    (file,) = checkpoints.iterdir()
    file.write_bytes(content)
    modality = fitted(shelf(), f"cover.pretrained={SMALL}")
    assert modality.spec.shape == (SIZE,)
    assert len(modality.notes) == 1


def test_note_disappears_once_weights_load(checkpoints):
    modality = fitted(shelf(), f"cover.pretrained={SMALL}")
    place_weights(checkpoints, SMALL)
    assert modality.fit(shelf(), rng=np.random.default_rng(0)).notes == ()
    assert modality.spec.kind == "vector"


def test_network_without_linear_layer_is_rejected(checkpoints):
    place_weights(checkpoints, "squeezenet1_1")
    with pytest.raises(ConfigError, match="squeezenet1_1 has no linear layer"):
        fitted(shelf(), "cover.pretrained=squeezenet1_1")


def test_pretrained_features_survive_storage(checkpoints, tmp_path):
    place_weights(checkpoints, SMALL)
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (90, 60, 3), np.uint8)).save(path)
    calls = shelf(paths[0], None, paths[1], tmp_path / "missing.png", paths[2], paths[0])
    modality = fitted(calls, f"cover.pretrained={SMALL}")
    block = modality.block(calls)

    assert modality.notes == ()
    assert (block.spec.kind, block.spec.shape) == ("vector", (1024,))
    assert block.values.dtype == np.float32
    assert block.present.tolist() == [True, False, True, False, True, True]
    assert not block.values[~block.present].any()
    np.testing.assert_allclose(np.linalg.norm(block.values[block.present], axis=1), 32, rtol=1e-5)
    np.testing.assert_allclose(block.values[0], block.values[5], atol=1e-4)
    assert np.abs(block.values[0] - block.values[2]).max() > 0.01

    values, tensors = modality.state()
    values = json.loads(json.dumps(values))
    for file in checkpoints.iterdir():
        file.unlink()  # a stored model needs no download
    loaded = CoverModality(settings=modality.settings).load_state(values, load(save(tensors)))
    assert loaded.spec == modality.spec
    assert np.array_equal(loaded.transform(calls), block.values)


def noise(folder, *numbers: int) -> list:
    paths = []
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (90, 60, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        paths.append(folder / f"{number}.png")
    return paths


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.thorough)])
def test_weight_dependent_architecture_survives_storage(checkpoints, tmp_path, name):
    place_weights(checkpoints, name, init_weights=False)
    calls = shelf(*noise(tmp_path, 1, 2))
    modality = fitted(calls, f"cover.pretrained={name}")
    values, tensors = modality.state()
    loaded = CoverModality(settings=modality.settings).load_state(values, load(save(tensors)))
    assert np.array_equal(loaded.transform(calls), modality.transform(calls))


def test_all_covers_of_several_batches_are_read(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr("classifier.pipeline.features.modalities.cover._BATCH", 2)
    monkeypatch.setattr("classifier.pipeline.features.modalities.cover._CHUNK", 3)
    place_weights(checkpoints, SMALL)
    (tmp_path / "none.png").write_bytes(b"")
    paths = noise(tmp_path, *range(8))
    paths[1] = paths[4] = tmp_path / "none.png"
    modality = fitted(shelf(), f"cover.pretrained={SMALL}")
    block = modality.block(shelf(*paths))
    assert block.present.tolist() == [True, False, True, True, False, True, True, True]
    for row, path in enumerate(paths):
        np.testing.assert_allclose(block.values[row], modality.transform(shelf(path))[0], atol=1e-4)


def test_pretrained_features_are_cached_by_weights(checkpoints, tmp_path):
    place_weights(checkpoints, SMALL)
    calls = shelf(*noise(tmp_path, 1, 2))
    modality = fitted(calls, f"cover.pretrained={SMALL}")
    plain = modality.transform(calls)
    counts = []
    for bias in (0, 0, 1):  # of the last layer, after the features
        values, tensors = modality.state()
        tensors["fc.bias"] = np.full_like(tensors["fc.bias"], bias)
        loaded = CoverModality(settings=modality.settings).load_state(values, tensors)
        loaded.cache = FeatureCache(tmp_path / "cache.sqlite3")
        assert np.array_equal(loaded.transform(calls), plain)
        counts.append((loaded.cache.hits, loaded.cache.misses))
    assert counts == [(0, 2), (2, 0), (0, 2)]
