import io
import os
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from library.catalogue.media.covers import store_cover
from library.catalogue.media.storage import FileRefusedError, StoredFile
from tests.files import png_header, write_image


@pytest.fixture
def store(tmp_path):
    """Store a cover of the folder `in`; the covers kept lie in the folder `media`."""
    (tmp_path / "in").mkdir()

    def store_named(name: str, *, dry_run: bool = False) -> StoredFile:
        return store_cover(folder=tmp_path / "in", name=name, media_root=tmp_path / "media", dry_run=dry_run)

    return store_named


def stored_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_large_cover_becomes_a_small_jpeg(store, tmp_path):
    write_image(tmp_path / "in" / "large.png", size=(2048, 1024), colour=(200, 30, 30))
    kept = store("large.png")
    assert kept.is_new
    with Image.open(tmp_path / "media" / kept.name) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (512, 256))
        assert image.getpixel((100, 100)) == pytest.approx((200, 30, 30), abs=3)


def test_small_cover_keeps_its_size(store, tmp_path):
    write_image(tmp_path / "in" / "small.jpg", size=(49, 75))
    with Image.open(tmp_path / "media" / store("small.jpg").name) as image:
        assert image.size == (49, 75)


def test_stored_cover_is_not_written_again(store, tmp_path):
    write_image(tmp_path / "in" / "a.png")
    first = store("a.png")
    (path,) = stored_files(tmp_path)
    os.utime(path, (1, 1))
    (tmp_path / "in" / "b.png").write_bytes((tmp_path / "in" / "a.png").read_bytes())
    assert store("b.png") == StoredFile(first.name, is_new=False)
    assert [(kept, kept.stat().st_mtime) for kept in stored_files(tmp_path)] == [(path, 1)]


def test_dry_run_writes_nothing(store, tmp_path):
    write_image(tmp_path / "in" / "a.png")
    assert store("a.png", dry_run=True).is_new
    assert not (tmp_path / "media").exists()


@pytest.mark.parametrize(
    ("name", "mode", "colour", "seen"),
    [
        ("clear.png", "RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("grey.png", "L", 128, (128, 128, 128)),
        ("deep.png", "I;16", 65535, (255, 255, 255)),
        ("palette.gif", "P", 0, (0, 0, 0)),
        ("printed.jpg", "CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("line.bmp", "1", 1, (255, 255, 255)),
        ("modern.webp", "RGB", (0, 0, 255), (0, 0, 255)),
    ],
)
def test_every_image_mode_becomes_rgb_on_white(store, tmp_path, name, mode, colour, seen):
    write_image(tmp_path / "in" / name, mode=mode, colour=colour)
    with Image.open(tmp_path / "media" / store(name).name) as image:
        assert image.mode == "RGB"
        assert image.getpixel((5, 5)) == pytest.approx(seen, abs=3)


def test_rotated_photo_is_set_upright(store, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by a quarter
    Image.new("RGB", (90, 60)).save(tmp_path / "in" / "phone.jpg", exif=exif)
    with Image.open(tmp_path / "media" / store("phone.jpg").name) as image:
        assert image.size == (60, 90)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jpg", b"", "empty file"),
        ("text.jpg", b"no image at all", "not in a supported image format"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not in a supported image format"),
        ("page.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not in a supported image format"),
        ("huge.png", png_header(20_000, 20_000), "more than 50,000,000 pixels"),
        ("large.png", png_header(10_000, 10_000), "more than 50,000,000 pixels"),
        ("over.png", png_header(8_000, 8_000), "more than 50,000,000 pixels"),
        ("header.png", png_header(40, 40), "damaged"),
    ],
)
def test_invalid_cover_is_refused(store, tmp_path, name, content, message):
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(FileRefusedError, match=message):
        store(name)
    assert stored_files(tmp_path) == []


def test_decompression_bomb_is_refused_without_a_warning(store, tmp_path):
    (tmp_path / "in" / "large.png").write_bytes(png_header(10_000, 10_000))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
        with pytest.raises(FileRefusedError, match="more than 50,000,000 pixels"):
            store("large.png")
    assert caught == []


@pytest.mark.parametrize("name", ["noise.jpg", "noise.png", "noise.gif", "noise.webp", "noise.bmp"])
def test_truncated_cover_is_refused(store, tmp_path, name):
    noise = Image.effect_noise((200, 300), 90).convert("RGB")
    noise.save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "in" / name).write_bytes(content[: int(len(content) * share)])
        with pytest.raises(FileRefusedError, match=r"damaged|no image"):
            store(name)
    assert stored_files(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "../../../../../../etc/passwd", "/etc/passwd", "link.png", "linked/secret.png", ".."],
)
def test_file_outside_the_folder_is_refused(store, tmp_path, name):
    write_image(tmp_path / "secret.png")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in" / "linked").symlink_to(tmp_path)
    with pytest.raises(FileRefusedError, match="outside the covers folder"):
        store(name)


def test_linked_folder_and_subfolder_are_allowed(tmp_path):
    write_image(tmp_path / "real" / "deep" / "a.png")
    (tmp_path / "in").symlink_to(tmp_path / "real")
    assert store_cover(folder=tmp_path / "in", name="deep/a.png", media_root=tmp_path / "media").is_new


@pytest.mark.parametrize("name", ["missing.jpg", ".", "folder", "x" * 5000, "circle.png", "nul\0.png"])
def test_missing_file_is_refused(store, tmp_path, name):
    (tmp_path / "in" / "folder").mkdir()
    (tmp_path / "in" / "circle.png").symlink_to("circle.png")
    with pytest.raises(FileRefusedError, match=r"no such file|cannot be read"):
        store(name)


@pytest.fixture(scope="session")
def images() -> list[bytes]:
    contents = []
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP"):
        content = io.BytesIO()
        Image.effect_noise((20, 30), 90).convert("RGB").save(content, kind)
        contents.append(content.getvalue())
    return contents


@given(st.data())
def test_damaged_file_raises_only_refusals(images, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(data.draw(st.sampled_from(images)))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a").write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        kept = store_cover(folder=folder, name="a", media_root=folder / "media")
    except FileRefusedError:
        assert not (folder / "media").exists()
    else:
        with Image.open(folder / "media" / kept.name) as image:
            assert image.format == "JPEG"
