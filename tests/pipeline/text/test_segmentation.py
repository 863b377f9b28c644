"""The library's own dictionary."""

import pytest

from classifier.pipeline.errors import ConfigError
from classifier.pipeline.text.normalization import normalize
from classifier.pipeline.text.segmentation import dictionary_key, use_dictionary
from classifier.pipeline.text.tokenization import tokenize


@pytest.fixture
def dictionary(tmp_path):
    path = tmp_path / "words.txt"

    def write(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        use_dictionary(path)

    yield write
    use_dictionary(None)


def words(text):
    return tokenize(normalize(text))


def test_words_of_the_dictionary_stay_whole(dictionary):
    assert words("云图星河集") != ["云图星河集"]
    dictionary("\ufeff雲圖星河集 20 n\r\n\r\n卡拉OK机\n")
    assert words("云图星河集") == ["云图星河集"]
    assert words("雲圖星河集與卡拉OK机") == ["云图星河集", "卡拉ok机"]
    use_dictionary(None)
    assert words("云图星河集") != ["云图星河集"]


def test_key_depends_on_the_words(dictionary):
    assert dictionary_key() == ""
    dictionary("云图 5\n星河\n")
    key = dictionary_key()
    dictionary("星河\n\n云图 5\n")
    assert dictionary_key() == key
    dictionary("云图 6\n星河\n")
    assert dictionary_key() not in (key, "")


@pytest.mark.parametrize(
    ("content", "line"),
    [("云图 n 5\n", 1), ("云图\n星 河 海\n", 2), ("云图\n\n星河 0\n", 3), ("云图\n".encode("gb18030"), 1)],
)
def test_malformed_line_is_named(dictionary, content, line):
    with pytest.raises(ConfigError, match=rf"words\.txt, line {line}: ") as error:
        dictionary(content)
    assert error.value.extra["line"] == line


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.txt cannot be read: No such file"):
        use_dictionary(tmp_path / "none.txt")
