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
# networks with dropout and with DeCov, a penalty on correlated neurons; what came of that we ask
# ourselves (claim 8). And what is left of the accuracy when neurons go depends on the task: a front
# that none of the networks gets past (claim 3).
#
# **Cost** of the default run on two CPU cores: a minute or two beside another notebook, after the
# features.

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line: `./run_all.sh --only 03_pretraining -p TASKS
# '[digits]'`. The first network is the reference that others are compared with. Names may hold `*`:
# `miniature_resnet.dropout_*` is every network trained with dropout.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_*", "miniature_resnet.[!f]*", "*.standard_*"]  # Networks, the reference first; patterns are allowed
TASKS: list[str] = ["digits", "armenian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random"]  # Ways of choosing neurons or directions, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of the random selections
PROBE: str = "ridge"  # Linear probe: ridge (exact at every size) or logistic (at FRACTIONS)
FRACTIONS: list[float] = [0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9, 1.0]  # Sizes of logistic probes
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
# layer that can be dropped while $\delta$ of the full layer's value is kept.

# %% papermill_description=measures
from diffused_redundancy.experiment.measurements import COMPARED, measured_all

measurements = measured_all(
    session.layers(), probe=PROBE, selections=SELECTIONS, seeds=SEEDS, fractions=FRACTIONS
)

# %%
delta = DELTAS[0]
session.table(grouping.redundancy_table(measurements.all, DELTAS), "redundancy", show=False)
session.table(grouping.shown_redundancy(measurements.all, delta), "redundancy-shown")

# %% [markdown]
# Intervals are 95% bootstrap percentiles over the seeds of the *selection*: how much the value
# would move, had other neurons been drawn. They say nothing of the seed of the *pre-training*. So
# two groups of networks are called clearly different here only if the intervals of **all** networks
# of one lie above those of all networks of the other; else the comparison is *open*. Many
# comparisons are made, so that a few clear ones among many open ones may be chance.

# %%
from diffused_redundancy.findings import pretraining

session.say(pretraining.describe_seed_pairs(measurements, delta))

# %% [markdown]
# ## By loss

# %%
from diffused_redundancy.report import figures

by_loss = grouping.grouped(session.nets, "loss")
for measure, name in COMPARED.items():
    panels = grouping.group_panels(measurements, by_loss, measure, delta)
    session.figure(
        figures.groups_figure(panels, f"DR({delta:g}) of {name}", reference=by_loss.reference),
        f"loss-{measure}",
        alt=f"Diffused redundancy of {name} for networks of each pre-training loss, one plot per "
        "task; one point per network with its interval over selections; a band marks the "
        "reference loss.",
    )
    session.say(pretraining.describe_groups(measurements, by_loss, measure, delta))

# %% [markdown]
# The band is the range of the reference networks, intervals included. A group differs clearly where
# the intervals of all its networks lie outside of the band on one side.

# %%
losses = pretraining.loss_differences(measurements, by_loss, delta)
session.table(pretraining.differences_table(losses), "differences-loss")

# %% [markdown]
# ## Dropout and DeCov in strengths
#
# *Dropout* zeroes each penultimate neuron with some probability in every training step, so the head
# cannot lean on any single one. *DeCov* adds a penalty on the squared covariance of every two
# neurons. One would expect the first to make copies and the second to remove them. The leftmost
# points are the reference networks.

# %%
for strength in pretraining.strength_figures(measurements, by_loss, delta):
    session.figure(
        figures.series_figure(
            strength.rows, strength.xlabel, strength.ylabels, ticks=strength.ticks
        ),
        strength.name,
        alt=strength.alt,
    )
    session.say(strength.sentence)

# %% [markdown]
# ## By upstream data
#
# The same architecture and loss, for the same number of steps, on a tenth of the images (each seen
# ten times as often), and on three times as many of more kinds of letters.

# %%
by_data = grouping.grouped(session.nets, "upstream")
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
session.say(pretraining.describe_groups(measurements, by_data, "accuracy", delta))
session.say(pretraining.describe_levels(measurements, by_data))

# %%
larger = pretraining.upstream_differences(measurements, by_data, delta)
if larger:
    session.table(pretraining.differences_table(larger), "differences-upstream")

# %% [markdown]
# ## By width and family
#
# The `miniature_resnet` networks differ in the width of the last stage only; everything before it
# is the same. Other families differ in more, the transformer also in how it was trained. DR holds
# each network to its own accuracy, which grows with width. So the last row shows how many neurons
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
        [f"DR({delta:g}), accuracy", f"DR({delta:g}), CKA", "neurons, one accuracy"],
        ticks=pretraining.width_ticks(by_family),
        log=True,
    ),
    "width",
    alt="Diffused redundancy of accuracy and of CKA, and the number of neurons needed for one and "
    "the same accuracy, against the width of the layer, one column per task, one line per family "
    "of architecture.",
)
session.say(pretraining.describe_widths(measurements, by_width, delta, by_family))

# %%
wider = pretraining.width_differences(measurements, by_width, delta)
if wider:
    session.table(pretraining.differences_table(wider), "differences-width")

# %% [markdown]
# ## Beside the paper
#
# The paper's table 1 (ICLR version; $\delta = 0.9$, logistic probes on a coarse grid) has two
# families, trained on ImageNet. Other networks and other images than here, so the numbers need not
# agree:

# %%
from diffused_redundancy.findings import probing

session.table(probing.paper_table(), "paper")
session.say(pretraining.describe_families(measurements, by_family, delta))

# %% [markdown]
# ## What can be dropped, and what is left
#
# Every network and every size is a choice: so much of the layer dropped, so much accuracy left. A
# choice is on the *Pareto front* if no other drops more and keeps as much. How steeply it falls is
# up to the task: the first figure shows the same for DR, one row a task, one point a network.

# %%
session.figure(
    figures.groups_figure(
        grouping.task_panel(measurements, "accuracy", delta), f"DR({delta:g}) of accuracy"
    ),
    "tasks",
    alt="Diffused redundancy of accuracy by task: one row per task, one point per network with "
    "its interval, on one axis.",
)

# %%
from diffused_redundancy.findings import pareto

fronts = pareto.all_fronts(measurements)
coloured = pareto.highlighted(measurements, fronts, by_loss)
session.figure(
    figures.trade_figure(
        pareto.trade_panels(measurements, fronts, coloured),
        "share of neurons dropped",
        "test accuracy",
    ),
    "pareto",
    alt="Test accuracy against the share of neurons dropped at random, one plot per task: a thin "
    "line per network and, drawn bold, the front that none of them gets past.",
)
session.table(pareto.fronts_table(fronts), "pareto", show=False)
session.say(pareto.describe_fronts(fronts))

# %%
width = session.nets[0].d
narrow = pareto.all_fronts(measurements, width=width)
session.say(pareto.describe_leaders(measurements, fronts, narrow, width))

# %% [markdown]
# ## What the numbers say

# %%
from diffused_redundancy.findings import verdicts

by_net = grouping.redundancy_by_task(measurements, "accuracy", delta)
session.verdict(3, verdicts.tasks_differ(by_net, f"{PROBE} accuracy"))
session.verdict(4, pretraining.verdict_on_loss(losses, by_loss, "adversarial", "above", delta))
session.verdict(
    4, pretraining.verdict_on(larger, "above", "Larger against smaller upstream sets", delta)
)

# %%
session.verdict(8, pretraining.verdict_on_loss(losses, by_loss, "dropout", "above", delta))
session.verdict(8, pretraining.verdict_on_loss(losses, by_loss, "DeCov", "below", delta))
session.verdict(
    9, pretraining.verdict_on(wider, "above", "Each width against the next smaller one", delta)
)
session.result(**grouping.results_of(measurements, delta))

# %% [markdown]
# ## What to take away
#
# - Redundancy is made in pre-training: the same architecture, trained to nearly the same accuracy
#   on the same images, can need a different share of its neurons. Read the verdicts for which
#   losses differ clearly here, and in which direction.
# - One network per condition proves little. The distance between two networks that differ in their
#   seed only is the yardstick, and the text under the figures states it.
# - DR is a *share*, and a share of the network's *own* accuracy. Doubling a layer adds to it even
#   if not one useful neuron is added, and so does a layer that does badly: look at accuracies and
#   at numbers of neurons as well.
#
# ## Exercises
#
# 1. **Seeds as a yardstick.** In the table of redundancy, find two networks that differ in seed
#    only. By how much do they differ on each task? Which of the differences between losses would
#    you still believe if that were the only evidence?
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
