"""Whether a probe is better than no probe: than to guess the largest class every time."""

from __future__ import annotations

from scipy.stats import binom

LEVEL = 0.05
"""Of the test: how often a probe that is no better than guessing may pass."""


def beats_guessing(accuracy: float, guessing: float, images: int) -> bool:
    """Whether an accuracy on some test images is clearly above that of guessing.

    Parameters
    ----------
    accuracy : float
    guessing : float
        The share of the largest class of the test images.
    images : int

    Notes
    -----
    The exact one-sided binomial test at 5%: were each guess right with probability ``guessing``,
    as many right ones or more would come less often than that.

    Examples
    --------
    >>> beats_guessing(0.6, 0.5, images=100), beats_guessing(0.56, 0.5, images=100)
    (True, False)
    """
    right = round(accuracy * images)
    return bool(binom.sf(right - 1, images, guessing) < LEVEL)
