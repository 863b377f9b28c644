from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest


@pytest.fixture
def thread() -> Iterator[Executor]:
    """Threads that stand for other processes."""
    with ThreadPoolExecutor(4) as threads:
        yield threads
