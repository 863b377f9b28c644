"""A small demo library on disk."""

import pytest

from library.demo.generate import DemoFiles
from tests.library.demo.files import make_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> DemoFiles:
    return make_demo(tmp_path_factory.mktemp("demo"))
