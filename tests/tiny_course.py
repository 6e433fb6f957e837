"""A course of two exercises, with notes, slides and a package of its own: small enough that graders
run it in seconds.
"""

from __future__ import annotations

from pathlib import Path

HEAD = """# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""

SOURCE = (
    HEAD
    + '''# %% [markdown] slide="slide"
# # Means and scales
#
# Two functions of a matrix $X$, one row per image.

# %% [markdown] slide="notes"
# Ask who has seen this before.

# %%
import numpy as np

import redundancy_lab as lab

# %% [markdown] exercise="centred" level=1 minutes=5 points=2 slide="slide"
# ### Exercise 1: Centre the columns
#
# *Goal:* take the mean of each neuron
# away.
#
# <details><summary>Hint</summary>
#
# The mean over `axis=0`.
#
# </details>

# %% exercise="centred" part="write" slide="fragment"
def centred(X):
    """X with columns of mean 0."""
    ### BEGIN SOLUTION
    column_means = X.mean(axis=0)
    return X - column_means
    ### END SOLUTION

# %% exercise="centred" part="check"
lab.check("centred", centred)

# %% [markdown] audience="instructor"
# **For the instructor.** Many subtract the mean of all numbers, 3.5 here.

# %% audience="solution"
print("after the solution:", centred(np.arange(6.0).reshape(3, 2)))

# %% [markdown] exercise="unit-norm" level=2 minutes=10 points=3
# ### Exercise 2: A norm of one
#
# *Goal:* divide by the Frobenius norm.

# %% exercise="unit-norm" part="write"
def unit_norm(X):
    """X divided by its Frobenius norm."""
    ### BEGIN SOLUTION
    frobenius = np.sqrt((X**2).sum())
    return X / frobenius
    ### END SOLUTION

# %% exercise="unit-norm" part="check"
lab.check("unit-norm", unit_norm)

# %% slide="subslide"
from matplotlib import pyplot as plt

plt.figure(figsize=(6, 12))
plt.plot(np.arange(5))
plt.show()
'''
)

TOUR = (
    HEAD
    + """# %% [markdown]
# # A tour
#
# Nothing to write here.

# %%
print(sum([1, 2]))
"""
)

LAB = '''"""What students import."""

import numpy as np

RIGHT = []


class Wrong(AssertionError):
    """What is wrong with an answer."""


def check(name, function, *, hidden=False):
    """Say what is wrong with a function, or that it is right."""
    X = np.random.default_rng(7 if hidden else 1).standard_normal((5, 3)) + (2 if hidden else 0)
    try:
        given = np.asarray(function(X))
    except NotImplementedError:
        if hidden:
            raise Wrong(f"{name} is not written yet.") from None
        print(f"{name}: still blank.")
        return
    if name == "centred" and not np.allclose(given.sum(0), 0, atol=1e-9 if hidden else 5):
        raise Wrong("some columns have another mean than 0: did you average over axis 0?")
    if name == "unit-norm" and not np.isclose(np.linalg.norm(given), 1):
        raise Wrong("the norm is not 1: did you take the root?")
    RIGHT.append(function)
    print(f"{name}: right.")


def ready(function):
    """Whether a function was right."""
    return function in RIGHT
'''

SOLUTIONS = {
    "centred": "def centred(X):\n    return X - X.mean(0)",
    "unit_norm": "def unit_norm(X):\n    return X / np.linalg.norm(X)",
}

WRONG = {
    # passes the check that students see, not the hidden one
    "centred": ("def centred(X):\n    return X - X.mean()", "average over axis 0"),
    "unit-norm": ("def unit_norm(X):\n    return X / (X**2).sum()", "did you take the root"),
}


def write(folder: Path, source: str = SOURCE) -> Path:
    """A folder of sources, with the package."""
    package = folder / "redundancy_lab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(LAB, encoding="utf-8")
    (folder / "00_tour.py").write_text(TOUR, encoding="utf-8")
    (folder / "01_tiny.py").write_text(source, encoding="utf-8")
    return folder
