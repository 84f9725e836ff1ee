"""How a cost grows: the exponent of a power law, by least squares on logarithms."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def power_law(x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """Fit ``y = factor * x ** exponent``.

    Args:
        x: at least two different positive values.
        y: as many positive values.

    Returns:
        ``exponent``, its standard ``error`` (None for two points, because a line fits them exactly), and ``factor``.
    """
    log_x, log_y = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    centred = log_x - log_x.mean()
    spread = float(centred @ centred)
    exponent = float(centred @ log_y) / spread
    left = log_y - log_y.mean() - exponent * centred
    error = float(np.sqrt(left @ left / (len(left) - 2) / spread)) if len(left) > 2 else None
    return {
        "exponent": round(exponent, 4),
        "error": None if error is None else round(error, 4),
        "factor": float(f"{np.exp(log_y.mean() - exponent * log_x.mean()):.4g}"),
    }


def exponent_text(fit: dict[str, Any]) -> str:
    """Return an exponent with its error, in two decimals."""
    return f"{fit['exponent']:.2f}" + ("" if fit["error"] is None else f" ± {fit['error']:.2f}")
