"""Load arrays from untrusted files."""

from typing import Any

import numpy as np
from safetensors.numpy import load


def finite_tensors(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a safetensors file; raises `ValueError` or others if invalid or not finite."""
    arrays: dict[str, np.ndarray[Any, Any]] = load(content)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} contains a value that is not finite.")
    return arrays
