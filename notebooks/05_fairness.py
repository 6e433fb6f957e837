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
# # Who pays when neurons go?
#
# If a tenth of the neurons keeps 90% of the accuracy, the tenth of accuracy that is lost need not
# be lost evenly. The paper warns that some classes are affected more than others (claim 10). Here:
# how uneven accuracy over classes is at every size, whether it becomes so before the mean visibly
# falls, which classes are lost first and whether they are the same ones whichever neurons are kept,
# and whether a more careful choice of $k$ helps.
#
# **Cost** of the default run on two CPU cores: half a minute beside another notebook, after the
# features.

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line: `./run_all.sh --only 05_fairness -p TASKS
# '[armenian]'`.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_*", "*t.mrl_s1", "*t.adversarial_l2_0.5_s1"]  # Networks; the first one in detail
TASKS: list[str] = ["digits", "armenian", "georgian"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "pca"]  # Of the first network, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # Seeds of the random selections
DELTAS: list[float] = [0.9]  # Share of the full layer's accuracy to be kept; the first one is used
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("05_fairness", globals())
session.need("SELECTIONS", "random")

# %% [markdown]
# ## Measures of unevenness
#
# Let $a_1, \dots, a_C$ be the accuracies on the images of each class, and $\bar a$ their mean. The
# **Gini index** is half the mean difference between two classes, as a share of the mean; the
# **coefficient of variation** is the standard deviation, as a share of the mean:
#
# $$\mathrm{Gini} = \frac{\sum_{i,j} |a_i - a_j|}{2 C^2 \bar a}
# \qquad \mathrm{CV} = \frac{1}{\bar a} \sqrt{\frac{1}{C} \sum_i (a_i - \bar a)^2}$$
#
# Both are 0 if all classes fare alike. With few test images for a class they are above 0 by chance
# alone. And when the mean falls they grow even if all classes lose alike. So the tables also give
# the Gini index to expect *if all lost alike* (every class keeps the same share of its own accuracy
# at full size, with as many test images as there are), and *by chance* alone, if all classes were
# equally hard. The first is taken from measured accuracies, which differ by chance as well, so it
# is rather too high: a strict bar.

# %% [markdown]
# ## Accuracy by class at every size
#
# Ridge probes, as in `02_probes`: one factorisation gives the predictions of the probes on the
# first $1, 2, \dots, d$ neurons.

# %% papermill_description=measures
from diffused_redundancy.experiment.measurements import measured_all, measured_halves

halves = measured_halves(session.layers(), SEEDS)
measurements = measured_all(
    session.layers(), probe="ridge", selections=SELECTIONS, seeds=SEEDS, fractions=[1.0]
)

# %%
delta = DELTAS[0]
network = session.nets[0]
layers = {task.name: session.layer(network, task) for task in session.tasks}
counts = {name: layer.test_counts() for name, layer in layers.items()}

# %%
from diffused_redundancy.findings import fairness
from diffused_redundancy.report import figures

session.figure(
    figures.curves_figure(fairness.worst_panels(measurements, network, 0.1, delta)),
    "worst",
    alt="Mean accuracy over classes, accuracy of the worst tenth of the classes and of the worst "
    "class, against the number of random neurons kept, one plot per task, for the first network.",
)
session.say(fairness.describe_worst(measurements, network, delta))

# %% [markdown]
# Bands reach from the smallest to the largest value over seeds of the selection. The worst class is
# the worst at that size and seed, not always the same one.
#
# ## Unevenness at every size

# %%
session.figure(
    figures.curves_figure(fairness.spread_panels(measurements, counts, SELECTIONS)),
    "gini",
    alt="The Gini index of accuracy over classes against the number of neurons kept, one plot per "
    "task: each selection for the first network, random neurons of the others, and what to expect "
    "of the first network if all classes lost alike.",
)
spread = fairness.spread_table(measurements, counts, delta)
session.say(fairness.describe_spread(spread))

# %% [markdown]
# The dotted line is what to expect of the first network if all classes lost alike: above it, some
# pay more than others. At very small $k$ a few classes succeed by chance and the rest fail, so the
# curves are drawn from $k = 10$ on.

# %%
from diffused_redundancy.report import display

session.table(spread, "spread", show=False)
session.say(display.markdown_table(fairness.shown_spread(spread)))

# %% [markdown]
# Intervals are for the mean over seeds of the selection. The whole layer is one set of neurons, so
# there its index is one value.

# %% [markdown]
# ## Which classes are lost first

# %%
session.table(fairness.lost_first(measurements, network, delta), "lost-first")

# %% [markdown]
# The table lists the classes that lose most at the size where the mean keeps the share asked for,
# averaged over seeds.

# %% [markdown]
# ## Are they the same classes every time?
#
# For each seed the classes are ranked by what they lose; Spearman's rank correlation compares two
# such rankings. It would be near 0 if *which* neurons are dropped decided who suffers, and near 1
# if the task and the network do. The two rankings of a pair of seeds are taken on disjoint halves
# of the test images: a class that happens to have easy images would agree with itself. The matrix
# compares rankings averaged over seeds, between networks and between selections, on all test
# images. (`halves` were measured above, by the same probes.)

# %% papermill_description=agreement
agreements = fairness.agreements(measurements, halves, delta, SELECTIONS)

# %%
panels = fairness.agreement_panels(agreements)
if panels:
    session.figure(
        figures.matrix_figure(panels),
        "agreement",
        alt="Rank correlations of the losses of classes between networks and selections, one "
        "matrix per task.",
    )
session.say(fairness.describe_agreements(agreements))

# %% [markdown]
# ## Choosing k with care
#
# Somebody who drops neurons must choose $k$ without looking at test images. Here each train image
# is held out once (5-fold cross-validation), and $k$ is the smallest number of neurons at which a
# rule keeps its share of what the whole layer has: the mean over images, the mean over classes (the
# same if classes have equally many images), or the worst tenth of the classes. What each choice
# does is then measured on test images.

# %% papermill_description=choices
validation = {name: layer.ridge_validation(SEEDS) for name, layer in layers.items()}

# %%
choices = fairness.choices(measurements, network, validation, counts, delta)
session.table(choices, "choices")
session.say(fairness.describe_choices(choices))

# %% [markdown]
# ## What the numbers say

# %%
session.verdict(10, fairness.classes_differ(measurements, agreements, counts, delta))
session.result(**fairness.results_of(spread, agreements))

# %% [markdown]
# ## What to take away
#
# - A mean hides who pays. Look at the worst classes before dropping neurons, even where the mean
#   has hardly moved.
# - If the same classes lose whichever random neurons go (see the rank correlations), the loss is no
#   accident of the draw: what those classes need is spread over fewer neurons, or they were hard
#   from the start.
# - A rule that looks at the worst classes buys them accuracy with neurons. Whether that is a good
#   bargain the table says.
#
# ## Exercises
#
# 1. **Two lists.** Look at the classes lost first. Take one from the list and the classes it
#    resembles to your eye. Are they on the list too? (Test images of the last task:
#    `session.tasks[-1].splits["test"].images.batch(0, 5)`, their classes in `.labels`.)
# 2. **The index by hand.** Three classes have accuracies 1.0, 0.8 and 0.6. Compute their Gini index
#    and coefficient of variation, and check with `dr.fairness.gini([1.0, 0.8, 0.6])` and
#    `dr.fairness.coefficient_of_variation([1.0, 0.8, 0.6])`.
# 3. **Chance.** How large is the Gini index of ten classes that are all recognised in 90% of the
#    cases, if each has 20 test images? And 2,000? Try `dr.fairness.expected_gini(0.9, [20] * 10)`.

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
