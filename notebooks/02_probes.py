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
# # Is a random fifth of a layer as useful as the whole?
#
# Notebook `01_cka` asks whether a random subset of a layer's neurons is *similar* to the whole.
# Here we ask whether it is as *useful*: a linear probe is trained on the subset for a task the
# network was not trained for, and its accuracy on test images is compared with that of a probe on
# the whole layer. The paper reports that a fifth of the neurons, chosen at random, come within 5%
# of the full layer's accuracy (claim 1), and that how many are needed depends on the task (claim
# 3). The authors' code also compares random neurons with principal components and random
# projections; they do not say with what result, so we ask it ourselves (claims 5 and 6). Always
# guessing the largest class of the test images is right for a tenth of the digits and a twelfth of
# the font styles of the default tasks: compare accuracies with that.
#
# **DR(δ)**, diffused redundancy, is the share of the neurons that can be dropped while a random rest
# keeps the share δ of the whole layer's accuracy.
#
# **Cost** of the default run on two CPU cores: three minutes while another notebook runs, after the
# features, nearly all of it for logistic probes.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 02_probes -p TASKS '[digits]'`.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s1"]  # Networks: names, timm tags, or TAG@PATH
TASKS: list[str] = ["digits", "armenian", "georgian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "pca", "gaussian_projection", "random_projection", "pca_least"]  # Ways of choosing, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of logistic probes and of random projections
ORDERS: int = 100  # Random orders of neurons of the ridge probe, SEEDS among them
FRACTIONS: list[float] = [0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9, 1.0]  # Sizes of the logistic probes; none: every size
DELTAS: list[float] = [0.8, 0.9, 0.95]  # Shares of the full layer's accuracy to be kept
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("02_probes", globals())
session.need("SELECTIONS", "random")

# %% [markdown]
# ## Two probes
#
# A *linear probe* predicts the class of an image as the largest of $C$ linear functions of its
# features, one per class. Two ways of fitting it are used:
#
# - The **ridge classifier** minimises squared error to one-hot labels. Its solution is a formula,
#   and one factorisation of the Gram matrix holds the solutions for the first $1, 2, \dots, d$
#   neurons at once. So its accuracy is shown at **every** size, exactly.
# - The **multinomial logistic probe** minimises cross-entropy, as the paper's probes do. It has to
#   be fitted again at every size, here at the paper's fractions of the layer and seven more that the
#   authors' code also runs (.02 .03 .04 .075 .15 .25 .4). It is solved to convergence, not trained
#   for some epochs, so no learning rate or schedule enters the result. Where the solver
#   starts changes the guesses of no more than one or two test images in thousands; how many is
#   counted.
#
# Both are penalised by $\frac{\alpha v}{2} \lVert W \rVert_F^2$ ($v$: mean variance of the
# neurons), with $\alpha$ chosen by cross-validation **on the train set, for the full layer**, and
# then kept for every subset. The ridge probe has a closed form for leave-one-out cross-validation;
# the logistic one takes three folds. The penalty with the least loss on held-out images is taken,
# or a stronger one whose loss is nearly as small. The loss is each probe's own, once its scores are
# multiplied by the best common factor, on which no guess depends. (The number of right guesses is
# not a good guide: it is nearly the same over decades of penalties, so chance would choose.) Test
# images decide nothing.

# %% [markdown]
# ## Data

# %% papermill_description=features tags=["measures"]
layers = {session.title(net, task): layer for net, task, layer in session.layers()}

# %% papermill_description=penalties tags=["measures"]
from diffused_redundancy.findings import penalties

session.table(penalties.penalty_table(layers), "penalties")

# %% [markdown]
# ## One image, on its way
#
# What is done to every test image below, for the first one: the network turns it into one number a
# neuron, most neurons are left out, and a ridge probe reads the class from the rest.

# %% papermill_description=one-image
from diffused_redundancy.experiment.guesses import one_image
from diffused_redundancy.findings import pictures as chosen
from diffused_redundancy.report import pictures

task, layer = session.tasks[0], session.layer(session.nets[0], session.tasks[0])
one = one_image(layer, SEEDS[0], layer.ridge_penalty.penalty)
image = task.splits["test"].images.batch(one.place, one.place + 1)[0]
session.figure(
    pictures.one_image_figure(one, image, task.classes),
    "one-image",
    alt="A test image, its features as a grid of squares, the same grid with a random fifth of the "
    "neurons lit, and bars of the scores that probes on these and on all neurons give the classes.",
)
session.table(chosen.one_image_table(one, task.classes), "one-image", show=False)
session.say(chosen.describe_one_image(one, task.classes, task.title))

# %% [markdown]
# ## Ridge probes at every size

# %% papermill_description=ridge tags=["measures"]
from diffused_redundancy.findings import probing, tables

ridge = probing.probe_curves(layers, "ridge", SELECTIONS, SEEDS, count=ORDERS)
session.table(tables.curve_table(ridge, SEEDS), "ridge", show=False)
session.table(tables.mean_table(ridge), "ridge-means", show=False)

# %%
from diffused_redundancy.report import figures

session.figure(
    figures.curves_figure(tables.curve_panels(ridge, threshold=0.9)),
    "ridge",
    alt="Test accuracy of the ridge probe against the number of neurons or directions kept, "
    "one plot per task, for each way of choosing them, with the full layer's accuracy and 90% of "
    "it.",
)
session.say(probing.describe_probes(ridge))

# %% [markdown]
# Bands reach from the smallest to the largest value over the draws of a selection.

# %% [markdown]
# ## Logistic probes at fractions of the layer

# %% papermill_description=logistic tags=["measures"]
logistic = probing.probe_curves(layers, "logistic", SELECTIONS, SEEDS, FRACTIONS)
session.table(tables.curve_table(logistic, SEEDS), "logistic", show=False)
session.say(probing.describe_convergence(logistic))

# %%
session.figure(
    figures.kept_figure(
        probing.kept_lines(logistic),
        "accuracy kept, of the whole layer's",
        probing.FIFTH,
        probing.ENOUGH,
    ),
    "kept",
    alt="Share of the whole layer's accuracy that logistic probes keep on random neurons, against "
    "the share of the neurons kept, one line a task; dotted lines mark a fifth of the neurons and "
    "95% of the accuracy.",
    hero=True,
)

# %%
session.figure(
    figures.curves_figure(tables.curve_panels(logistic, threshold=0.9)),
    "logistic",
    alt="Test accuracy of logistic probes at fractions of the layer, one plot per task, for "
    "each way of choosing neurons or directions, with the full layer's accuracy and 90% of it.",
)
session.say(probing.describe_probes(logistic))

# %% [markdown]
# ## Do the two probes agree?
#
# The ridge probe is no more than a stand-in for the paper's probe, so it matters how far apart the
# two are. The gap is ridge less logistic accuracy, in points, for random neurons.

# %%
agreement = probing.agreement(ridge, logistic)
session.table(agreement, "agreement")
session.say(probing.describe_agreement(agreement))

# %% [markdown]
# ## What depends on the penalty?
#
# The penalty is chosen for the full layer, and a subset might do better with another. So redundancy
# can depend on it. Here is the share of the full layer's test accuracy that a random fifth keeps,
# in percent, with penalties ten times weaker and ten times stronger than the chosen ones, for
# subset and full layer alike.

# %% papermill_description=other-penalties tags=["measures"]
effects = penalties.penalty_effects(layers, ridge, logistic)
session.table(effects, "penalty-effects")
session.say(penalties.describe_penalty_effects(effects))

# %% [markdown]
# Ten times is far: cross-validation would notice. A narrower question is how much depends on the
# choice among the penalties that it **cannot tell apart** from the one with the least loss: those whose held-out loss
# is at most one standard error higher, of the difference and paired by image (the
# one-standard-error rule of Breiman and others, 1984), among eight penalties per decade. The band
# below is DR(δ) over these and the penalty chosen, for ridge probes and random neurons, with the
# same orders of the neurons at each penalty (five at most). It is not an interval: nothing in it is more
# likely than the rest. Two values of DR on a task that differ by less than the band's width
# cannot be distinguished, however narrow their intervals are.

# %% papermill_description=penalty-bands tags=["measures"]
from diffused_redundancy.experiment import penalty_bands

bands = penalty_bands.penalty_bands(layers, 0.9 if 0.9 in DELTAS else DELTAS[0], SEEDS)
session.table(penalties.bands_table(bands), "penalty-bands")

# %%
session.figure(
    figures.points_figure(
        *penalties.band_series(bands, ridge), "DR(δ) of ridge accuracy:\nshare that can be dropped"
    ),
    "penalty-bands",
    alt="Diffused redundancy of ridge accuracy for each task, once with its interval over subsets and test images "
    "and once with its band over the penalties that cross-validation cannot tell apart.",
)
session.say(penalties.describe_bands(bands, ridge))

# %% [markdown]
# For the logistic probe there is no such band: every penalty has to be fitted again at every size.
# On the default tasks that would take half a minute on one core for the penalties that its coarser
# grid, one per decade, cannot tell apart.

# %% [markdown]
# ## Diffused redundancy of accuracy
#
# $\mathrm{DR}(\delta) = 1 - k^*/d$, with $k^*$ the smallest $k$ at which the mean accuracy over
# random subsets reaches $\delta$ times that of the full layer. For the ridge probe $k^*$ is exact
# to one neuron. For the logistic probe it is the smallest size on the grid of fractions, as in the
# paper, so DR is a lower bound, and its intervals move in steps: above half of the layer there are
# none between .5 and .8, as in the authors' grid. Intervals are over random subsets and test images,
# with the network and the trained probes held fixed.
#
# A probe that guesses keeps all of its accuracy with one neuron. So the table also has
# a DR *above chance*: the share of neurons that can be dropped while the share $\delta$ of what the
# full layer has above guessing the largest class is kept, $(T(S_k) - c) / (T_{full} - c) \ge
# \delta$.

# %%
from diffused_redundancy.report import display

by_ridge = tables.redundancy_table(ridge, DELTAS)
session.table(by_ridge.tidy, "redundancy-ridge", show=False)
session.say(display.markdown_table(by_ridge.shown()))

# %%
by_logistic = tables.redundancy_table(logistic, DELTAS)
session.table(by_logistic.tidy, "redundancy-logistic", show=False)
session.say(display.markdown_table(by_logistic.shown()))
session.say(by_logistic.describe_near_bar())

# %% papermill_description=DR-figure
session.figure(
    figures.points_figure(
        *by_ridge.series(), "DR(δ) of ridge accuracy:\nshare of the layer that can be dropped"
    ),
    "redundancy",
    alt="Diffused redundancy of ridge accuracy with intervals over subsets and test images, for "
    "each task, one mark per delta.",
)
session.say(probing.describe_redundancy(by_ridge))

# %% [markdown]
# ## How sure are these?
#
# The standard deviation (SD) of DR of ridge accuracy over random subsets, for as many as were drawn
# and for the paper's five, and over test images; how often such intervals hold the truth in
# experiments drawn from the subsets and images at hand, as in `01_cka`; and the number of subsets
# that an interval of DR of ±0.01 takes. What other train images and another network of the same
# kind would change, `03_pretraining` measures.

# %% papermill_description=precision
from diffused_redundancy.findings import precision

sure = precision.precision_table(tables.of_selection(ridge), by_ridge.delta)
session.table(sure, "precision", show=False)
session.say(display.markdown_table(precision.shown_precision(sure)))
session.say(precision.describe_precision(sure))

# %% [markdown]
# ## Beside the paper
#
# The paper's table 1 (its first version; $\delta = 0.9$, logistic probes on a coarse grid of sizes)
# gives, for three of its networks:

# %%
from diffused_redundancy.paper import beside, printed

session.say(display.markdown_table(printed.printed_table()))

# %% [markdown]
# A printed 0.80 says that 20% of the neurons suffice and 10%, the next smaller size on that grid, do
# not: DR is at least 0.80 and below 0.90. Where this run measured the same network on the same task,
# it is compared on the same sizes. The abstract adds one value in words, of claim 1. All of them are
# in `data/paper_values.csv`, with how they were read.

# %%
accuracies = [
    (net, task, logistic[session.title(net, task)]["random"], layer.about)
    for net, task, layer in session.layers()
]
cells = beside.compared(accuracies, session.protocol)
session.table(beside.beside_table(cells), "paper", show=False)
if not (shown := beside.shown_beside(cells)).empty:
    session.say(display.markdown_table(shown))
session.say(beside.describe_beside(cells), linked=shown.empty)

# %% [markdown]
# ## What the numbers say
#
# Of these networks, and of probes trained on these train images. Where cross-validation cannot tell
# penalties apart, and a case would come out differently at another of them, it is left open.

# %%
from diffused_redundancy.findings import answers, verdicts
from diffused_redundancy.findings.claims import CONTROLS

cases = {session.title(net, task): (net, task) for net, task, _ in session.layers()}
controls = [case for case, (_, task) in cases.items() if task.name in CONTROLS]
ridge_elsewhere, fifth_elsewhere = probing.at_penalties_as_good(layers, SEEDS)

# %%
claimed, others = probing.as_claimed(tables.of_selection(logistic), cases)
told = []
if claimed:
    told.append(
        verdicts.a_fifth_within(claimed, 0.05, elsewhere=fifth_elsewhere, unit=session.unit)
    )
    session.verdict(1, told[-1], analogue=False)
if others:
    told.append(
        verdicts.a_fifth_within(
            others, 0.05, controls=controls, elsewhere=fifth_elsewhere, unit=session.unit
        )
    )
    session.verdict(1, told[-1], analogue=True)
session.answer(answers.useful(told, {**claimed, **others}, session.unit))

# %%
kept = verdicts.every_subset_keeps(
    tables.of_selection(ridge),
    0.9,
    controls=controls,
    elsewhere=ridge_elsewhere,
    unit=session.unit,
)
session.verdict(2, kept, part="accuracy")

# %%
by_net, delta = probing.curves_by_net(ridge, cases), by_ridge.delta
widths = penalties.widest(bands, cases)
ignored = [task.title for _, task in cases.values() if task.name in CONTROLS]
session.verdict(
    3,
    verdicts.tasks_differ(
        by_net, delta, by_ridge.measure, bands=widths, controls=[*dict.fromkeys(ignored)]
    ),
)

# %%
if {"pca", "pca_least"} <= set(SELECTIONS):
    session.verdict(5, verdicts.components_first(logistic, unit=session.unit))

# %%
if "gaussian_projection" in SELECTIONS:
    for few, part in ((True, "few neurons"), (False, "more neurons")):
        compared = verdicts.as_good_as_projections(
            logistic, "gaussian_projection", few=few, unit=session.unit
        )
        session.verdict(6, compared, part=part)

# %%
session.result(
    **probing.results_of(ridge, logistic), **by_ridge.results(), **by_logistic.results()
)

# %% [markdown]
# ## What to take away
#
# - Nobody chose these neurons. Where a random fifth does nearly as well as all of them (see the
#   verdict on claim 1 for which tasks it does), what the task needs is spread over the layer many
#   times.
# - Redundancy belongs to a layer **and** a task. Compare a task the network serves well with one it
#   was trained to ignore. Among the default tasks that is font style: in upstream training a
#   letter's font must not matter.
# - Principal components are chosen *knowing* the data; random neurons need no data to choose. The
#   verdict on claim 5 says on which tasks that knowledge helps where neurons are few.
# - Compare the verdicts on claim 2 here and in `01_cka`. Where similarity is reached with far fewer
#   neurons than accuracy, directions of small variance, which CKA hardly sees, may matter to the
#   task.
# - Look at what an interval is over before comparing two numbers: other neurons, other test images,
#   and the penalty, which is in no interval, all move DR. The tables above say by how much.
#
# ## Exercises
#
# 1. **Read off a number.** From the ridge figure, estimate how many random neurons reach 80% of the
#    full layer's accuracy on each task. Then compare with $k^*$ in the table.
# 2. **Two kinds of random projection.** The authors draw projections uniform in $[0, 1)$: every
#    direction has positive entries only, and any two have an expected cosine of about 0.75. Explain
#    why that can hurt when few directions are kept, and compare the two projections at $k = 5$ in
#    the logistic figure. With all $d$ directions of theirs nothing is lost but conditioning: why can
#    accuracy still be below the full layer's? (Hint: what does the penalty see?)
# 3. **Choose the penalty badly.** In a cell below, take the first task's layer, `layer =
#    next(iter(layers.values()))`, compute `curve = layer.ridge("random", SEEDS, penalty=100 *
#    layer.ridge_penalty.penalty)`, then `curve.redundancy(0.9)`. Why must the penalty be fixed
#    before one looks at test images?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
