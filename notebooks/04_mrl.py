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
# # Structured redundancy: nested layers
#
# Redundancy can be trained for. *Matryoshka representation learning* (MRL) puts a head on the first
# 8 features, another on the first 16, and so on up to the whole layer, and trains all of them at
# once. Each prefix then works by itself, and whoever needs less takes a shorter one: redundancy
# with a structure. Is there any *diffused* redundancy in such a layer, where any neurons will do?
# The paper says yes, but much less than with other losses (claim 7, its figures 7 and 9). And the
# authors' code asks whether random neurons of an MRL layer catch up with its own prefixes as their
# number grows.
#
# **Cost** of the default run on two CPU cores: half a minute beside another notebook, after the
# features.

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line: `./run_all.sh --only 04_mrl -p TASKS '[digits]'`.

# %% tags=["parameters"]
NETS: list[str] = [
    "*t.mrl_*",
    "miniature_resnet.standard_s?",
    "*t.adversarial_l2_0.25_s?",
    "*t.ff_*",
]  # Networks, known by their loss
TASKS: list[str] = [
    "digits",
    "armenian",
    "font_style",
]  # Downstream tasks; also folder:PATH, npz:PATH, hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = [
    "random",
    "first",
]  # Ways of choosing neurons: random and first (the nested prefix) among them
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of the random selections
PROBE: str = "ridge"  # Linear probe: ridge (exact at every size) or logistic (at FRACTIONS)
FRACTIONS: list[float] = [0.0157, 0.0313, 0.0625, 0.125, 0.25, 0.5, 1.0]  # Sizes of logistic probes
DELTAS: list[float] = [
    0.9,
    0.8,
    0.95,
]  # Shares of the full layer's value to be kept; the verdict uses the first
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr
from diffused_redundancy.experiment import measurements
from diffused_redundancy.findings import matryoshka, pretraining
from diffused_redundancy.report import display, figures

study = dr.begin("04_mrl", globals())
study.need("SELECTIONS", "random")
study.need("SELECTIONS", "first")
study.show_provenance()

# %% [markdown]
# ## The networks
#
# - **MRL**: heads of their own on the first 8, 16, ..., 512 features, trained together.
# - **MRL-E**: the same with one head, whose first columns serve the shorter prefixes.
# - **FF** (fixed features): one network for each size, whose head sees the first $k$ features only.
#   It is what one would train if only that size were wanted, hence the bar for the nested prefix.
# - Networks of other losses, for comparison.

# %%
study.table(measurements.nets_table(study.nets), "nets")

# %% [markdown]
# ## Upstream: what the networks' own heads reach
#
# Top-1 on held-out upstream images of heads on the first $k$ features, as measured after training.

# %%
study.table(matryoshka.prefix_table(study.nets), "upstream-prefixes")

# %% [markdown]
# ## Downstream: linear probes on prefixes and on random neurons

# %% papermill_description=measures
delta = DELTAS[0]
cells = measurements.Cells(
    measurements.measure_cells(
        study, probe=PROBE, selections=SELECTIONS, seeds=SEEDS, fractions=FRACTIONS
    )
)
study.table(matryoshka.curves_table(cells), "curves", show=False)
study.table(measurements.cells_table(cells.all, DELTAS), "redundancy", show=False)

# %%
study.figure(
    figures.curves_figure(matryoshka.panels(cells, "accuracy"), "accuracy gained, points"),
    "accuracy",
    alt="Test accuracy, in points above that of random neurons of the first network that is "
    "not nested, against the number of neurons "
    "kept, one plot per task: the nested prefix and random neurons of MRL layers, random "
    "neurons of adversarial layers, and networks trained for "
    "one size each.",
)
approach = matryoshka.approach(cells)
study.say(matryoshka.describe_approach(approach))

# %% [markdown]
# The zero line is the mean accuracy of random neurons of the first kind of network that is not
# nested (the table `curves` has the accuracies themselves). Bands reach from the smallest to the
# largest value over networks (seeds of pre-training) and selections. The nested prefix of a network
# is one set of neurons, so its band shows networks only.

# %%
study.table(approach, "approach", show=False)
study.say(display.markdown_table(matryoshka.in_points(approach)))

# %% [markdown]
# ## Does nesting make the prefix better?
#
# Accuracy on the nested prefix, less that on the first $k$ neurons of the networks of the first
# other loss. In the latter, the order of the neurons means nothing. In points.

# %%
gains = matryoshka.prefix_gain(cells, [8, 16, 32, 64, 128, 256])
study.table(gains, "prefix-gain", show=False)
study.say(display.markdown_table(matryoshka.in_points(gains)))
study.say(matryoshka.describe_prefix_gain(gains))

# %% [markdown]
# ## Similarity to the whole layer

# %%
study.figure(
    figures.curves_figure(matryoshka.panels(cells, "cka"), "CKA with the whole layer"),
    "cka",
    alt="CKA with the whole layer against the number of neurons kept, one plot per task: the "
    "nested prefix and random neurons of MRL layers, and "
    "random neurons of standard and adversarial layers.",
)
study.say(matryoshka.describe_similarity(cells, delta))

# %% [markdown]
# ## Diffused redundancy by loss
#
# As in `03_pretraining`, a difference counts as clear only if the intervals of all networks of one
# loss lie above those of all networks of the other.

# %%
by_loss = measurements.grouped([net for net in study.nets if not matryoshka.is_fixed(net)], "loss")
for measure in measurements.MEASURES:
    study.figure(
        figures.groups_figure(
            cells.panels(by_loss, measure, delta),
            f"DR({delta:g}) of {measurements.MEASURES[measure]}",
            reference=by_loss.reference,
        ),
        f"redundancy-{measure}",
        alt=f"Diffused redundancy of {measurements.MEASURES[measure]} of random neurons, by "
        "loss, one plot per task, one point per network.",
    )
    study.say(pretraining.describe_groups(cells, by_loss, measure, delta))

# %%
nested = [label for label, nets in by_loss.groups.items() if matryoshka.is_nested(nets[0])]
plain = [label for label in by_loss.groups if label not in nested]
apart = pretraining.differences(
    cells, by_loss, [(ours, theirs) for ours in nested for theirs in plain], delta
)
if apart:
    study.table(pretraining.differences_table(apart), "differences")

# %% [markdown]
# How large are the first features? Their share of the layer's variance, on train images of the
# first task:

# %%
variances = matryoshka.leading_variance(study, 8)
study.table(variances, "leading-variance")

# %% [markdown]
# ## What the numbers say

# %%
study.verdict(7, matryoshka.still_redundant(cells, apart, delta))
study.result(**measurements.results_of(cells, delta))

# %% [markdown]
# ## What to take away
#
# - A nested layer packs what its heads need into the first few features. A few random neurons
#   rarely hit those; the table says where prefix and random neurons differ most, in which
#   direction, and from which size on it makes no difference any more, if from any.
# - CKA and accuracy need not tell the same story. Nesting makes the first features large (see
#   below), and CKA follows large features. A probe can scale small ones up.
# - Training for structure and having diffused redundancy do not exclude one another; how much is
#   left is what claim 7 is about.
#
# ## Exercises
#
# 1. **Choose the neurons at the far end.** Measure the *last* features of an MRL layer first. In a
#    new cell: ```python layer = study.layer(study.nets[0], study.tasks[0]) X, y, X_test, y_test =
#    layer.arrays turned = dr.SufficientStatistics.from_features(X[:, ::-1].copy(), y) curve =
#    dr.ridge_curve(turned, dr.ordering("first", turned), X_test[:, ::-1].copy(), y_test,
#    penalty=layer.ridge_penalty.penalty) curve.accuracy[63]  # with the last 64 features ``` Are
#    they worse than 64 random ones? Why?
# 2. **What does a nested head cost?** Compare the top-1 of the whole layer of MRL with that of the
#    standard network. Is the difference larger than that between two seeds?
# 3. **CKA of a prefix.** The CKA of the nested prefix can be high at $k = 8$. Explain it by the
#    variance of the first features, and check with `layer.arrays[0].var(0)`.

# %%
study.finish()
