"""Number of threads that torch may use."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit torch to one thread: the pipeline's operations are small.

    A second thread gains a tenth, but when another process holds a core, threads wait for each other at every
    operation: 40 times as slow on two cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
