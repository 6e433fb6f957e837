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
# # Is a random part of a layer similar to the whole?
#
# A pre-trained network turns an image into a vector, one number per neuron of its penultimate
# layer. The paper "Diffused Redundancy in Pre-trained Representations" (Nanda and others, NeurIPS
# 2023) reports that one can throw most of these neurons away **at random** and hardly notice. This
# notebook tests the first half of that statement: that *any random subset above a threshold size is
# similar to the whole layer* (claim 2). Whether it is also as *useful* is the subject of notebook
# `02_probes`.
#
# **Cost** of the default run on two CPU cores: ten seconds, after the features (a run of all
# notebooks extracts all of them in two minutes).

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 01_cka -p SEEDS '[1, 2, 3]'`.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s1"]  # Networks: names, timm tags, or TAG@PATH
TASKS: list[str] = ["digits", "armenian", "georgian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "pca", "gaussian_projection", "random_projection", "pca_least"]  # Ways of choosing neurons or directions
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of the random projections, and for tables of curves
ORDERS: int = 100  # Random orders of neurons, SEEDS among them
DELTAS: list[float] = [0.8, 0.9, 0.95]  # Shares of the full layer's similarity to be kept
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("01_cka", globals())

# %% [markdown]
# ## The measure
#
# Let $X$ be the features of $n$ images (the train images of a task), one row per image and one
# column per neuron, with every column centred. Linear *centred kernel alignment* (CKA) compares two
# sets of features of the same images. It asks: are two images that are alike in one also alike in
# the other? It is 1 if so, up to rotation and scale, and near 0 if the two have nothing to do with
# each other. Between a subset $S$ of the neurons and the whole layer it needs only the Gram matrix
# of the neurons, $G = X^\top X$:
#
# $$\mathrm{CKA}(S) =
# \frac{\lVert G_{S,:} \rVert_F^2}{\lVert G_{S,S} \rVert_F \, \lVert G \rVert_F}$$
#
# The authors compute this at 15 sizes. If subsets are nested (the first $k$ neurons of one random
# order), both norms are running sums, so **every** size $k = 1, 2, \dots, d$ costs no more than
# one. That is what is done here, exactly.
#
# **A prediction from one number.** Replace numerator and squared denominator by their averages over
# random subsets, and the whole curve follows from one property of the layer, the share of the
# squared Gram matrix that lies on its diagonal, $r = \sum_i G_{ii}^2 / \lVert G \rVert_F^2$:
#
# $$\mathrm{CKA}(k) \approx \frac{\sqrt{k / d}}{\sqrt{r + (1 - r)\,\frac{k - 1}{d - 1}}}$$
#
# The smaller $r$, the faster the curve rises. ($r$ is small where neurons repeat one another, and
# large where a few neurons have most of the variance.) The prediction is drawn over the curve of
# random neurons below.
#
# **Ways of choosing.** Besides random neurons, the figure shows directions that mix all neurons: the
# *top principal components* (those of largest variance on these images), the *bottom* ones, and two
# kinds of *random projection*. The textbook choice is Gaussian; its directions are made orthonormal
# here, so that all $d$ of them lose nothing. The authors draw entries uniform in $[0, 1)$ instead:
# all entries are positive, so any two directions have an expected cosine of about 0.75, and a
# projection repeats the average of all neurons over and over. Its CKA need not grow with $k$.

# %% [markdown]
# ## Data
#
# For each task: the train and test images ($n$), the neurons ($d$), the classes, the neurons that are
# the same for all images, and $r$ of the prediction above.

# %% papermill_description=features tags=["measures"]
from diffused_redundancy.findings import similarity

layers = {session.title(net, task): layer for net, task, layer in session.layers()}
session.table(similarity.layers_table(layers), "layers")

# %% papermill_description=samples
from diffused_redundancy.findings import pictures as chosen
from diffused_redundancy.report import pictures

tasks = session.task_titles()
session.figure(
    pictures.samples_figure({title: chosen.samples(task) for title, task in tasks.items()}),
    "samples",
    alt="Test images of each task in a row, up to eight, with the names of their classes under "
    "them.",
)
session.say(chosen.describe_samples(tasks))

# %% [markdown]
# ## CKA at every subset size

# %% papermill_description=cka tags=["measures"]
from diffused_redundancy.findings import tables

curves = similarity.cka_curves(layers, SELECTIONS, SEEDS, count=ORDERS)
session.table(tables.curve_table(curves, SEEDS), "curves", show=False)
session.table(tables.mean_table(curves), "means", show=False)

# %%
from diffused_redundancy.report import figures

predicted = similarity.closed_forms(layers)
panels = tables.curve_panels(curves, threshold=0.9, predicted=predicted)
session.figure(
    figures.curves_figure(panels),
    "curves",
    alt="CKA between a subset and the whole layer against the number of neurons or directions "
    "kept, one plot per task, for each way of choosing them, with the closed form laid over the "
    "curve of random neurons. Bands reach from the smallest to the largest value over draws.",
    hero=True,
)
session.say(similarity.describe_cka(curves))

# %% [markdown]
# Bands reach from the smallest to the largest value over draws. Of random neurons there are `ORDERS`
# draws. Principal components are not drawn, and have no band. The dotted line is at 0.9.

# %% [markdown]
# ## Does one number predict the curve?

# %% papermill_description=closed-form
beside = similarity.closed_form_curves(tables.of_selection(curves), predicted)
session.table(beside, "closed-form-curves", show=False)

# %%
session.figure(
    figures.errors_figure(
        similarity.closed_form_bands(beside), "closed form less measured mean", limit=0.02
    ),
    "closed-form",
    alt="The closed form's error, against the number of neurons kept, one line per task. The band "
    "around a line is twice the standard error of the mean over draws.",
)

# %%
errors = similarity.closed_form_errors(beside, layers)
session.table(errors, "closed-form")
session.say(similarity.describe_closed_form(errors))

# %% [markdown]
# The band around a line is twice the standard error of the mean over draws.
#
# The prediction replaces the mean of a ratio by a ratio of means. That is exact only if subsets do
# not differ from one another. It errs where they differ much: where neurons are few, and repeat one
# another. The figure says by how much.

# %% [markdown]
# ## A check: the debiased estimator
#
# CKA as the paper uses it is slightly too high when images are few: chance alone makes features
# agree. Debiased CKA puts the unbiased estimator of HSIC (Song and others, 2012) in place of the
# biased one. Where the two curves lie on each other, this bias is small. (How much CKA varies from
# one set of images to another is a different question; *How sure are these?* below answers it.)

# %% papermill_description=debiased tags=["measures"]
random = tables.of_selection(curves)
if random:
    debiased = tables.of_selection(
        similarity.cka_curves(layers, ["random"], SEEDS, debiased=True)
    )
    differences = similarity.debiased_table(random, debiased)
    session.table(differences, "debiased")
    session.say(similarity.describe_debiased(differences, random, debiased))

# %% [markdown]
# ## Neurons of equal scale
#
# CKA weighs neurons by their variance. Where a few neurons have most of it, a subset without them
# looks unlike the layer, and one with them looks like it, whatever the others do. So here is the
# same with *standardized* neurons: each divided by its standard deviation first. The paper does not
# standardize; `07_structure` says how much of CKA's redundancy is a matter of scale. Bands are those of
# the first figure.
#
# DR(0.9), *diffused redundancy*, is the share of the neurons that can be dropped while a random rest
# keeps a CKA of 0.9 on average. *Clearly*: the 95% interval of the difference, over the same subsets
# and images, leaves out 0; it is not corrected for the number of tasks.

# %% papermill_description=standardized tags=["measures"]
standardized = tables.of_selection(
    similarity.cka_curves(layers, ["random"], SEEDS, count=ORDERS, standardize=True)
)

# %%
if random:
    by_case = {case: {"random": curve} for case, curve in standardized.items()}
    session.table(tables.mean_table(by_case), "standardized-means", show=False)
    session.figure(
        figures.curves_figure(similarity.scale_panels(random, standardized, 0.9)),
        "standardized",
        alt="CKA between random neurons and the whole layer against their number, one plot per "
        "task: of neurons as they are, and standardized. Bands reach from the smallest to the "
        "largest value over draws.",
    )
    scales = similarity.scale_table(random, standardized, 0.9)
    session.table(scales, "scales")
    session.say(similarity.describe_scale(scales))

# %% [markdown]
# ## Diffused redundancy of similarity
#
# $\mathrm{DR}(\delta) = 1 - k^*/d$, with $k^*$ the smallest $k$ at which the mean CKA over the
# random subsets reaches $\delta$. It is the share of the layer that can be dropped. Since every $k$
# was measured, $k^*$ is exact to one neuron.
#
# A layer of uncorrelated neurons of equal variance has $\mathrm{CKA}(k) = \sqrt{k/d}$, hence
# $\mathrm{DR}(\delta) = 1 - \delta^2$, already 0.19 at $\delta = 0.9$: read DR against that.
#
# Intervals are over random subsets and over images: they say how much $k^*$ would move, had other
# subsets been drawn and other images been taken, with the network held fixed. They are bootstrap
# percentiles, widened as Student's $t$ is where draws are few.

# %%
from diffused_redundancy.report import display

redundancy = tables.redundancy_table(curves, DELTAS)
session.table(redundancy.tidy, "redundancy", show=False)
session.say(display.markdown_table(redundancy.shown()))
if random:
    of_standardized = tables.redundancy_table(by_case, DELTAS)
    session.table(of_standardized.tidy, "standardized-redundancy", show=False)
    session.say(display.markdown_table(of_standardized.shown()))

# %% [markdown]
# ## How sure are these?
#
# The table has the standard deviation (SD) of DR(0.9), or of the first of `DELTAS` if 0.9 is not
# among them: over random subsets, for as many as were drawn and for the paper's five, and over
# images.
#
# *Coverage* says whether 95% intervals hold the truth as often as they should. For that the subsets
# and images at hand are taken for a whole population, whose DR is known. From it 200 experiments are
# drawn, each with an interval of its own. The last column is the number of subsets that make an
# interval of DR as narrow as ±0.01.

# %% papermill_description=precision
from diffused_redundancy.findings import precision

sure = precision.precision_table(random, redundancy.delta)
session.table(sure, "precision", show=False)
session.say(display.markdown_table(precision.shown_precision(sure)))
session.say(precision.describe_precision(sure))

# %% [markdown]
# ## Beside the paper
#
# The values that the paper prints, as far as we know them (`data/paper_values.csv`), are of accuracy:
# DR(0.9) of three networks on four tasks, and what a fifth of a ResNet50 keeps. This page has no
# accuracy; notebook `02_probes` compares its own with them.

# %%
from diffused_redundancy.paper import beside

reason = "accuracy is not measured here, and no CKA is printed"
session.say(display.markdown_table(beside.by_network(beside.not_comparable(reason))))

# %% [markdown]
# ## What the numbers say

# %%
from diffused_redundancy.findings import answers, verdicts

if random:
    for some, part in (
        (random, "similarity"),
        (standardized, "similarity, standardized neurons"),
    ):
        kept = verdicts.every_subset_keeps(some, 0.9, "similarity", unit=session.unit)
        session.verdict(2, kept, part=part)
        if some is random:
            session.answer(answers.similar(kept, random, 0.9, session.unit))

# %%
session.result(**similarity.results_of(curves), **redundancy.results())
if random:
    session.result(**of_standardized.results())

# %% [markdown]
# ## What to take away
#
# - Nothing was done to pick good neurons. Where similarity to the whole layer rises steeply, long
#   before all neurons are in, many small random parts of the layer say much the same as the whole.
# - How fast it rises is a property of the layer *on these images*: the same network has another $r$
#   on another task.
# - CKA weighs directions by their variance. A subset can match the directions of large variance
#   (high CKA) and still miss small ones that a task needs. So similarity alone does not settle
#   whether a subset is *useful*.
#
# ## Exercises
#
# 1. **Predict, then measure.** From the value of $r$ in the first table, compute by hand the $k$ at
#    which the closed form reaches 0.9, and compare with $k^*$. (Hint: square the formula and solve
#    for $k$.)
# 2. **A layer without redundancy.** Save features of independent noise with `np.savez("noise.npz",
#    X_train=np.random.randn(5000, 512).astype("float32"))` and run `.venv/bin/python -m
#    diffused_redundancy measure noise.npz --out noise` in the checkout. Which $r$ does its report
#    give, what must the curve look like, and why is DR not 0?
# 3. **Why are the top components so good here?** Explain why the CKA of the first $k$ principal
#    components depends on the eigenvalues of $G$ alone, and write it down. What does that say of
#    the spectrum of these layers?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
