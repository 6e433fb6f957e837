"""Downstream tasks by name. To add one, write a function that returns a Task and name it here.

Examples
--------
>>> list(TASKS)[:4]
['digits', 'armenian', 'georgian', 'font_style']
>>> TASKS["digits"]().title
'Handwritten digits'
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import InputError, unknown
from . import datasets, files, miniature
from .splits import Task, limited

TASKS: dict[str, Callable[[], Task]] = {
    "digits": miniature.digits,
    "armenian": miniature.armenian,
    "georgian": miniature.georgian,
    "font_style": miniature.font_style,
    **{name: partial(datasets.dataset, name) for name in datasets.DATASETS},
}
"""Tasks that need nothing but their name."""

SCHEMES: dict[str, Callable[[str], Task]] = {
    "folder": files.image_folder,
    "folder-lenient": partial(files.image_folder, lenient=True),
    "npz": files.npz_images,
    "hf": datasets.hugging_face,
    **{name: partial(datasets.in_folder, name) for name in datasets.DATASETS},
}
"""Tasks from a path, named ``scheme:path``. The name of a data set stands for its images, or a part
of them, in a folder.
"""


def task(name: str, *, images: int = 0) -> Task:
    """The downstream task of a name.

    Parameters
    ----------
    name : str
        One of :data:`TASKS`, or ``folder:PATH``, ``npz:PATH`` or ``hf:PATH``;
        ``folder-lenient:PATH`` leaves out images that cannot be read, and ``cifar10:PATH`` is a
        folder of images of CIFAR10.
    images : int
        Most images in each part, classes balanced; 0 for all.

    Returns
    -------
    Task

    Raises
    ------
    InputError
        If the name is unknown (with the nearest one), the path cannot be used, or a class would be
        left without an image.

    Examples
    --------
    >>> import diffused_redundancy as dr
    >>> digits = dr.task("digits", images=50)
    >>> {part: len(split) for part, split in digits.splits.items()}
    {'train': 50, 'test': 50}
    >>> digits.splits["train"].images.batch(0, 1)[0].shape
    (32, 32, 3)
    """
    scheme, colon, path = str(name).partition(":")
    if colon:
        if scheme not in SCHEMES:
            raise unknown("kind of task", scheme, SCHEMES)
        if not path:
            raise InputError(f"task {name!r} has no path: write {scheme}:PATH")
        return limited(SCHEMES[scheme](path), images)
    if name not in TASKS:
        raise unknown("task", name, [*TASKS, *(f"{scheme}:PATH" for scheme in SCHEMES)])
    return limited(TASKS[name](), images)
