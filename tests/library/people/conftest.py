from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest


@pytest.fixture
def thread() -> Iterator[Executor]:
    """Threads that act as other processes."""
    with ThreadPoolExecutor(4) as threads:
        yield threads
