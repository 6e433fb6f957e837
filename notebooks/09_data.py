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
# # Does a layer look less redundant where train images are few?
#
# Claim 1 of the paper is about probes trained on 45,000 images of CIFAR10: a random fifth of a
# ResNet50 is within 5% of the full layer's accuracy. Here tasks have one to three thousand train
# images, and real networks were tried with 3,000. Do fewer images make a layer look less redundant?
# A probe on all neurons has more to learn than one on a fifth of them, so few images might hurt it
# more; or a fifth might lack what many images would make up for. This notebook measures what a
# random fifth keeps, and diffused redundancy, with growing numbers of train images. It extrapolates
# both, and checks the extrapolation where the truth is known.
#
# *Diffused redundancy*, DR(0.9), is the share of the neurons that can be dropped while a random rest
# keeps 90% of the full layer's accuracy.
#
# **Cost** of the default run on two CPU cores: a minute on one of them, after the features and
# `02_probes`, whose penalties it starts from (20 seconds more without).

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 09_data -p TASKS '[digits]'`.
# `TARGET` is the number of train images to extrapolate to; by default that of the paper.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s1"]  # Networks: names, timm tags, or TAG@PATH
TASKS: list[str] = ["digits", "armenian", "georgian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of the draws, each of train images and of neurons
FRACTIONS: list[float] = [0.1, 0.2, 0.3, 0.5, 0.8]  # Sizes of the logistic probes; none: every size
DELTAS: list[float] = [0.9]  # Shares of the full accuracy to keep; the first is used
TARGET: int = 45000  # Train images to extrapolate to
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("09_data", globals())

# %% [markdown]
# ## Subsamples of the train images
#
# A *draw* is a random order of the train images, classes in proportion, and a random order of the
# neurons. Probes are fitted to the first $n$ images of the order: to all, to $1/\sqrt 2$ of them, to
# a half, and so on down to a hundred, or two of each class if that is more. With all train images
# draws differ in the neurons alone. Test images are the same throughout. Three kinds of probes are
# fitted to each subsample:
#
# - **ridge probes** on every number of neurons, with the penalty that leave-one-out
#   cross-validation chooses for that number of images;
# - **logistic probes**, the paper's, at `FRACTIONS` of the layer and on all of it, with the penalty
#   that cross-validation chooses for that number of images, from half decades. They take longer:
#   four draws, on all images, a half, a quarter and an eighth of them. Their DR is one of these
#   sizes of the subset, so it moves in steps (the preset `wide` has every size);
# - **logistic probes of one penalty**: the one chosen on all train images, also for a quarter. So
#   the effect of images is separated from that of another penalty.
#
# Penalties are chosen for the whole layer, as everywhere on these pages, and on the first draw:
# other draws hardly ever choose another. (Penalties of `02_probes` are from whole decades: with all
# train images its logistic probes may have others.)

# %% papermill_description=subsamples tags=["measures"]
from diffused_redundancy.experiment.subsamples import all_sampled
from diffused_redundancy.explanations import data_size

layers = {session.title(net, task): layer for net, task, layer in session.layers()}
samples = all_sampled(layers, SEEDS, FRACTIONS)

# %% [markdown]
# ## What a random fifth keeps, by train images
#
# The first row is the share of the full layer's accuracy that a random fifth keeps, the second DR
# (of ridge probes at every number of neurons, of logistic ones at `FRACTIONS`). Where guessing the
# largest class has more than a fifth of the full layer's accuracy, both are taken *above chance*:
# (fifth − chance) / (full − chance). A plain share would come to 1 where all probes guess, so that
# few images would make any layer look redundant. Where the full layer's accuracy above chance is
# not known to within a quarter of itself, nothing is shown.
#
# Bars are 95% intervals. They cover draws of neurons and train images, test images, and another
# collection of train images. The last part is estimated from the spread of the draws.

# %%
from diffused_redundancy.report import figures

delta = DELTAS[0]
every = data_size.data_curves(samples, delta)
curves = data_size.judged(samples, every)
session.table(data_size.data_table(samples, every), "by-images", show=False)
if curves:
    session.figure(
        figures.series_figure(
            data_size.data_rows(curves),
            "train images (log scale)",
            ["share kept by a fifth", f"DR({delta:g}) of accuracy"],
            ticks=data_size.image_ticks(curves),
            log=True,
            percent=[True, False],
        ),
        "by-images",
        alt="The share of the full layer's accuracy that a random fifth of the neurons keeps, and "
        "diffused redundancy, against the number of train images, one column per task, one line "
        "per kind of probe. Bars are 95% intervals.",
        hero=True,
    )

# %% [markdown]
# ## From a quarter of the images to all
#
# The first table has the change of the share, in points, with its 95% interval; a star marks the clear
# ones. Intervals cover what bars do, and hold for all tasks of a row at once (Bonferroni). *More* with
# all images means: with few images the layer looks *less* redundant.
#
# The second table is not about more images. It has what the choice of the penalty does to the share
# of logistic probes: the share with the penalty chosen for a quarter of the images, less the share
# with the penalty of all, both with a quarter of the images and on the same draws.

# %%
changes = data_size.effects(samples, delta)
session.table(data_size.effects_table(changes), "effects", show=False)
if changes:
    session.table(data_size.shown_effects(changes), "effects-shown")
session.say(data_size.describe_effects(changes))
if not (by_penalty := data_size.shown_penalty(changes)).empty:
    session.table(by_penalty, "penalty-shown")
session.say(data_size.describe_penalty(changes))
session.say(data_size.describe_redundancy(changes))

# %% [markdown]
# ## Extrapolation, and does it hold?
#
# Three laws are fitted to each curve by weighted least squares:
#
# - a *power law to an asymptote*, $a + b\, n^{-c}$, with $a$ between 0 and 1 and $c$ between 0.1 and
#   2;
# - a *power law to a fixed limit*: the same with $a$ at its limit if nothing were lost with images
#   without end, so that the share comes to 1 (DR has no such limit);
# - a *straight line in* $\log n$, the slowest there is.
#
# Each is fitted again to every bootstrap resample of the curve, which gives the interval of what it
# predicts. Such an interval holds the truth if the law does. (Simulated with the first law true,
# it holds the value at 45,000 images from 3,000 in 95 to 98% of the cases.) No interval can say
# whether a law does hold. So the value with all train images is predicted twice: from the curve up to
# a quarter of them, and up to a half. The prediction is compared with what was measured, on the same
# draws and test images. This takes at least four sizes of the train set. Logistic probes have four, and a
# part of four is too few for the first law: it is checked on ridge probes alone.
#
# A wide interval holds nearly anything, so its median width stands next to the counts. A law is
# called too narrow only if an exact binomial test over *curves* says so at 5%. Curves of one task
# share draws and test images, so they are fewer than they look.

# %% papermill_description=checks
checks = data_size.all_checks(curves)
session.table(data_size.checks_table(checks), "checks", show=False)
if checks:
    session.table(data_size.laws_checked(checks), "laws-shown")
session.say(data_size.describe_checks(checks))

# %% [markdown]
# ## With many more train images
#
# The figure has the share that a random fifth keeps with all train images (its interval as a band),
# and what each law predicts at `TARGET`, with its interval. Laws that missed a check of the same
# curve are left out, except for the first: the others are special cases of it, or nearly so. Ranges
# are over the intervals of the laws that are left; the last table of this page has all of them. Scales
# differ between plots.

# %% papermill_description=forecasts
forecasts = data_size.forecasts(curves, TARGET)
if forecasts:
    session.figure(
        figures.groups_figure(
            data_size.forecast_panels(forecasts),
            "share kept",
            reference=data_size.MEASURED,
            percent=True,
            empty="missed a check",
        ),
        "forecasts",
        alt="The share of the full layer's accuracy that a random fifth keeps: measured with all "
        "train images, and predicted by each law for many more, one plot per task. Bars, and the "
        "band of what was measured, are 95% intervals.",
    )
session.table(data_size.forecasts_table(forecasts), "forecasts", show=False)
session.say(data_size.describe_forecasts(forecasts))

# %% [markdown]
# ## What the numbers say
#
# Claim 1 is about the paper's ResNet50 on CIFAR10. `02_probes` asks it, or an analogue of it, and
# says which of the two. With other networks or tasks than the paper's, at most the direction of what
# train images change carries over. An interval is *above* or *below* 95%, or *open* if it holds 95%.
# *Only one law* stands where no range over laws is left: no verdict is given. Above chance, 95% asks
# for more than the paper does.

# %%
from diffused_redundancy.explanations import answers

session.answer(answers.few_images(changes))
session.say(data_size.describe_claim(curves, forecasts))
session.table(data_size.claim_table(changes, curves, forecasts), "claim-shown")
session.result(**data_size.results_of(every))

# %% [markdown]
# **On real networks**, with 3,000 train images of CIFAR10, this notebook is kept executed as
# `notebooks/real/09_data.ipynb`. They are a ResNet50 and a ResNet18 pre-trained on ImageNet,
# compressed and fine-tuned by others: not the weights that the paper measured.

# %% [markdown]
# ## What to take away
#
# - A share of the full layer's accuracy compares two probes that both improve with images. Which of
#   the two gains more depends on the task and on the probe: read the first figure before you compare
#   redundancy between train sets of different size.
# - Near chance a plain share says little: it comes to 1 as the full layer comes to guessing. Take
#   both accuracies above chance.
# - A penalty is part of the measurement. Fewer images ask for a stronger one, which may weigh
#   differently on a part and on the whole: the table of penalties is what that does.
# - An interval of an extrapolation takes the law for granted. The range over laws, and checks with
#   the images at hand, say more than a narrow interval of one law.
#
# ## Exercises
#
# 1. **Shares near chance.** The full layer's accuracy on a task rises from 21% to 36% while a fifth
#    goes from 15% to 23%, and guessing has 9%. What happens to the share, to the share above
#    chance, and to the points lost? Which of the three would you call redundancy?
# 2. **Break the law.** Run the notebook with `-p IMAGES 300`. Which intervals widen most, and why
#    are there fewer checks?
# 3. **A network with more neurons than images.** Run it with
#    `-p NETS '[miniature_resnet_2048.standard_s1]'`. With fewer images than neurons, the full layer
#    fits its train images exactly. Does its share behave differently than at 512 neurons?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
