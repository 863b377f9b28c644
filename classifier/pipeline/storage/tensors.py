"""Arrays in a file that holds nothing else."""

from typing import Any

import numpy as np
from safetensors.numpy import load


def finite_tensors(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a safetensors file by name.

    Raises
    ------
    Exception
        If it is none.
    ValueError
        If a number in it is none.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = load(content)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds what is no finite number.")
    return arrays
