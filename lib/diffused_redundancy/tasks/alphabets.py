"""The letters of the miniature world, and which of them look alike.

Letters of different scripts can share one glyph (Latin A, Greek Alpha, Cyrillic A). No network can
tell such letters apart, so they are one class. Capitals and small letters of one shape (O, o)
differ in size by about 33% and stay apart: the renderer's random scale is at most 12%.
:func:`find_look_alikes` computes the groups from the fonts; its result for the DejaVu fonts is
written out below, so that classes can be read here and never change unnoticed. A test compares the
two.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

import numpy as np

GLYPH_SIZE = 96
"""Side of a glyph's mask, in pixels."""

EM_SIZE = 68
"""Font size at which glyphs are drawn, in pixels."""

FACES = {
    "Sans": "DejaVuSans.ttf",
    "Sans Bold": "DejaVuSans-Bold.ttf",
    "Sans Oblique": "DejaVuSans-Oblique.ttf",
    "Sans Bold Oblique": "DejaVuSans-BoldOblique.ttf",
    "Serif": "DejaVuSerif.ttf",
    "Serif Bold": "DejaVuSerif-Bold.ttf",
    "Serif Italic": "DejaVuSerif-Italic.ttf",
    "Serif Bold Italic": "DejaVuSerif-BoldItalic.ttf",
    "Mono": "DejaVuSansMono.ttf",
    "Mono Bold": "DejaVuSansMono-Bold.ttf",
    "Mono Oblique": "DejaVuSansMono-Oblique.ttf",
    "Mono Bold Oblique": "DejaVuSansMono-BoldOblique.ttf",
}
"""The twelve DejaVu faces that matplotlib ships."""


def _range(first: str, last: str) -> str:
    return "".join(chr(code) for code in range(ord(first), ord(last) + 1))


LATIN = _range("A", "Z") + _range("a", "z")
GREEK = _range("Α", "Ρ") + _range("Σ", "Ω") + _range("α", "ω")
CYRILLIC = _range("А", "Я") + _range("а", "я")
ARMENIAN = _range("Ա", "Ֆ") + _range("ա", "ֆ")
GEORGIAN = _range("ა", "ჰ")
EXTENDED = (  # every face has them
    (_range("À", "ÿ") + _range("Ā", "ſ")).replace("×", "").replace("÷", "")
    + _range("ɐ", "ʯ")
    + _range("Ѐ", "Џ")
    + _range("ѐ", "џ")
    + _range("Ґ", "қ")
    + _range("Ң", "ҥ")
    + _range("Ҫ", "ҳ")
    + "Һһ"
)
"""Accented Latin, phonetic and further Cyrillic letters."""


@functools.cache
def glyph(letter: str, face: str) -> np.ndarray:
    """The centred mask of a letter: uint8 (GLYPH_SIZE, GLYPH_SIZE), 255 is ink."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    path = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", FACES[face])
    font = ImageFont.truetype(path, EM_SIZE, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = font.getbbox(letter)
    canvas = Image.new("L", (GLYPH_SIZE, GLYPH_SIZE))
    corner = ((GLYPH_SIZE - right + left) // 2 - left, (GLYPH_SIZE - bottom + top) // 2 - top)
    ImageDraw.Draw(canvas).text(corner, letter, fill=255, font=font)
    return np.asarray(canvas)


def find_look_alikes(letters: str, threshold: float = 0.95) -> list[str]:
    """Group letters whose glyphs agree, on average over the faces.

    Parameters
    ----------
    letters : str
    threshold : float
        Two letters join when the cosine between their masks, averaged over the twelve faces, is at
        least this. Groups are the connected components.

    Returns
    -------
    list of str
        One string per class, in the order of ``letters``.
    """
    cosine = np.zeros((len(letters), len(letters)))
    for face in FACES:
        masks = np.stack([glyph(letter, face).ravel() for letter in letters]).astype(np.float64)
        masks /= np.linalg.norm(masks, axis=1, keepdims=True)
        cosine += masks @ masks.T / len(FACES)
    group = list(range(len(letters)))
    for i in range(len(letters)):
        for j in range(i):
            if cosine[i, j] >= threshold and group[i] != group[j]:
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if g == old else g for g in group]
    return [
        "".join(letter for letter, g in zip(letters, group, strict=True) if g == first)
        for first in sorted(set(group))
    ]


def merged(letters: str, groups: Sequence[str]) -> list[str]:
    """The classes of some letters: groups of look-alikes, and other letters by themselves."""
    classes = (next((group for group in groups if letter in group), letter) for letter in letters)
    return list(dict.fromkeys(classes))


_GROUPS = "AΑА BΒВ CС EΕЕ HΗН IΙ KΚ MΜМ NΝ OΟО PΡР TΤТ XΧХ YΥ ZΖ aа cс eе oοо pр xх yу ΓГ ΠП ՅՑ"
LOOK_ALIKES: list[str] = _GROUPS.split()
"""The groups of :func:`find_look_alikes` among upstream, Armenian and Georgian letters."""

_EXTENDED_GROUPS = (
    "AΑА BΒВ CС DÐĐ EΕЕ HΗН IΙІ JЈ KΚ MΜМ NΝ OΟО PΡР SЅ TΤТ XΧХ YΥҮ ZΖ aа cс eе hһ iі jј oοо "
    "pр sѕ xх yу ΓГ ΠП εɛ вʙ "
    "ÀÁÂÃÄÅ ÇҪ ÈÉÊËĒĔĖĚЀЁ Ìİ ÏЇ ÑŃŇ ÒÓÔÕÖŌŎŐ ÙÚÜŨŪŬ ÛŰ çҫ èéĕěѐ ëё ïї ĆČ ŔŘ ŚŠ ŹŻŽ"
)
EXTENDED_LOOK_ALIKES: list[str] = _EXTENDED_GROUPS.split()
"""The same for the extended upstream set; some capitals differ by their accent only."""

UPSTREAM_CLASSES = merged(LATIN + GREEK + CYRILLIC, LOOK_ALIKES)
EXTENDED_CLASSES = merged(LATIN + GREEK + CYRILLIC + EXTENDED, EXTENDED_LOOK_ALIKES)
ARMENIAN_CLASSES = merged(ARMENIAN, LOOK_ALIKES)
GEORGIAN_CLASSES = merged(GEORGIAN, LOOK_ALIKES)
