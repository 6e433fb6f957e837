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
# # What in pre-training makes a layer redundant?
#
# Notebooks `01_cka` and `02_probes` look at one network. Here many are compared that differ in one
# thing each: the loss they were trained with, the images they saw, or the width of the layer.
# Families of architectures differ in more. The paper says that loss and data set of pre-training
# largely govern redundancy; a summary of it adds that adversarial training and larger data sets
# raise it (claim 4), and that wider layers are more redundant (claim 9). Its code also trains
# networks with dropout and with DeCov, a penalty on correlated neurons; with what result, we ask
# ourselves (claim 8). And what is left of the accuracy when neurons go depends on the task: the best
# of these networks and sizes differ from task to task (claim 3).
#
# **DR(δ)**, diffused redundancy, is the share of a layer's neurons that can be dropped while a random
# rest keeps the share δ of the whole layer's value: of the accuracy of a probe, or of CKA, the
# similarity with the whole layer.
#
# **Cost** of the default run on two CPU cores: four minutes while another notebook runs, after the
# features.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 03_pretraining -p TASKS
# '[digits]'`. The first network is the reference that others are compared with. Names may hold `*`:
# `miniature_resnet.dropout_*` is every network trained with dropout.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_*", "miniature_resnet.[!f]*", "*.standard_*"]  # Networks, the reference first; patterns are allowed
TASKS: list[str] = ["digits", "armenian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random"]  # Ways of choosing neurons or directions, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # Seeds of the random selections
PROBE: str = "ridge"  # Linear probe: ridge (exact at every size) or logistic (at FRACTIONS)
FRACTIONS: list[float] = [0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9, 1.0]  # Sizes of logistic probes; none: every size
DELTAS: list[float] = [0.9, 0.8, 0.95]  # Shares of the full value to keep; figures show the first
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("03_pretraining", globals())
session.need("SELECTIONS", "random")

# %% [markdown]
# ## The networks
#
# The networks of the miniature zoo take the same number of training steps of the same size. The
# transformer alone takes four times as many, of half as many images, at a lower learning rate: with
# the others' recipe it did not learn. *Top-1* is the accuracy of the network's own head on held-out
# upstream images; *under l2 0.25* is the same when each image is changed by an adversary who may
# move it by a Euclidean distance of 0.25 (pixels in 0 to 1; projected gradient descent, 10 steps).
# The speed is of one core, all networks measured in turn.

# %%
from diffused_redundancy.findings import grouping

session.table(grouping.nets_table(session.nets), "nets")

# %% [markdown]
# ## Measuring them all
#
# For every network and task: CKA and the accuracy of linear probes on random subsets of every size,
# as in the notebooks before, and from these $\mathrm{DR}(\delta) = 1 - k^*/d$, the share of the
# layer that can be dropped while $\delta$ of the full layer's value is kept. All networks have the
# same penalty on a task, the one that cross-validation prefers for all of them together: at
# penalties of their own, differences between networks could be differences between penalties.
#
# CKA is measured twice: of the neurons as they are, as in the paper, and of *standardized* neurons,
# each divided by its standard deviation first. CKA weighs neurons by their variance; a difference
# between networks that is gone once neurons are standardized is one of scale, not of how many
# dimensions neurons share.

# %% papermill_description=measures tags=["measures"]
from diffused_redundancy.experiment.measurements import COMPARED, measured_all

measurements = measured_all(
    session.layers(),
    peers=session.peers(),
    probe=PROBE,
    selections=SELECTIONS,
    seeds=SEEDS,
    fractions=FRACTIONS,
    geometry=True,
)

# %%
delta = DELTAS[0]
session.table(grouping.redundancy_table(measurements.all, DELTAS), "redundancy", show=False)
session.table(grouping.shown_redundancy(measurements.all, delta), "redundancy-shown")

# %% [markdown]
# ## What is compared, and when a difference is clear
#
# Intervals in the figures are over the seeds of the *selection* and over images: how much the value
# would move, had other neurons been drawn and other images been taken. They say nothing about the seed
# of the *pre-training*. To say that a loss
# raises redundancy, networks must be trained again. So the unit is a **pre-trained network**: each
# gives one value, the DR of its mean curve over the selections. All networks are measured on the
# same test images, which are held fixed: conclusions are about pre-training seeds, on these images.
# The seeds of the selections are the same, too, but not the neurons: neuron 7 of one network has
# nothing to do with neuron 7 of another.
#
# Two groups of networks are compared by the difference of their means, with a 95% interval and p of
# *Welch's t test*, and by the *exact permutation test*: of all ways to split the networks into
# two groups of these sizes, the fraction that are at least as far apart. Five against five have 252
# ways, so that the smallest p is 2/252 = 0.008; two against two cannot have a p below 1/3. A table
# makes many comparisons, and some would look clear by chance. Therefore a difference is *clear*
# here only if Welch's p, with Holm's correction for all comparisons of one measure in the table,
# and the exact p of its own are at most 0.05. In simulations of 18 comparisons of five
# against five this rule finds any false difference in 3 to 4% of tables of normal values, of equal
# spread or not, and in about 15% if values are log-normal with SDs that differ by a factor of 9.
# True differences of 2, 3 and 4 SDs are found in 21%, 65% and 93%. Other outcomes are:
#
# - *no difference larger than 0.02*: the interval lies within 2% of the layer on both sides. A
#   difference that is clear and still that small is *higher*, or *lower*, *but by less than 0.02*:
#   it does not matter;
# - *no power*: so few networks that no values could be clear. One network against five is such a
#   case: it is shown, and counts in no verdict;
# - *not resolvable*: a difference of accuracy's DR that is clear, but no larger than what the choice
#   of the penalty moves it; or one within 0.02 that would not be if it moved so far (see the bands
#   below);
# - *undecided*: none of these.
#
# *No power* and *undecided* come with the number of seeds that would decide, with a power of 80% if
# the means and the spread stay as they are. Accuracy and CKA are never pooled, and verdicts count tasks.

# %%
from diffused_redundancy.findings import comparisons, pretraining

by_loss = grouping.grouped(session.nets, "loss")
session.say(comparisons.describe_power(measurements, by_loss, delta))

# %% [markdown]
# ## How sure is one number?
#
# The standard deviation of DR from each source of variance, by task, for the reference loss: other
# random subsets (of as many as are averaged here), other images (test images for accuracy; for CKA
# those it is measured on), other train images for the probe (ridge probes of the first network,
# fitted to train sets drawn with replacement), and another seed of the pre-training (what is
# left of the variance between networks once the effect of their own subsets, and of images on one
# of them alone, is subtracted; with a 95% interval).

# %% papermill_description=precision
from diffused_redundancy.findings import precision
from diffused_redundancy.report import figures

reference, first = by_loss.groups[by_loss.reference], session.nets[0]
train = {
    task.name: precision.train_deviation(
        session.layer(first, task), delta, measurements.of(first, task).penalty
    )
    for task in session.tasks
    if PROBE == "ridge"
}
sources = precision.components(measurements, reference, train, delta)
session.table(sources, "variance-sources", show=False)
session.say(precision.describe_components(sources, delta))

# %%
if not sources.empty:
    session.figure(
        figures.points_figure(
            *precision.component_series(sources), f"SD of DR({delta:g})", top=None
        ),
        "variance-sources",
        alt="The standard deviation of diffused redundancy from each source of variance, for "
        "accuracy and CKA, by task.",
    )

# %% [markdown]
# ## How much depends on the penalty?
#
# As in `02_probes`: DR of accuracy over the penalties that cross-validation cannot tell apart, here
# for all these networks together, with ridge probes. Each group has the mean of its first two
# networks, over three selections, at the weakest and the strongest of these penalties and the one
# in force. Networks are compared at one penalty, so a difference is compared with how far the
# *difference* of two groups moves (the column `penalty_band` of the files `differences-...-numbers`).

# %% papermill_description=penalty-bands
from diffused_redundancy.experiment import penalty_bands
from diffused_redundancy.findings import penalties

by_data = grouping.grouped(session.nets, "upstream")
bands, data_bands = (
    penalty_bands.group_bands(measurements, groups.groups, session.layer, delta, SEEDS[:3])
    if PROBE == "ridge"
    else {}
    for groups in (by_loss, by_data)
)
for name, some in (("penalty-bands", bands), ("penalty-bands-upstream", data_bands)):
    session.table(penalties.group_bands_table(some, session.tasks), name, show=some is bands)
if bands:
    session.say(penalties.describe_widths(bands, session.tasks))
if few := penalties.describe_group_bands(bands, by_loss.groups, measurements):
    session.say(few)

# %% [markdown]
# ## By loss

# %%
for measure, name in COMPARED.items() if by_loss.others else ():
    panels = grouping.group_panels(measurements, by_loss, measure, delta)
    session.figure(
        figures.groups_figure(panels, f"DR({delta:g}) of {name}", reference=by_loss.reference),
        f"loss-{measure}",
        alt=f"Diffused redundancy of {name} for networks of each pre-training loss, one plot per "
        "task; one point per network with its interval over selections; a band marks the "
        "reference loss.",
    )
    session.say(pretraining.describe_groups(measurements, by_loss, measure, delta))
if not by_loss.others:
    session.say(pretraining.describe_groups(measurements, by_loss, "accuracy", delta))

# %% [markdown]
# The band is the range of the reference networks, intervals included. It is for information and decides nothing.
# The table has the difference of means from the reference with its 95% interval. Its p values are
# corrected for the comparisons of this table, and penalties are common to the networks of this
# page: another page that compares two of the same groups has other penalties, and so other numbers.

# %%
losses = pretraining.loss_differences(measurements, by_loss, delta, bands)
if losses:
    session.table(comparisons.differences_table(losses), "differences-loss")
    session.table(
        comparisons.differences_numbers(losses), "differences-loss-numbers", show=False
    )

# %% [markdown]
# ## What the network explains, and what the task does
#
# Networks differ in DR, and so do tasks. The values of all networks that differ in loss and seed
# only, on all tasks, vary about their mean; this variance (sums of squares) splits into a part that
# is a network's on every task, a part that is a task's for every network, and a rest. The task on
# which whole layers do worst stands apart from the others, so the split is shown without it, too.
# Chance alone makes some networks higher than others on all tasks: next to the network's share is
# what it would be on average if no network had an effect: what is not the task's, divided by the
# number of tasks.

# %%
variance = pretraining.variance_shares(measurements, by_loss.nets, delta)
session.table(variance, "variance-shares", show="task" in variance)
session.say(pretraining.describe_variance(variance, session.nets[0].d, delta))

# %% [markdown]
# ## Dropout and DeCov in strengths
#
# *Dropout* zeroes each penultimate neuron with some probability in every training step, so the head
# cannot rely on any single one. *DeCov* adds a penalty on the squared covariance of every two
# neurons. One would expect the first to make copies and the second to remove them. The leftmost
# points are the reference networks. A trend over the strengths, which uses the networks of all of
# them, is described as that over widths is tested below; the verdict counts comparisons.

# %%
for strength in pretraining.strength_figures(measurements, by_loss, delta):
    session.figure(
        figures.series_figure(
            strength.rows, strength.xlabel, strength.ylabels, ticks=strength.ticks
        ),
        strength.name,
        alt=strength.alt,
    )
    session.table(strength.table, f"{strength.name}-trends")
    session.say(strength.sentence)

# %% [markdown]
# ## By upstream data
#
# The same architecture and loss, for the same number of steps, on a tenth of the images (each seen
# ten times as often), and on three times as many of more kinds of letters.

# %%
session.say(pretraining.describe_groups(measurements, by_data, "accuracy", delta))
if by_data.others:
    session.figure(
        figures.groups_figure(
            grouping.group_panels(measurements, by_data, "accuracy", delta),
            f"DR({delta:g}) of accuracy",
            reference=by_data.reference,
        ),
        "upstream",
        alt="Diffused redundancy of accuracy for networks of each upstream set, one plot per task, "
        "one point per network with its interval.",
    )
    session.say(pretraining.describe_levels(measurements, by_data))

# %%
larger = pretraining.upstream_differences(measurements, by_data, delta, data_bands)
if larger:
    session.table(comparisons.differences_table(larger), "differences-upstream")
    session.table(
        comparisons.differences_numbers(larger), "differences-upstream-numbers", show=False
    )

# %% [markdown]
# ## What if the network was trained on the task itself?
#
# The authors' code also trains networks from scratch on the downstream task. Here the zoo has one
# for each task: the architecture, the loss and the number of steps of the reference, but its images
# are the train part of the task, and its test part is never trained on. They are compared with the
# reference networks on that task, at the penalty of this page, which was chosen without them:
# cross-validation on images that a network has memorised is not a guide. For the same reason the
# probe sees train features that are neater than those of test images.
#
# Not every task can be learned from its own few images, and of a network that hardly does better than
# guessing nearly all neurons can go. So a network is *comparable* only if its whole layer has at
# least half of the accuracy above chance that the pre-trained ones have in the mean. Its DR is
# *clearly* above or below theirs if its 95% interval, over subsets and test images, leaves out the
# range of theirs.

# %% papermill_description=from-scratch
from diffused_redundancy.experiment.measurements import measured_beside
from diffused_redundancy.paper import from_scratch
from diffused_redundancy.report import display

trained = from_scratch.networks(session.nets, session.tasks)
own = measured_beside(
    measurements,
    [
        (trained[task.name], task, session.layer(trained[task.name], task))
        for task in session.tasks
        if task.name in trained
    ],
    probe=PROBE,
    selections=["random"],
    seeds=SEEDS,
    fractions=FRACTIONS,
)
own_bands = (
    penalty_bands.bands_beside(
        measurements,
        {from_scratch.FROM_SCRATCH: own},
        (from_scratch.PRETRAINED, reference),
        session.layer,
        delta,
        SEEDS[:3],
    )
    if PROBE == "ridge"
    else {}
)
session.say(from_scratch.describe_tasks(trained, session.tasks))
session.table(
    from_scratch.beside_pretrained(measurements, own, reference, delta, own_bands),
    "from-scratch",
    show=False,
)
if own.all:
    shown = from_scratch.shown_beside(measurements, own, reference, delta)
    session.say(display.markdown_table(shown))

# %%
if own.all:
    session.figure(
        figures.curves_figure(from_scratch.kept_panels(measurements, own, reference, delta)),
        "from-scratch",
        alt="The share of the whole layer's accuracy that random neurons keep against their number, "
        "one plot per task, for the network trained on the task itself and for the pre-trained "
        "networks of the reference loss.",
    )
    session.say(
        from_scratch.describe_from_scratch(measurements, own, reference, delta, own_bands)
    )

# %% [markdown]
# Bands reach from the smallest to the largest value over subsets and networks. What is kept is a
# share of a network's *own* accuracy: look at that first.

# %% [markdown]
# ## By width and family
#
# The `miniature_resnet` networks differ in the width of the last stage only; everything before it
# is the same. Other families differ in more, the transformer also in how it was trained. DR compares
# each network with its own accuracy, which grows with width. So the last row shows how many neurons
# it takes to reach one and the same accuracy, a share $\delta$ of what the worst of these networks
# reaches with its whole layer: if that number stays the same as the layer widens, all that is added
# is redundant for it. (Its bars are the range over seeds of the selection.)

# %%
by_family = grouping.grouped(session.nets, "family", free=["width"])
by_width = grouping.grouped(session.nets, "width")
session.figure(
    figures.series_figure(
        pretraining.width_rows(measurements, by_family, delta),
        "width of the layer, d",
        [f"DR({delta:g})\n{name}" for name in COMPARED.values()] + ["neurons, one accuracy"],
        ticks=pretraining.width_ticks(by_family),
        log=True,
    ),
    "width",
    alt="Diffused redundancy of accuracy, of CKA and of CKA of standardized neurons, and the "
    "number of neurons needed for one and the same accuracy, against the width of the layer, one "
    "column per task, one line per family of architecture.",
)
session.say(pretraining.describe_widths(measurements, by_width, delta, by_family))

# %% [markdown]
# There is one network of most widths, so no two widths can be distinguished. But if width did not
# matter, every way to assign the networks to the widths would be equally likely. The test
# (Jonckheere and Terpstra's) counts the pairs of networks of different width in which the wider one
# has more DR, ties by half, and compares with all these ways. A trend is clear if p, corrected for
# the number of tasks (Holm), is at most 0.05. For accuracy it is *not resolvable* if it is not so
# at every penalty: it is tested again with the networks at the weakest and at the strongest penalty
# that cross-validation cannot tell apart for all of them.

# %% papermill_description=width-bands
width_bands = (
    penalty_bands.group_bands(
        measurements, by_width.groups, session.layer, delta, SEEDS[:3], most=None
    )
    if PROBE == "ridge"
    else {}
)
wider = pretraining.width_trends(measurements, by_width, delta, width_bands)
session.table(
    penalties.group_bands_table(width_bands, session.tasks), "penalty-bands-width", show=False
)
session.table(
    comparisons.trends_table(wider, "doubling"), "trends-width", show=len(by_width.groups) > 1
)
session.say(pretraining.describe_orders(wider))

# %% [markdown]
# ## Beside the paper
#
# The paper's table 1 (its first version; $\delta = 0.9$, logistic probes on a coarse grid of sizes)
# has two families, trained on ImageNet. Where this run measured the same network on the same task,
# DR is compared on the same sizes, as in `02_probes`:

# %%
from diffused_redundancy.paper import beside, printed

session.say(display.markdown_table(printed.printed_table()))
cells = beside.compared_measurements(measurements.all, session.protocol)
session.table(beside.beside_table(cells), "paper", show=False)
if not (shown := beside.shown_beside(cells)).empty:
    session.say(display.markdown_table(shown))
session.say(beside.describe_beside(cells), linked=shown.empty)
session.say(pretraining.describe_families(measurements, by_family, delta))

# %% [markdown]
# ## What can be dropped, and what is left
#
# Every network and every size is a choice: so much of the layer dropped, so much accuracy left. A
# choice is on the *Pareto front* if no other drops more and keeps as much. How steeply it falls
# depends on the task: the first figure shows the same for DR, one row per task, one point per network. The
# front is the best of *these* networks and sizes; any finite set has one, and others may do better.

# %%
session.figure(
    figures.groups_figure(
        grouping.task_panel(measurements, "accuracy", delta), f"DR({delta:g}) of accuracy"
    ),
    "tasks",
    alt="Diffused redundancy of accuracy by task: one row per task, one point per network, on one "
    "axis.",
    hero=True,
)

# %%
from diffused_redundancy.findings import pareto

fronts = pareto.all_fronts(measurements)
session.table(pareto.fronts_table(fronts), "pareto", show=False)
coloured = pareto.highlighted(measurements, fronts, by_loss)
session.figure(
    figures.trade_figure(
        pareto.trade_panels(measurements, fronts, coloured),
        "share of neurons kept",
        "test accuracy",
    ),
    "pareto",
    alt="Test accuracy against the share of neurons kept at random, on a log axis, one plot per task: a thin "
    "line per network and, drawn bold, the best of these networks and sizes.",
)
session.say(pareto.describe_fronts(fronts))
session.say(pareto.describe_excess(measurements))

# %%
width = session.nets[0].d
narrow = pareto.all_fronts(measurements, width=width)
session.say(pareto.describe_leaders(measurements, fronts, narrow, width))

# %% [markdown]
# ## Does similarity predict usefulness?
#
# If DR of CKA predicted DR of accuracy, no probe would be needed. And if the geometry of a layer
# predicted it, no subsets either. DR of accuracy is compared with DR of CKA, of neurons as they are
# and standardized, and with the following:
#
# - the *participation ratio* $\mathrm{PR} = (\operatorname{tr} G)^2 / \lVert G \rVert_F^2$ and
#   $\mathrm{PR}/d$: how many dimensions the layer would have, were their variances equal; the
#   *effective rank*, the exponential of the entropy of the eigenvalues' shares (Roy and Vetterli,
#   2007); and $r = (\mathrm{PR}/d)(1 + \mathrm{CV}^2)$ of the closed form (notebook `01_cka`);
# - the *intrinsic dimension* by the TwoNN estimator (Facco and others, 2017), from the ratios of the
#   distances to the two nearest neighbours, on up to 1,000 train images;
# - the width $d$;
# - *NC1* of neural collapse, the trace of the scatter within classes times the pseudo-inverse of
#   that between them, over the number of classes; and *NC2*, how unequal the norms of the class
#   means are (standard deviation over mean), and their angles (the mean of $|\cos + 1/(C-1)|$ over
#   pairs of classes; Papyan and others, 2020). They use the labels of the task's train images.
#   (NC3 and NC4 ask for a classifier that was trained with the layer, and the tasks have none);
# - the *accuracy of the whole layer*. It takes labels and a probe, and so does not avoid them. But
#   it is the obvious thing for DR to depend on, and what the others must be compared with.
#
# **The unit is a group**, the mean of the networks that share loss, upstream images, width and
# family. Seeds of one kind are not new networks: the five of one loss are alike, and to predict one
# from the other four says little of a loss that was not seen. So groups are left out, and intervals
# are over groups (bootstrap), not over seeds, images or subsets. A group of one network weighs as
# much as one of five. The tables also have what is found with single networks left out. Groups are alike, too, such as the three strengths of
# one loss; so the tables also give what is found with one *kind* of network left out (the kinds are
# those of the first figure below), from the least to the largest.
#
# **Chance** is the result when the neurons needed, $k^*$, are shuffled over the groups, the same way on all
# tasks, while each group keeps its width. Where widths differ, $1 - k^*/d$ goes with anything else
# that depends on $d$, even if the numbers $k^*$ have nothing to do with one another. Among groups of
# one width this is the usual permutation test.
#
# *Clear* is what has a p of at most 0.05 and an interval that leaves out 0 and what chance gives.
# With all tasks together, the correlation is the mean of theirs, and p is corrected (Holm) for the
# predictors; on single tasks, for predictors and tasks.
#
# First, how much can be predicted at all? Means over few seeds are not exact. The table has the share of
# the variance between groups that seeds do not explain, and the least with one group left out: no
# correlation can be expected above its root. Where the least is below a half, nothing can be said.

# %% papermill_description=prediction
from diffused_redundancy.experiment import predictors
from diffused_redundancy.explanations import prediction

told = predictors.told(measurements, delta)
ceilings = predictors.ceilings(measurements, delta)
session.table(prediction.ceilings_table(ceilings), "ceilings")
session.say(prediction.describe_ceilings(ceilings))

# %%
shown = prediction.shown_told(told)
if not shown.empty:
    session.figure(
        figures.series_figure(
            [prediction.similarity_panels(measurements, "cka", delta)],
            f"DR({delta:g}) of CKA",
            [f"DR({delta:g}) of accuracy"],
        ),
        "similarity-usefulness",
        alt="Diffused redundancy of accuracy against that of CKA, one plot per task, one point per "
        "network, by loss or by what else sets a network apart from the reference.",
    )
session.say(prediction.describe_similarity(told, delta))

# %% [markdown]
# The figure below has the rank correlation of each predictor with DR of accuracy, with its interval.
#
# A correlation may be high and yet useless. So each group is left out once, DR of accuracy is
# predicted by a line in the predictor that is fitted to the other groups, and the errors are compared
# with those of their mean. Over all tasks, each has an intercept of its own, and the slope is common.
# *Squared error saved* is the share of it that the line saves; a useless predictor has one
# below 0. The last column leaves out single networks instead of groups, so that those that differ in
# their seed stay in the fit; its interval is over groups, too. (Predictors other than DR and
# accuracy are taken in logarithms.) A star marks what is clear. The file of the table has more: p
# values, single tasks, the same over networks, as if these were independent, and with DR above
# chance.

# %%
session.table(prediction.told_table(told), "predictors", show=False)
if not shown.empty:
    session.figure(
        figures.dumbbell_figure(
            prediction.correlation_panels(told),
            prediction.sets(told),
            f"rank correlation with DR({delta:g}) of accuracy",
            reference=0,
        ),
        "predictors",
        alt="The rank correlation of each predictor with diffused redundancy of accuracy, with its "
        "interval over groups of networks, one plot per task: over all groups and over those of "
        "equal width.",
    )
    session.table(shown, "predictors-shown")
session.say(prediction.describe_gains(told))

# %% [markdown]
# ## What the numbers say

# %%
from diffused_redundancy.findings import answers, verdicts
from diffused_redundancy.findings.claims import CONTROLS

session.answer(answers.governed(wider, losses, larger))
by_net = grouping.curves_by_net(measurements, "accuracy")
controls = [task.title for task in session.tasks if task.name in CONTROLS]
session.verdict(
    3, verdicts.tasks_differ(by_net, delta, f"{PROBE} accuracy", controls=controls)
)
for measure, name in COMPARED.items():
    session.verdict(
        4,
        pretraining.verdict_on_loss(
            losses, by_loss, "adversarial", "higher", measure, delta, pretraining.GOVERN
        ),
        part=f"adversarial training, {name}",
    )
    session.verdict(
        4,
        comparisons.verdict_on(
            larger,
            "higher",
            "Larger against smaller upstream sets",
            measure,
            delta,
            note=pretraining.GOVERN,
        ),
        part=f"larger data sets, {name}",
    )

# %%
for measure, name in COMPARED.items():
    session.verdict(
        8,
        pretraining.verdict_on_loss(losses, by_loss, "dropout", "higher", measure, delta),
        part=f"dropout, {name}",
    )
    session.verdict(
        8,
        pretraining.verdict_on_loss(losses, by_loss, "DeCov", "lower", measure, delta),
        part=f"DeCov, {name}",
    )
for measure, name in COMPARED.items():
    session.verdict(9, pretraining.verdict_on_width(wider, measure, delta), part=name)
session.say_not_asked()
session.result(**grouping.results_of(measurements, delta))

# %% [markdown]
# ## What to take away
#
# - What makes redundancy depends on the measure: the sentence on variance above says how much of DR
#   depends on the network and how much on the task, for accuracy and for CKA. Read the verdicts for
#   which losses differ clearly here, on which tasks, and in which direction.
# - One network per condition proves nothing. The unit is a pre-trained network, and the SD between
#   networks that differ in their seed only is the yardstick, whatever the intervals over selections
#   and images.
# - What predicts DR over networks of all widths may be their width alone: read the correlations among
#   networks of equal width before you take one number of a layer for its redundancy.
# - DR is a *share*, and a share of the network's *own* accuracy. Doubling a layer adds to it even
#   if not one useful neuron is added: look at accuracies and at numbers of neurons as well.
#
# ## Exercises
#
# 1. **Seeds as a yardstick.** In the table of redundancy, find networks that differ in seed only. By
#    how much do they differ on each task? Take one network of each loss, whichever you like: which
#    differences between losses could you show with these alone?
# 2. **Share or number?** A layer of 512 neurons needs 50 for a task. It is widened to 2,048 and
#    needs 80. What was DR before and after? Which of the two numbers would you report to somebody
#    who wants to save memory, and which to somebody who asks whether neurons do the same thing?
# 3. **A network of your own.** In the line `for rate in (0.2, 0.5, 0.8):` of
#    `lib/diffused_redundancy/nets/zoo.py` add 0.65, train the network with `.venv/bin/python -m
#    diffused_redundancy pretrain miniature_resnet.dropout_0.65_s1` (some five minutes on one core),
#    run the notebook again, and guess before you look where it falls. `git status` shows what came
#    in, `git checkout lib` takes the change back.

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
