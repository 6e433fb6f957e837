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
# # Are some neurons better than others?
#
# *Diffused redundancy* (DR) is the share of the neurons that can be dropped **at random** while the
# rest keeps most of what the whole layer has. It is about neurons that nobody chose. So how much is
# lost by not choosing?
#
# This notebook looks at the train images and takes neurons by their size, by what they add to one
# another, or by the labels. It uses what was chosen on one task on another. It asks how lucky a
# random choice can be. And it removes every single neuron in turn. The paper makes no claim about
# this. (Its code asks about neurons of largest and smallest norm.)
#
# **Cost** of the default run on one CPU core: a minute after the features, half of which is for the
# random orders that `02_probes` needs as well.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 08_neurons -p TASKS '[digits]'`.
# Figures and sentences are on the first network unless they say otherwise; the others say whether
# what is found there holds for networks of its kind.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s*"]  # Networks; text is on the first
TASKS: list[str] = ["digits", "armenian", "georgian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "variance", "norm", "norm_least", "pivoted_qr", "greedy_cka", "pca", "lda"]  # Ways of choosing, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of selections that draw, and for tables of curves
ORDERS: int = 100  # Random orders of neurons for the probes, SEEDS among them
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr
import pandas as pd

session = dr.begin("08_neurons", globals())
session.need("SELECTIONS", "random")

# %% [markdown]
# ## Ways of choosing
#
# All of them see the train images only, through their mean, their Gram matrix $G$ and, for the last
# one, the class sums:
#
# - **variance**, **norm**: neurons by their variance, or by the Euclidean norm of their activations
#   (not centred), the largest first; **norm_least**: the smallest first.
# - **pivoted_qr**: each time the neuron that those before explain least (in squared error): the
#   pivots of a QR factorisation of the centred features.
# - **greedy_cka**: each time the neuron that makes CKA with the whole layer largest, given those
#   before.
# - **pca**, **lda**: directions, not neurons: all neurons have to be computed to use even one. The
#   top principal components, and Fisher's discriminant directions, which maximise the scatter
#   between classes relative to $G + \lambda I$. The latter use the **labels** of the train images,
#   and there are $C - 1$ of them for $C$ classes. All together they span what a ridge probe of the
#   same penalty uses of the whole layer, so that they keep nearly all of its accuracy; only fewer
#   of them say something new.
#
# Accuracy is that of ridge probes on **test images**. CKA is measured on test images as well: on
# the images that neurons were chosen on, a choice looks better than it is. (Tables that are not shown are
# among the CSV files of this report.)

# %% papermill_description=features
everywhere = {
    name: {title: session.layer(net, task) for title, task in session.task_titles().items()}
    for name, net in session.titles().items()
}
first, *others = everywhere
layers = everywhere[first]
first_task = next(iter(layers))

# %% papermill_description=orders
from diffused_redundancy.experiment import chosen_orders as measured
from diffused_redundancy.explanations import chosen_orders
from diffused_redundancy.findings import probing, similarity, tables

lucky = measured.LUCKY
train_cka = similarity.cka_curves(layers, SELECTIONS, SEEDS, count=lucky)
cka = similarity.cka_curves(layers, SELECTIONS, SEEDS, count=lucky, held_out=True)
accuracy = probing.probe_curves(layers, "ridge", SELECTIONS, SEEDS, count=ORDERS)
for curves, name in ((cka, "cka"), (accuracy, "accuracy")):
    session.table(tables.curve_table(curves, SEEDS), f"{name}-curves", show=False)
    session.table(tables.mean_table(curves), f"{name}-means", show=False)

# %% [markdown]
# ## Does looking pay?
#
# Each line is a way of choosing **less the mean of random orders**, at every size. The grey band is
# luck: it reaches from the worst random order to the best one (of a thousand for CKA, where it is
# darker over the middle 98%; of `ORDERS` for accuracy), at each size by itself. A line in the band is
# something that a random draw may give, too. Scales differ. (Neurons of smallest norm would leave
# the plots; they are in the tables.)

# %%
from diffused_redundancy.report import figures

session.figure(
    figures.curves_figure(chosen_orders.gain_panels(cka, accuracy), compact=True),
    "gains",
    alt="CKA on held-out images and test accuracy of each way of choosing neurons or directions, "
    "less the mean of random orders, against the number kept: a row of plots for each task. The "
    "grey band reaches from the worst random order to the best, at each size by itself.",
    hero=True,
)

# %% [markdown]
# The next sentences are about neurons (not directions), with 5%, 10% and 20% of the layer, without
# those of smallest norm. A *choice* is a way of choosing, a task and a size. *Clearly*: at 5% after
# Holm's correction for all gains of a measure, those of directions and of smallest norm among them.
# Intervals are of 95%, over random orders and test images; the neurons, the probe and the train
# images are held as they are.

# %% papermill_description=gains
own = measured.own_gains(cka) + measured.own_gains(accuracy)
gains = measured.gains_table(own)
session.table(gains, "gains", show=False)
session.say(chosen_orders.describe_gains(gains))
on_train = measured.gains_table(measured.own_gains(train_cka))
if flattery := chosen_orders.describe_flattery(gains, on_train):
    session.say(flattery)

# %% [markdown]
# The table counts the sizes $k$ at which a choice beats **every** random order in test accuracy.
# Brackets: the smallest and largest such $k$. (At one size, another random order would beat all of
# `ORDERS` once in `ORDERS` + 1 times; neighbouring sizes go together.)

# %%
outside = measured.outside_table(accuracy)
session.table(pd.concat([measured.outside_table(cka), outside]), "outside", show=False)
session.table(chosen_orders.shown_outside(outside), "outside-shown")

# %% [markdown]
# What do discriminant directions keep? The table has their accuracy less the whole layer's, in points,
# with 95% intervals over test images, and the number of directions: all there are, or half of them.

# %%
discriminants = chosen_orders.discriminants_table(accuracy)
session.table(discriminants, "discriminants", show=False)
if len(discriminants):
    session.table(chosen_orders.shown_discriminants(discriminants), "discriminants-shown")
session.say(chosen_orders.describe_discriminants(discriminants))

# %% papermill_description=penalties
at_penalties = measured.penalties_table(layers, SELECTIONS, SEEDS)
session.table(at_penalties, "gains-penalties", show=False)
session.say(chosen_orders.describe_penalties(at_penalties))

# %% [markdown]
# ## Does it pay on other networks?
#
# These gains are those of *one* subset each. The interval says how sure this subset is to be better on
# other test images of this kind. It does not say that the same rule would find an equally good one on
# another network. So the rule is tried on every network of `NETS`, each with its own neurons, chosen for it. The unit is
# the network now; the images are the same for all. In the first table gains are averaged over tasks
# and over ways of choosing neurons (without those of smallest norm), so that small ones show.

# %% papermill_description=networks
by_net = {first: own}
for name in others:
    by_net[name] = []
    for task, layer in everywhere[name].items():
        by_net[name] += measured.gains_of_layer(task, layer, SELECTIONS, SEEDS)
over_networks = measured.networks_table(by_net)
session.table(over_networks, "gains-over-networks", show=False)
means = chosen_orders.mean_gains(by_net)
session.table(means, "mean-gains", show=False)
session.say(chosen_orders.describe_networks(over_networks, means))
if len(means):
    session.table(chosen_orders.shown_means(means), "mean-gains-shown")
session.table(chosen_orders.shown_networks(over_networks, "ridge_accuracy"), "accuracy-shown")

# %% [markdown]
# The second table is of accuracy, in points less the mean of random neurons. In both, intervals are
# of 95%, by Student's $t$ over networks. A star marks gains that are clearly not 0: after Holm's
# correction for the whole table, which five networks pass with large gains only.

# %% [markdown]
# ## How lucky can one be?
#
# Somebody who tries many random orders and keeps the best one has looked at the data, too. So the best
# of many is measured on other images, at each size. By CKA it is the best of a thousand orders on the
# train images, measured on the test images. By accuracy it is the best on one half of the test
# images, measured on the other half, and the other way round: of a thousand orders on the first task,
# and to save time of `ORDERS` on others. Intervals are over images, one at a time; a gain is
# *clear* where its interval is above 0.

# %% papermill_description=luck
luck = []
for task, layer in layers.items():
    luck += measured.luck_of_cka(task, layer, train_cka[task]["random"], cka[task]["random"])
    orders = cka if task == first_task else accuracy
    luck += measured.luck_of_accuracy(task, layer, orders[task]["random"].seeds)
luck_table = measured.luck_table(luck)
session.table(luck_table, "luck", show=False)
session.say(chosen_orders.describe_luck(luck_table, gains))
session.table(chosen_orders.shown_luck(luck_table, "ridge_accuracy"), "luck-accuracy")
session.table(chosen_orders.shown_luck(luck_table, "cka"), "luck-cka")

# %% [markdown]
# ## Does a choice transfer?
#
# Neurons chosen on one task (rows), used on another (columns): gains over random neurons with a
# tenth of the layer, in hundredths of CKA and in points of accuracy, means over the networks of
# `NETS`. On the diagonal are those that were chosen on the task itself. (Three of the default tasks
# are letters from the same fonts; only the digits are of another kind.)

# %% papermill_description=transfer
from diffused_redundancy.experiment.transfer import transfer_table
from diffused_redundancy.explanations import transfer

expected = [name for name in SELECTIONS if name not in chosen_orders.LEAST]
transferred = transfer_table(everywhere, by_net, expected)
session.table(transferred, "transfer", show=False)
panels = transfer.transfer_panels(transferred, 0.1)
if len(layers) > 1 and panels:
    session.figure(
        figures.matrix_figure(
            panels,
            -15,
            15,
            rows=2,
            decimals=1,
            axes_labels=("used on", "chosen on"),
            row_labels=("CKA", "accuracy"),
        ),
        "transfer",
        alt="Gains of neurons chosen on one task and used on another, over random neurons, with a "
        "tenth of the layer: one matrix for each way of choosing, CKA in the first row and "
        "accuracy in the second.",
    )

# %% [markdown]
# The share of a gain that is *kept* is the mean gain of neurons that were chosen on another task,
# over that of neurons chosen on the task itself. Intervals are of 95% over networks (of the share, by
# Fieller's theorem); the tasks and their images are the same for all. The table is of accuracy.

# %%
kept = transfer.kept_table(transferred, 0.1)
session.table(kept, "transfer-kept", show=False)
session.say(transfer.describe_transfer(kept, 0.1))
if len(kept):
    session.table(transfer.shown_kept(kept, "ridge_accuracy"), "transfer-shown")

# %% [markdown]
# Here is one case in full: accuracy (%) on the first task, of the first network, with a twentieth of
# its neurons, by the task that they were chosen on. Each number is that of a single subset.

# %%
values = transfer.shown_values(transferred, first, first_task, 0.05)
if len(values):
    session.table(values, "transfer-values")

# %% [markdown]
# ## Which single neurons matter?
#
# Now each neuron is removed in turn. For CKA with the whole layer the answer is in the Gram matrix.
# For the ridge probe it is in the inverse of $H = G + \lambda I$: with $W = H^{-1} R$ the weights,
# the probe that is *refitted* without neuron $i$ has the weights
#
# $$W - \frac{H^{-1} e_i \, w_i^\top}{(H^{-1})_{ii}},$$
#
# so that the scores of a test image change by a product of two vectors, for all $d$ neurons at once
# and exactly. Each effect is a mean over test images of a paired difference: without the neuron
# less with it. It is positive where the neuron **helps**. It is measured in the squared loss, of
# which all images say something, and in accuracy, of which only few images do.
#
# Among hundreds of neurons some will seem to help or to harm by chance. A neuron is called *clear*
# if it is so with a false discovery rate of 5% (Benjamini and Hochberg) over the neurons of a task.
# What chance alone would give is found by drawing the sign of each image's differences at random,
# the same for all neurons. Intervals are of 95%, over test images (of CKA: train images), with the
# trained probe held fixed. CKA cannot rise when a neuron goes, so there it is only asked how far it
# falls.

# %% papermill_description=neurons
from diffused_redundancy.experiment import single_neurons as removed
from diffused_redundancy.explanations import single_neurons

neurons = {task: removed.single_neurons(layer) for task, layer in layers.items()}
session.table(removed.neurons_table(neurons), "neurons", show=False)
session.table(removed.summary_table(neurons), "neurons-summary", show=False)
session.say(single_neurons.describe_neurons(neurons))

# %%
session.figure(
    figures.ranked_figure(
        single_neurons.ranked_panels(neurons), "neurons, by their effect", "growth of the test loss"
    ),
    "neurons",
    alt="The growth of the ridge probe's test loss without each neuron, sorted, with 95% intervals, "
    "and what the sorted values would be if no neuron had any effect; one plot for each task.",
)
session.table(single_neurons.shown_summary(neurons), "neurons-shown")
session.say(single_neurons.describe_clear(neurons))

# %% [markdown]
# Scales differ between the plots. The band holds a 95% interval for each neuron; the dashed line is
# what sorting alone makes of noise. A neuron that is pure noise truly harms a probe a little, because
# its weight was fitted to chance: so the question is not whether harm exists, but whether it amounts
# to anything. In the table, the *best neuron* is found on one half of the test images and measured on
# the other, so that luck does not choose it. *Same ranking* is the rank correlation of all
# effects between the two halves of the test images, for one probe, and for two probes trained on one
# half of the train images each.
#
# The same on every network of `NETS`. Harm is also tested for by itself (one-sided), over the
# neurons of all tasks and networks at once. And what harm can there be at most? The largest that is
# not excluded, at 95% for all of them at once (by Student's $t$, Bonferroni), stands next to the
# largest help.

# %% papermill_description=others
counts = removed.counts_table(everywhere)
session.table(counts, "neurons-over-networks", show=False)
session.say(single_neurons.describe_counts(counts))
session.table(single_neurons.shown_counts(counts), "counts-shown")

# %% [markdown]
# ## Does it help to remove those that seem to harm?
#
# Takeshita and others (EMNLP 2025) remove the dimensions of text embeddings one at a time, find
# many without which a task gets better, and see in them a reason why random removal costs little.
# The test of that is to remove them *all at once*, to fit the probe again without them, and to look at
# images that were not used to choose them. Here all neurons that seem to harm on one half of the test
# images are judged on the other half, and the other way round. A neuron *seems* to harm if its mean
# effect over one half is below 0. The column *same ranking: other test images* above says how well
# half of the test images can choose.
#
# The loss without these neurons is compared with two others. That of the whole layer says whether
# removing helps. That without as many random neurons says whether those that seem to harm are needed
# less than others. A case counts where its 95% interval, over test images, leaves out 0; intervals
# are one at a time.

# %%
session.table(removed.removal_table(neurons), "removals", show=False)
session.say(single_neurons.describe_removals(neurons))
shown = single_neurons.shown_removals(neurons)
if len(shown):
    session.table(shown, "removals-shown")

# %% [markdown]
# A probe whose penalty is too weak fits noise, and to remove neurons then does what a penalty would
# do. So this depends on the penalty:

# %% papermill_description=penalties
harm_at = removed.penalties_table(layers)
session.table(harm_at, "removals-penalties", show=False)
session.say(single_neurons.describe_penalties(harm_at))

# %%
from diffused_redundancy.explanations import answers

session.answer(answers.choosing(means))
session.result(**chosen_orders.results_of(gains), **single_neurons.results_of(neurons))

# %% [markdown]
# ## What to take away
#
# - Read a gain against the band of luck first, and then against what the same rule gives on other
#   networks. The sizes at which little can be gained by choosing are those at which it hardly
#   matters which neurons one has: that is what diffused redundancy means.
# - Similarity and use are two things. Greedy CKA is made for one of them; compare what it gains in
#   CKA with what it gains in accuracy.
# - CKA is made of variances. The rank correlation above says how much, or how little, a neuron's
#   variance says about what the task needs.
# - A neuron without which accuracy is higher on the test images at hand is not yet a harmful one.
#   Compare the count with the one that chance gives, and with what happens on other images.
# - Directions that mix all neurons (principal, discriminant) are another kind of saving: fewer
#   numbers to store, but none fewer to compute.
#
# ## Exercises
#
# 1. **Predict the order of CKA.** Show from the formula of CKA without one neuron that a neuron
#    uncorrelated with all others costs about $G_{ii}^2 / (2 \lVert G \rVert_F^2)$. What does that
#    say of the order by variance?
# 2. **Choose by looking at test images.** In a cell below, take the first task's `layer`, order its
#    neurons by their effect, `order = torch.tensor(neurons[task].loss.mean.argsort()[::-1].copy())`,
#    and ask `dr.RidgeProbe(layer.features).curve(dr.Ordering("mine", 0, len(order), order))` how well
#    the first 25 do. Why may nobody report that number? Are they better than the worst 25?
# 3. **A network trained for order.** Set `NETS` to `["miniature_resnet.mrl_s1"]` and `SELECTIONS`
#    to `["random", "first", "variance", "pivoted_qr"]`. Does the nested prefix, which was trained to
#    be good, beat what looking at the train images finds?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
