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
# # What is the similarity of a random part made of?
#
# Notebook `01_cka` shows *that* a random part of a layer is similar to the whole. This one asks
# *why*, and what such a number is worth. Is it because a layer has few dimensions, or because its
# neurons are alike in scale? What does CKA between a part and the whole say that CKA between two
# parts does not? And is there anything special about neurons, or would any directions do?
#
# The paper does not ask this. Everything here follows from the Gram matrix of the neurons, exactly
# and at every size, so that it costs seconds.
#
# *Diffused redundancy*, DR(0.9) of CKA, is the share of the neurons that can be dropped while a random
# rest keeps a CKA of 0.9 with the whole layer, on average.
#
# The networks of the default run are named after what they were trained for: `standard_s1` with the
# standard loss (seed 1), `mrl_s1` and `mrl_e_s1` for nested features (notebook `04_mrl`),
# `extended_s1` on letters of more kinds, `decov_1e-2_s1` with a penalty on correlated neurons.
#
# **Cost** of the default run: forty seconds of one CPU core, after the features.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 07_structure -p TASKS '[digits]'`.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s1", "miniature_resnet.mrl_s1", "miniature_resnet.mrl_e_s1", "miniature_resnet.extended_s1", "miniature_resnet.decov_1e-2_s1", "miniature_resnet.standard_s2", "miniature_resnet.mrl_s2"]  # Networks; the first is what others are compared with; parts are of the first two, and later ones that are other seeds of these are only a yardstick of them
TASKS: list[str] = ["digits", "armenian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "gaussian_projection"]  # Both are needed: neurons, and random directions
SEEDS: list[int] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # Seeds of the random directions
ORDERS: int = 100  # Random orders of neurons, SEEDS among them
DELTAS: list[float] = [0.9]  # Shares of the full layer's similarity to be kept; the first is used
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("07_structure", globals())
session.need("SELECTIONS", "random")
session.need("SELECTIONS", "gaussian_projection")

# %% [markdown]
# ## Dimensions or scale?
#
# Notebook `01_cka` predicts the whole CKA curve of random neurons from one number of the layer,
# $r = \sum_i G_{ii}^2 / \lVert G \rVert_F^2$, with $G$ the Gram matrix of the centred neurons: the
# smaller $r$, the fewer neurons suffice. That number is a product of two, exactly:
#
# $$r = \frac{\mathrm{PR}}{d} \, (1 + \mathrm{CV}^2)$$
#
# - $\mathrm{PR} = (\mathrm{tr}\, G)^2 / \lVert G \rVert_F^2$, the *participation ratio*, counts
#   **dimensions**: it is $m$ if the variance is spread evenly over $m$ directions. It is the same
#   whatever basis the layer is written in. (The *effective rank* of the covariance matrix, in the
#   table below, is another such count, in which small directions weigh more. Roy and Vetterli,
#   2007, define it by the singular values of a matrix; that of the features is another number.)
# - $\mathrm{CV}$, the coefficient of variation of the neurons' variances $G_{ii}$, is about
#   **scale**: it is 0 if all neurons vary alike, and large if a few have most of the variance.
#
# So a layer can have a low DR of CKA for either reason, and they mean different things. Many
# dimensions take many neurons. Unequal scale only means that most random parts miss the few large
# neurons, which CKA weighs by their variance. To take scale away, each neuron is divided by its
# standard deviation here. This makes a different layer, in which small neurons count for more: its PR
# differs, too.
#
# So what is said to be due to dimensions depends on the order in which the two are looked at. PR of
# a layer with a few large neurons counts mainly the dimensions of these. The table gives both: PR of
# the layers as they are, and with standardized neurons.

# %% papermill_description=measures tags=["measures"]
from diffused_redundancy.experiment.structure import measured_structures

structures = measured_structures(session.layers(), SEEDS, ORDERS)

# %%
from diffused_redundancy.explanations import structure
from diffused_redundancy.report import display, figures

delta = DELTAS[0]
session.figure(
    figures.dumbbell_figure(
        structure.by_task(structures, structure.redundancies(delta)),
        ["neurons as they are", "standardized neurons"],
        f"DR({delta:g}) of CKA",
    ),
    "scale",
    alt="Diffused redundancy of CKA of random neurons, one row per network and one plot per task: "
    "of neurons as they are, and of standardized neurons (each divided by its standard deviation). "
    "Bars are 95% intervals over random subsets and images.",
    hero=True,
)

# %% [markdown]
# How far do the neurons of a layer repeat one another? The next figure has the correlation of each
# two, over the train images of the first task. Neurons are sorted by clustering, so that those that
# go together are neighbours. A part of them is drawn, evenly spaced.

# %% papermill_description=correlations
from diffused_redundancy.experiment.correlations import correlations
from diffused_redundancy.findings import pictures as chosen
from diffused_redundancy.report import pictures

found = {
    name: correlations(session.layer(net, session.tasks[0]))
    for name, net in chosen.side_by_side(session.nets).items()
}
session.figure(
    pictures.correlations_figure({name: one.matrix for name, one in found.items()}),
    "correlations",
    alt="Correlations between neurons as squares of red (together), white (not) and blue (against "
    "each other), one matrix per network, all on one scale.",
)
session.table(chosen.correlation_table(found), "correlations", show=False)
session.say(chosen.describe_correlations(found, session.tasks[0].title))

# %% [markdown]
# The next figure takes $r$ apart: dimensions to the right, scale upwards. Along a grey line $r$ is
# the same, and so is the DR that the closed form makes of it. Filled marks are the layers as they
# are, hollow ones with standardized neurons, where $1 + \mathrm{CV}^2 = 1$.

# %%
session.figure(
    figures.scale_figure(
        structure.by_task(structures, structure.scale_points),
        structure.lines_of_redundancy(delta),
        f"equal r, with DR({delta:g}) by the closed form",
    ),
    "decomposition",
    alt="The participation ratio over the number of neurons against one plus the squared "
    "coefficient of variation of the neurons' variances, both on log axes, one plot per task, with "
    "a filled mark for each network as it is and a hollow one for its standardized neurons, and "
    "lines of equal r.",
)
apart = structure.scale_table(structures, delta)
session.table(apart, "scale", show=False)
session.say(structure.describe_scale(structures, apart, delta))

# %% [markdown]
# The table compares the network that differs most from the first one with that first one: by the
# difference in DR, and by the factors of $r$. All networks are in the CSV `scale`.
#
# All intervals on this page are at 95%, one at a time unless it says otherwise. Those of DR and CKA
# are over random subsets and images, those of factors over images. Bars in the figures are such
# intervals. They are of these networks: another pre-training seed is not in them.

# %%
session.say(display.markdown_table(structure.shown_scale(apart, delta)))

# %% [markdown]
# Every layer: first as it is, then (→) with standardized neurons, whose CV² is 0. The CSV `spectra`
# has the intervals.

# %%
spectra = structure.spectrum_table(structures, delta)
session.table(spectra, "spectra", show=False)
session.say(display.markdown_table(structure.shown_spectrum(spectra)))

# %% [markdown]
# These are single networks: whether a *loss* makes layers of unequal scale is a question for
# several pre-training seeds, as in `03_pretraining` and `04_mrl`.

# %% [markdown]
# ## Where the closed form errs
#
# The closed form puts means over random subsets in place of numerator and denominator. It is exact
# for every subset if all neurons have the same variance *and* all pairs of neurons the same squared
# correlation, as then all subsets of a size are alike. It errs where one of the two fails. Here each
# is tested alone:
#
# - **correlations alone**: the same neurons, scaled to equal variance;
# - **variances alone**: neurons of the same variances and the same $r$, but all pairs with one and
#   the same squared correlation.
#
# Where an error is negative, the closed form is too low. An average over sizes weighs each doubling
# alike. Intervals are over random subsets.

# %%
causes = structure.closed_form_table(structures)
session.table(causes, "closed-form", show=False)
session.figure(
    figures.dumbbell_figure(
        structure.by_task(structures, structure.closed_form_points),
        list(causes["layer"].unique()),
        "closed form less mean CKA",
        reference=0.0,
    ),
    "closed-form",
    alt="The error of the closed form averaged over sizes, one row per network and one plot per "
    "task: of the layer as it is, of neurons that differ in their variances alone, and of neurons "
    "that differ in their correlations alone. Bars are 95% intervals over random subsets.",
)
session.say(structure.describe_closed_form(causes))

# %% [markdown]
# Is it the same for networks that were trained on photographs? `notebooks/real/07_structure.ipynb`
# is this page for two ImageNet ResNets (torchvision's weights, compressed and fine-tuned by others)
# and photographs. A cause alone can make a larger error than there is: where variances differ,
# correlations have an effect on what they do.

# %% [markdown]
# ## What CKA with the whole measures
#
# Let $K = X X^\top$ be the kernel: how alike each two images are. A random part gives an estimate of
# it, $\frac{d}{k} X_S X_S^\top$, whose mean is $K$: random parts are never systematically
# different. They are *noisy*. The mean squared error of the estimate, as a share of
# $\lVert K \rVert_F^2$, is
#
# $$\frac{d}{k} \left( r + (1 - r)\,\frac{k - 1}{d - 1} \right) - 1 = \frac{1}{\mathrm{CKA}(k)^2} - 1$$
#
# with the closed form as $\mathrm{CKA}(k)$. So DR of CKA says how few neurons estimate the layer's
# kernel well enough. A CKA of 0.9 sounds like much, but stands for a root mean squared error of
# $\sqrt{1 / 0.81 - 1} = 48\%$.
#
# The norm of a part's kernel contains each neuron's product with itself. With few neurons these terms
# weigh more, and CKA falls below 1. Chun and others (arXiv 2502.15104, 2025) remove this from
# the CKA of two systems of which some neurons were recorded: they leave these pairs out, taking the
# neurons for a sample of infinitely many. (They correct for the sampling of images, too; `01_cka`
# does so.) A part of a layer is a sample of finitely many, so here these pairs are weighted instead,
# such that the mean over random parts is right. That variant is ours.
#
# Corrected values can exceed 1. By either correction, numerator and squared norms are right on
# average; their ratio need not be. It is too large on average where the norm varies much from part
# to part, as it does where neurons differ in scale: a bias of the ratio, not a finding about parts.

# %%
session.figure(
    figures.curves_figure(structure.corrected_panels(structures)),
    "corrected",
    alt="Mean CKA of random neurons with the whole layer against their number, plain and corrected "
    "for the sampling of neurons, one plot per task, for the first two networks.",
)
corrected = structure.corrected_table(structures)
session.table(corrected, "corrected", show=False)
session.say(structure.describe_corrected(corrected))
session.say(display.markdown_table(structure.shown_corrected(corrected)))

# %% [markdown]
# ## A part against the whole, and against another part
#
# CKA with the whole flatters: the part is *in* the whole. Do two random parts that share no neuron
# agree as well? For the first $k$ and the last $k$ of a random order, CKA is again made of running
# sums, at every $k$ up to half of the layer. Each of the two is noisy by itself, so by the closed
# form two parts agree about as the *square* of what each has in common with the whole.
#
# Next to it is a measure that looks at small distances only (Huh and others, 2024): of the 10 nearest
# neighbours of an image in one set of features, what share are among the 10 nearest in the other?
# Distances are Euclidean, among at most 1,000 images. (Huh and others take cosines.)
#
# How much is much? Two yardsticks stand next to these numbers. One is another network: the whole layer
# of another pre-training seed, of the same loss and images. The other is what knowing the classes is
# worth: the expected share if each image's neighbours were as many of every class as they are, but
# drawn at random within these.

# %%
from diffused_redundancy.experiment.structure import SHARES

session.table(structure.parts_table(structures), "parts", show=False)
session.figure(
    figures.series_figure(
        structure.parts_series(structures),
        "share of the layer in each part",
        ["CKA", "shared nearest neighbours"],
        log=True,
        percent=[False, True],
        ticks=[(share, f"{share:g}") for share in SHARES],
    ),
    "parts",
    alt="CKA (above) and the share of common nearest neighbours (below) of a random part with the "
    "whole layer and of two disjoint random parts, against their size, one column per task, for "
    "the first two networks. Bars are 95% intervals.",
)
tenths = structure.disjoint_table(structures)
session.table(tenths, "disjoint", show=False)
session.say(structure.describe_disjoint(tenths))
session.say(display.markdown_table(structure.shown_disjoint(tenths)))

# %% [markdown]
# Two tenths are *clearly* less alike than two seeds where the interval of the difference leaves out
# 0. Intervals of neighbours are over random orders (5) and over the images whose neighbours are asked
# for; the images they are looked for among are the same. The CSV `parts` holds every size, `disjoint`
# the intervals of this table. A pair of seeds is one pair: another may differ.

# %% [markdown]
# ## Is the neuron basis special?
#
# The same layer can be written in other directions. Turn it by a random rotation, and its spectrum
# stays as it is, hence PR: only $\mathrm{CV}^2$ can differ. In a random basis its expectation makes
# $r = (\mathrm{PR} + 2) / (d + 2)$, so that $\mathrm{CV}^2$ is about $2 / \mathrm{PR}$. By the
# closed form, then, neurons are special only in so far as their variances differ more, or less,
# than those of random directions.
#
# Standardized neurons have equal variances, which no basis can have smaller. Their random directions
# are those of the standardized layer, not of the layer as it is. There the closed form leaves no
# choice: $(\mathrm{PR} + 2) / (d + 2)$ is larger than $\mathrm{PR} / d$, so directions are less
# redundant. What is measured is by how much.

# %%
session.figure(
    figures.dumbbell_figure(
        structure.basis_rows(structures, delta),
        list(structure.BASES.values()),
        f"DR({delta:g}) of CKA",
    ),
    "basis",
    alt="Diffused redundancy of CKA of random neurons and of random orthonormal directions, two rows "
    "per network, as the layer is and with standardized neurons, and one plot per task. Bars are "
    "95% intervals over draws and images.",
)

# %%
bases = structure.basis_table(structures, delta)
session.table(bases, "bases", show=False)
means = structure.mean_of_bases(structures, delta)
session.say(structure.describe_basis(bases, means, delta))

# %% [markdown]
# *Clearly*: the interval, which is of all these comparisons at once (Bonferroni), leaves out 0. Ten
# draws of random directions make such intervals wide, so that few small differences are clear one by
# one; forty would make them about half as wide, for half a minute more of one core. The average over networks and tasks
# needs no such correction. Its interval is over draws of neurons and directions and over images, for
# these networks and tasks.

# %%
from diffused_redundancy.explanations import answers

session.answer(answers.made_of(causes))
session.result(**structure.results_of(structures, delta))

# %% [markdown]
# ## What to take away
#
# - DR of CKA mixes two things. Read it beside the DR of standardized neurons: what differs between
#   them is the scale of neurons, and a linear probe can undo scale.
# - Neither is the right one. Who compares images by distances in the layer as it is needs its scale;
#   who trains a probe on it does not.
# - A part's CKA with the whole is about how noisy its kernel is, not about what it lacks: every
#   neuron had the same chance to be in it. What two disjoint parts share is the harder question.
# - Whether the neurons are a better or a worse basis than a random one is, to the closed form, a
#   question of their variances alone.
#
# ## Exercises
#
# 1. **One large neuron.** Take a layer of $d$ neurons whose correlations are all alike, and give one
#    of them $s$ times the variance of the others. Write down $\mathrm{CV}^2$ as a function of $s$
#    and $d$. What does DR of CKA tend to as $s$ grows, and what does DR of a linear probe do?
# 2. **Squares.** Divide the CKA of two disjoint tenths in the table `parts` by the square of the CKA
#    of a tenth with the whole. The closed form says $(1 - r)\, d / (d - 1)$. For which network is
#    it farther off, and why? (Hint: the figure of the closed form's error.)
# 3. **The most diffuse basis.** Show that every layer has an orthonormal basis in which all
#    directions have the same variance. (Hint: for two of them, turn one towards the other.) What is
#    $r$ there, and how much smaller is it than in a random basis?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
