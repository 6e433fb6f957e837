# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Getting started: how redundant is a matrix of features?
#
# A layer of a network turns $n$ images into a matrix $X$, one row per image and one column per
# neuron. How many of its columns, chosen **at random**, are enough to stand for all of them? This
# page asks that of a matrix that is made here, with no network and no data set, in twenty lines
# of the public API. The same lines work on yours.
#
# **Cost** on two CPU cores: a few seconds.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 00_getting_started -p SEEDS
# '[1, 2, 3]'`.

# %% tags=["parameters"]
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of the random selections
DELTAS: list[float] = [0.8, 0.9, 0.95]  # Shares of the whole matrix's accuracy to be kept
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps

# %%
import diffused_redundancy as dr

session = dr.begin("00_getting_started", globals())

# %% [markdown]
# ## A matrix with structure
#
# Twenty hidden causes, five of which differ between five classes, are mixed into 256 columns, and
# noise is added to each. So every column carries a little of everything: the redundancy is
# *diffused*.

# %%
import numpy as np

rng = np.random.default_rng(0)
labels = rng.integers(5, size=1500)
causes = rng.standard_normal((1500, 20)) + 2 * np.eye(20)[labels]
X = causes @ rng.standard_normal((20, 256)) + 3 * rng.standard_normal((1500, 256))
session.say(f"X is a matrix of {X.shape[0]:,} rows (images) and {X.shape[1]} columns (neurons).")

# %% [markdown]
# ## Without labels: similarity
#
# `dr.measure` compares random subsets of the columns with the whole matrix by linear *centred
# kernel alignment* (CKA): 1 if images that are alike in one are alike in the other, near 0 if the
# two have nothing to do with each other. It does so at **every** size $k = 1, 2, \dots, d$, for
# each seed: of the columns as they are, and *standardized*, each divided by its standard deviation,
# so that none counts for more than another. What it returns, printed, is one sentence. It calls
# columns *neurons*, and the whole matrix the *layer*.

# %% papermill_description=cka
result = dr.measure(X, seeds=SEEDS, device=DEVICE)
session.say(f"{result}")

# %% [markdown]
# *Diffused redundancy* is the share of columns that can be dropped, $\mathrm{DR}(\delta) = 1 -
# k^*/d$, with $k^*$ the smallest $k$ at which the mean over seeds reaches $\delta$ times the value
# of the whole. So DR(0.9) of 0.6 says that 60% of the columns can be dropped while 90% of the value
# is kept. It comes with a bootstrap interval over seeds and images.

# %%
session.say(f"`{result.redundancy(0.9)}`")

# %% [markdown]
# All values are in a tidy table, one row per seed and size.

# %%
from diffused_redundancy.report import display

session.table(result.to_frame(), "cka", show=False)
session.say(display.markdown_table(result.to_frame().head()))

# %%
session.figure(
    result.plot(),
    "cka",
    alt="CKA between random columns and the whole matrix against the number of columns kept, with "
    "the curve that the closed form predicts from one number (dashed). Bands reach from the smallest "
    "to the largest value over seeds.",
    hero=True,
)

# %% [markdown]
# The dashed line is a prediction from one number. Take the Gram matrix $X^\top X$ of the centred
# columns: the number is the share of its squared entries that lies on its diagonal. Notebook
# `01_cka` derives and tests the prediction.

# %% [markdown]
# ## With labels: usefulness
#
# Similar is not yet as useful. With labels, the accuracy of a linear probe on the first $k$ columns
# of each random order is measured as well, again at every $k$. There is no test part here, so a
# fifth of the images is held out. (In both figures of this page bands reach from the smallest to the
# largest value over seeds.)

# %% papermill_description=probe
labelled = dr.measure(X, labels, seeds=SEEDS, device=DEVICE)
session.say(f"{labelled} {' '.join(labelled.notes)}")

# %%
for delta in DELTAS:
    session.say(labelled.describe(delta))

# %%
session.table(labelled.to_frame(), "accuracy", show=False)
session.figure(
    labelled.plot(),
    "accuracy",
    alt="Test accuracy of a ridge probe on random columns against the number of columns kept, "
    "with the accuracy of the whole matrix as a line. Bands reach from the smallest to the largest "
    "value over seeds.",
)

# %%
session.answer(f"{result.describe(0.9)} {labelled.describe(0.9)}")
session.result(
    **{
        "DR(0.9) of cka": result.redundancy(0.9).value,
        "DR(0.9) of accuracy": labelled.redundancy(0.9).value,
    }
)

# %% [markdown]
# ## Your own embeddings
#
# Put your matrix in place of `X`: a NumPy array, a torch tensor or a pandas frame, with labels that
# are numbers or words, and a test part if you have one: `dr.measure(X, y, X_test, y_test)`. From a
# terminal, save the same arrays by `np.savez("features.npz", X_train=X, y_train=y)` and run
# `python -m diffused_redundancy measure features.npz --out redundancy`: it writes a page with
# figures, all curves as CSV and a summary as JSON, and reads files larger than memory in slices.
# `help(dr.measure)` says what else there is: other ways of choosing columns (`selections`), the
# logistic probe (`probe`), and what to do about columns that never vary (`constant`).

# %% [markdown]
# ## Where to go next
#
# - `01_cka`: is a random part of a real layer similar to the whole?
# - `02_probes`: is it as useful for downstream tasks?
# - `03_pretraining`: what in pre-training makes a layer redundant?
# - `04_mrl`: redundancy that was trained for, by the Matryoshka loss.
# - `05_fairness`: which classes pay for dropped neurons?
# - `06_layers`: what of the layers before the last?
# - `07_structure`: what is the similarity of a random part made of?
# - `08_neurons`: are some neurons better than others?
# - `09_data`: does a layer look less redundant where train images are few?
# - `10_text`: is a sentence encoder diffusely redundant, too?
#
# ## Exercises
#
# 1. **Less to repeat.** Make the matrix of independent noise, `rng.standard_normal((1500, 256))`.
#    What share of its columns keeps a CKA of 0.9, and why is it $0.9^2$?
# 2. **More noise.** Raise the noise from 3 to 10. Does similarity or accuracy suffer first, and do
#    more columns help?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
