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
# # Is a layer that was trained for structured redundancy diffusely redundant, too?
#
# Redundancy can be trained for. *Matryoshka representation learning* (MRL) puts a head on the first
# 8 features, another on the first 16, and so on up to the whole layer, and trains all of them at
# once. Each prefix then works by itself, and whoever needs less takes a shorter one: redundancy
# with a structure. Is there any *diffused* redundancy in such a layer, where any neurons will do?
# The paper says yes, but much less than with other losses (claim 7, its figures 7 and 9). And the
# authors' code asks whether random neurons of an MRL layer catch up with its own prefixes as their
# number grows.
#
# *Diffused redundancy*, DR(0.9), is the share of the neurons that can be dropped while a random rest
# keeps 90% of what the whole layer has: of its accuracy, or of CKA, the similarity with the whole.
#
# **Cost** of the default run on two CPU cores: a minute while another notebook runs, after the
# features.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 04_mrl -p TASKS '[digits]'`.

# %% tags=["parameters"]
NETS: list[str] = ["*t.mrl_*", "miniature_resnet.standard_s?", "*t.adversarial_l2_0.25_s?", "*t.ff_*"]  # Networks, known by their loss
TASKS: list[str] = ["digits", "armenian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "first"]  # Both are needed: first is the nested prefix
SEEDS: list[int] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # Seeds of the random selections
PROBE: str = "ridge"  # Linear probe: ridge (exact at every size) or logistic (at FRACTIONS)
FRACTIONS: list[float] = [0.0157, 0.0313, 0.0625, 0.125, 0.25, 0.5, 1.0]  # Sizes of logistic probes; none: every size
DELTAS: list[float] = [0.9, 0.8, 0.95]  # Shares of the full value to keep; verdicts use the first
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("04_mrl", globals())
session.need("SELECTIONS", "random")
session.need("SELECTIONS", "first")

# %% [markdown]
# ## The networks
#
# - **MRL**: heads of their own on the first 8, 16, ..., 512 features, trained together.
# - **MRL-E**: the same with one head, whose first columns serve the shorter prefixes.
# - **FF** (fixed features): one network for each size, whose head sees the first $k$ features only.
#   It is what one would train if only that size were wanted, hence the bar for the nested prefix.
# - Networks of other losses, for comparison.

# %%
from diffused_redundancy.findings import grouping

session.table(grouping.nets_table(session.nets), "nets")

# %% [markdown]
# ## Upstream: what the networks' own heads reach
#
# Top-1 on held-out upstream images of heads on the first $k$ features, as measured after training.

# %%
from diffused_redundancy.findings import matryoshka

session.table(matryoshka.prefix_table(session.nets), "upstream-prefixes")

# %% [markdown]
# ## Downstream: linear probes on prefixes and on random neurons

# %% papermill_description=measures tags=["measures"]
from diffused_redundancy.experiment.measurements import COMPARED, measured_all

measurements = measured_all(
    session.layers(),
    peers=session.peers(),
    probe=PROBE,
    selections=SELECTIONS,
    seeds=SEEDS,
    fractions=FRACTIONS,
)

# %%
delta = DELTAS[0]
session.table(matryoshka.curves_table(measurements), "curves", show=False)
session.table(grouping.redundancy_table(measurements.all, DELTAS), "redundancy", show=False)

# %%
from diffused_redundancy.report import figures

session.figure(
    figures.curves_figure(matryoshka.panels(measurements, "accuracy")),
    "accuracy",
    alt="Test accuracy, in points above that of random neurons of the first network that is not "
    "nested, against the number of neurons kept, one plot per task: the nested prefix and random "
    "neurons of MRL layers, random neurons of adversarial layers, and networks trained for one "
    "size each. Bands reach from the smallest to the largest value over networks and selections.",
)
approach = matryoshka.approach(measurements)
session.say(matryoshka.describe_approach(approach))

# %% [markdown]
# The zero line is the mean accuracy of random neurons of the first kind of network that is not
# nested (the table `curves` has the accuracies themselves). Bands reach from the smallest to the
# largest value over networks (seeds of pre-training) and selections. The nested prefix of a network
# is one set of neurons, so its band is over networks only.
#
# Gaps in the table are at the size where prefix and random neurons differ most; *low* and *high* are
# the ends of a 95% interval over networks, where there are several.

# %%
from diffused_redundancy.report import display

session.table(approach, "approach", show=False)
session.say(display.markdown_table(matryoshka.in_points(approach)))

# %% [markdown]
# ## Does nesting make the prefix better?
#
# Accuracy on the nested prefix, less accuracy on the first $k$ neurons of networks of another loss
# (the first of `NETS` that is not nested), in points. In these networks the order of the neurons
# means nothing.

# %%
sizes = [8, 16, 32, 64, 128, 256]
gains = matryoshka.prefix_gain(measurements, sizes)
session.table(gains, "prefix-gain", show=False)
session.say(display.markdown_table(matryoshka.in_points(gains)))
session.table(matryoshka.prefix_gain_at(measurements, sizes[0]), "prefix-gain-shown")
session.say(matryoshka.describe_prefix_gain(measurements, sizes[0]))

# %% [markdown]
# ## Similarity to the whole layer
#
# CKA weighs neurons by their variance, and nesting makes the first features large (see below). So
# it is shown twice: of the neurons as they are, which is what the paper measures, and of
# *standardized* neurons, each divided by its standard deviation first. Bands are as above. The tables
# say how many neurons it takes for the first of `DELTAS`: means over networks, in brackets 95%
# intervals where there are several networks.

# %%
for measure in ("cka", "standardized_cka"):
    session.figure(
        figures.curves_figure(matryoshka.panels(measurements, measure)),
        measure.replace("_", "-"),
        alt=f"{COMPARED[measure]} with the whole layer against the number of neurons kept, one "
        "plot per task: the nested prefix and random neurons of MRL layers, and random neurons of "
        "standard and adversarial layers. Bands reach from the smallest to the largest value over "
        "networks and selections.",
    )
    needed = matryoshka.neurons_needed(measurements, measure, delta)
    session.table(needed, f"needed-{measure.replace('_', '-')}")
    session.say(matryoshka.describe_similarity(measurements, measure, delta))

# %% [markdown]
# ## Diffused redundancy by loss
#
# As in `03_pretraining`, which says more about it, the unit is a pre-trained network. Its value is the
# DR of its mean curve over the selections. Test images and the seeds of the selections are the same
# for all. Bars in the figures are 95% intervals over subsets and images; the shaded band is where
# those of the first loss reach.
#
# A difference is *clear* if two p values are at most 0.05: Welch's, with Holm's correction for all
# comparisons of one measure, and that of the exact permutation test. A loss with too few networks
# for that has *no power*, and counts in no verdict. Nor does a difference in DR of accuracy that is
# no larger than what the choice of the penalty moves it by. A difference whose interval lies within
# 0.02 does not matter, whether it is clear or not.

# %%
from diffused_redundancy.experiment import penalty_bands
from diffused_redundancy.findings import comparisons, pretraining

by_loss = matryoshka.grouped_by_loss(session.nets)
for measure, name in COMPARED.items():
    panels = grouping.group_panels(measurements, by_loss, measure, delta)
    session.figure(
        figures.groups_figure(panels, f"DR({delta:g}) of {name}", reference=by_loss.reference),
        f"redundancy-{measure}",
        alt=f"Diffused redundancy of {name} of random neurons, by loss, one plot per task, one "
        "point per network with its 95% interval over subsets and images. The shaded band is where "
        "the intervals of the first loss reach.",
        hero=measure == "cka",
    )
    session.say(pretraining.describe_groups(measurements, by_loss, measure, delta))
session.say(comparisons.describe_power(measurements, by_loss, delta))

# %% [markdown]
# In each cell: what is said of the difference, the difference, and its 95% interval over networks. p
# values are corrected for the comparisons of this table, and penalties are common to the networks of
# this page: another page that compares two of the same groups has other penalties, and so other numbers.

# %%
bands = (
    penalty_bands.group_bands(measurements, by_loss.groups, session.layer, delta, SEEDS[:3])
    if PROBE == "ridge"
    else {}
)
differences = matryoshka.nested_differences(measurements, by_loss, delta, bands)
if differences:
    session.table(comparisons.differences_table(differences), "differences")
    session.table(
        comparisons.differences_numbers(differences), "differences-numbers", show=False
    )

# %% [markdown]
# How large are the first features? The table has their share of the layer's variance, on train images
# of the first task; beside it, what it would be if all neurons had the same variance.

# %%
from diffused_redundancy.experiment.measurements import neuron_variances

task = session.tasks[0]
compared = matryoshka.nested_and_plain(session.nets)
variances = neuron_variances((net, task, session.layer(net, task)) for net in compared)
session.table(matryoshka.leading_variance(variances, 8), "leading-variance")

# %% [markdown]
# ## Is a layer that was trained to be small redundant in itself?
#
# An FF network was trained to use its first $m$ features alone. Take these for the whole layer: can
# some of *them* be dropped at random? The authors' code measures random subsets of 1, 2, 4 and 6 of 8
# such features, and so on; here every size of every $m$ is measured. They are compared with as many
# first features of one nested and one plain network, with one penalty for a task and an $m$. In the
# plain network these are $m$ of many, which were not trained to work by themselves.
#
# **A yardstick.** DR cannot be below 0, and it moves in steps of $1/m$: that it is above 0 says
# little. So it is compared with that of *independent features*: as many that reach the same accuracy
# together, each as useful as any other, in normally distributed classes that are equally far apart.
# (It is for accuracy what $1 - \delta^2$ is for CKA. It is no model of these layers.)
#
# **Above chance.** On hard tasks a few features do not reach far above chance, and an accuracy that is
# mostly chance is easily kept. So what is compared is DR *above chance*, the lower row, and a case
# counts only if the accuracy is at least twice chance. Features that are no better than guessing have
# no point in the figure, as most at $m = 8$ on a hard task. Bars in the figure are 95% intervals. The
# table has, for each task, only the smallest and the largest $m$ whose network is better than guessing;
# the file `fixed-features` has all.
#
# A difference is *clear* if its 95% interval, over subsets and test images, leaves out 0, and if its
# p, corrected for all of these comparisons (Holm), is at most 0.05. Comparisons of one task share
# images and subsets.

# %% papermill_description=fixed-features
from diffused_redundancy.experiment.measurements import measured_first_features
from diffused_redundancy.paper import fixed_features

within = measured_first_features(
    fixed_features.compared(session.nets),
    session.tasks,
    session.layer,
    probe=PROBE,
    seeds=SEEDS,
    fractions=FRACTIONS,
)
session.table(fixed_features.within_table(within, delta), "fixed-features", show=False)
session.table(fixed_features.within_curves(within), "fixed-features-curves", show=False)
gaps = fixed_features.gaps(within, delta)
session.table(fixed_features.gaps_table(gaps), "fixed-features-gaps", show=False)
session.say(display.markdown_table(fixed_features.shown_within(within, delta)))

# %%
if within:
    session.figure(
        figures.series_figure(
            fixed_features.within_series(within, delta),
            "features taken, m",
            [f"DR({delta:g}) within them", f"DR({delta:g}) above chance"],
            ticks=fixed_features.within_ticks(within),
            log=True,
        ),
        "fixed-features",
        alt="Diffused redundancy of accuracy within the first m features against m, one column per "
        "task: of networks trained on m features only, of the nested prefix of an MRL layer, and "
        "of the first m features of a standard one. The lower row is above chance, with that of "
        "independent features that reach as much. Bars are 95% intervals over subsets and test "
        "images.",
    )
session.say(fixed_features.describe_within(within, delta))

# %% [markdown]
# ## Beside the paper
#
# The values that the paper prints, as far as we know them (`data/paper_values.csv`), are of accuracy:
# DR(0.9) of three networks on four tasks, and what a fifth of a ResNet50 keeps. Where this
# run measured the same network on the same task, ours is next to it, on the paper's sizes. (Of MRL
# layers no number is printed, only figures.)

# %%
from diffused_redundancy.paper import beside

cells = beside.compared_measurements(measurements.all, session.protocol)
session.table(beside.beside_table(cells), "paper", show=False)
session.say(display.markdown_table(beside.by_network(cells)))

# %% [markdown]
# ## What the numbers say

# %%
from diffused_redundancy.findings import answers

left = {
    COMPARED[measure]: matryoshka.still_redundant(measurements, measure, delta)
    for measure in ("cka", "standardized_cka")
}
less = {
    name: matryoshka.less_than_others(differences, measure, delta)
    for measure, name in COMPARED.items()
}
session.answer(answers.nested(left, less))
for name, told in left.items():
    session.verdict(7, told, part=f"diffused redundancy is left, {name}")
for name, told in less.items():
    session.verdict(7, told, part=f"less than with other losses, {name}")
session.result(**grouping.results_of(measurements, delta))

# %% [markdown]
# ## What to take away
#
# - The loss of a nested layer asks of its first few features what it asks of the whole layer.
#   The table of largest gaps says whether few random neurons do worse than these: where the two
#   differ most, in which direction, and from which size on, if any, they no longer differ.
# - CKA and accuracy need not tell the same story. CKA follows large features, and a probe can scale
#   small ones up. Whether nesting makes the first features large, the table of their variance above
#   says; whether a low DR of CKA is only that, the verdict on standardized neurons.
# - Training for structure and having diffused redundancy do not exclude one another; how much is
#   left is what claim 7 is about.
# - Being small does not exclude it either, if DR within fixed features says so: the figure shows
#   from which size on some of them can be dropped at random, and whether that is less than of as
#   many neurons that were never trained to be few.
#
# ## Exercises
#
# 1. **Choose the neurons at the far end.** Measure the *last* features of an MRL layer first. In a
#    new cell:
#    ```python
#    features = session.layer(session.nets[0], session.tasks[0]).features
#    train, test = (X[:, ::-1].copy() for X in (features.X_train, features.X_test))
#    turned = dr.measure(
#        train, features.y_train, test, features.y_test, selections=["first", "random"]
#    )
#    turned.curve("ridge_accuracy", "first").at(64), turned.curve("ridge_accuracy", "random").at(64)
#    ```
#    Are they worse than 64 random ones? Why?
# 2. **What does a nested head cost?** Compare the top-1 of the whole layer of MRL with that of the
#    standard network. Is the difference larger than that between two seeds?
# 3. **CKA of a prefix.** The CKA of the nested prefix can be high at $k = 8$. Explain it by the
#    variance of the first features, and check with `features.X_train.var(0)`.

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
