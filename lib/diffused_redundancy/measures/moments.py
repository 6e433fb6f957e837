"""Sums of products of features, and how they change when the centre moves. Pure algebra in
float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Sums over n rows u (features less a centre), all float64.

    Attributes
    ----------
    n : int
        Rows summed over.
    total : Tensor (d,)
        sum of u_p.
    second : Tensor (d, d)
        sum of u_p u_q.
    third, fourth : Tensor (d, d), optional
        sum of u_p^2 u_q, and sum of u_p^2 u_q^2. Only debiased CKA needs them.
    """

    n: int
    total: Tensor
    second: Tensor
    third: Tensor | None = None
    fourth: Tensor | None = None

    def __add__(self, other: Moments) -> Moments:
        """Sums over the rows of both, which must have the same centre."""

        def both(a: Tensor | None, b: Tensor | None) -> Tensor | None:
            return None if a is None or b is None else a + b

        return Moments(
            self.n + other.n,
            self.total + other.total,
            self.second + other.second,
            both(self.third, other.third),
            both(self.fourth, other.fourth),
        )

    def recentred(self, shift: Tensor) -> Moments:
        """The same sums of w = u - shift, exactly, by expanding the products. ``shift`` is (d,),
        float64.
        """
        total = self.total - self.n * shift
        # sum w_p w_q = sum u_p u_q - s_p shift_q - shift_p s_q + n shift_p shift_q
        second = torch.addr(self.second, self.total, shift, alpha=-1).addr_(shift, total, alpha=-1)
        moved = replace(self, total=total, second=second)
        if self.third is None or self.fourth is None:
            return moved
        row, column = shift[None, :], shift[:, None]
        squares = self.second.diagonal()
        third = (
            self.third
            - squares[:, None] * row
            - 2 * column * self.second
            + 2 * (shift * self.total)[:, None] * row
            + column**2 * self.total[None, :]
            - self.n * column**2 * row
        )
        fourth = (
            self.fourth
            - 2 * row * self.third
            - 2 * column * self.third.T
            + row**2 * squares[:, None]
            + column**2 * squares[None, :]
            + 4 * column * row * self.second
            - 2 * (shift * self.total)[:, None] * row**2
            - 2 * column**2 * (shift * self.total)[None, :]
            + self.n * column**2 * row**2
        )
        return replace(moved, third=third, fourth=fourth)
