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
# # Where in depth does redundancy grow?
#
# The notebooks before look at the last layer before the head. The authors measured the ends of the
# residual stages as well. Here the same curves are taken after every stage, maps averaged over
# positions. In convolutional networks deeper stages are wider, and a wider layer may have a larger
# share to spare, so depth and width are separated: each stage is measured as it is, and once more
# with as many random neurons as the narrowest stage has, drawn ten times.
#
# **DR(δ)**, diffused redundancy, is the share of a layer's neurons that can be dropped while a random
# rest keeps the share δ of the whole layer's value: of the accuracy of a probe, or of CKA, the
# similarity with the whole layer.
#
# **Cost** of the default run on two CPU cores: less than a minute while another notebook runs, after
# the features: those of all stages come from the same pass over the images as those of the last
# layer.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 06_layers -p TASKS '[digits]'`.
# `LAYERS` may be `stages`, which stands for the end of every stage of each network, or names of
# submodules.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s1", "*t.mrl_s1", "*t.adversarial_l2_0.5_s1"]  # Networks; text is on the first
TASKS: list[str] = ["digits", "armenian", "font_style"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYERS: list[str] = ["stages"]  # In order of depth: stages, penultimate, or names of submodules
SELECTIONS: list[str] = ["random"]  # Ways of choosing neurons or directions, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5]  # Seeds of the random selections
PROBE: str = "ridge"  # Linear probe: ridge (exact at every size) or logistic (at FRACTIONS)
FRACTIONS: list[float] = [0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9, 1.0]  # Sizes of logistic probes; none: every size
DELTAS: list[float] = [0.9, 0.8, 0.95]  # Shares of the full value to keep; figures show the first
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("06_layers", globals())
session.need("SELECTIONS", "random")

# %% [markdown]
# ## Measuring every stage

# %% papermill_description=measures tags=["measures"]
from diffused_redundancy.experiment.stages import measured_depths

depths = measured_depths(
    session.nets,
    session.tasks,
    LAYERS,
    session.layer,
    probe=PROBE,
    selections=SELECTIONS,
    seeds=SEEDS,
    fractions=FRACTIONS,
)

# %%
from diffused_redundancy.findings import depth

delta = DELTAS[0]
session.table(depth.redundancy_table(depths, DELTAS), "redundancy", show=False)
session.table(depth.shown_layers(depths, delta), "layers")

# %% [markdown]
# The table is of the first network; the file `redundancy` has all of them.
#
# ## Redundancy against depth

# %%
from diffused_redundancy.report import figures

session.figure(
    figures.series_figure(
        depth.similarity_rows(depths, delta),
        "layer",
        [f"DR({delta:g}) of CKA", "the same, equal width", "and standardized"],
        ticks=depth.ticks(depths),
        references=[1 - delta**2] * 3,
    ),
    "depth",
    alt="Diffused redundancy of CKA after every stage, one column per task, one line per network: "
    "in the first row as the stages are, in the second with as many random neurons of each as the "
    "narrowest stage has, in the third with these neurons standardized.",
    hero=True,
)
session.table(depth.changes_table(depths, delta), "changes")
session.say(depth.describe_similarity(depths, delta))

# %% [markdown]
# Intervals are of 95%: in the first row over the random subsets and images; in the others of the
# mean over the draws (Student's t), which matter more. In the third, each neuron is divided by its
# standard deviation first: what remains is not a matter of a few large neurons. A layer of uncorrelated neurons of equal
# variance has $\mathrm{DR}(\delta) = 1 - \delta^2$ of CKA whatever its width (the dotted line);
# what lies above is redundancy.

# %% [markdown]
# ## What the task gets from it

# %%
session.figure(
    figures.series_figure(
        depth.use_rows(depths, delta),
        "layer",
        ["accuracy, whole layer", f"DR({delta:g}) of accuracy", "neurons needed, k*"],
        ticks=depth.ticks(depths),
        percent=[True],
    ),
    "use",
    alt="The whole layer's accuracy, the diffused redundancy of accuracy and the number of neurons "
    "needed after every stage, one column per task, one line per network.",
)
session.say(depth.describe_use(depths, delta))

# %% [markdown]
# The neurons needed, $k^*$, are those that keep the share $\delta$ of **that** layer's accuracy, so
# layers of different accuracy have different thresholds.

# %%
from diffused_redundancy.findings import answers

session.answer(answers.in_depth(depths, delta))

# %% [markdown]
# ## Beside the paper
#
# The values that the paper prints, as far as we know them (`data/paper_values.csv`), are of accuracy:
# DR(0.9) of three networks on four tasks, and what a fifth of a ResNet50 keeps. They are of
# the penultimate layer: they can be compared if that is among `LAYERS` by its name.

# %%
from diffused_redundancy.paper import beside
from diffused_redundancy.report import display

last = [stage.whole for stages in depths for stage in stages if stage.name == "penultimate"]
cells = (
    beside.compared_measurements(last, session.protocol)
    if last
    else beside.not_comparable("the layer called penultimate is not measured here")
)
session.table(beside.beside_table(cells), "paper", show=False)
session.say(display.markdown_table(beside.by_network(cells)))

# %% [markdown]
# ## What to take away
#
# - Two things change with depth: how many neurons there are, and how alike they are. The second row
#   of the first figure keeps the number fixed.
# - Redundancy of similarity and usefulness for a task are two things: compare the two figures
#   before taking one for the other.
# - The paper makes no claim about depth that we know of, so there is no verdict here; these are our
#   measurements.
#
# ## Exercises
#
# 1. **A fair comparison.** Why is it unfair to compare the DR of a stage of 64 neurons with that of
#    one of 512? Construct a layer whose DR grows although nothing is added to it. (Hint: copy every
#    neuron.)
# 2. **Before training.** What would the curves look like for a network with random weights? Write
#    down a guess, then build one with `build("miniature_resnet", 131, 512, seed=1)` of
#    `diffused_redundancy.nets.architectures`, take features with
#    `dr.forward(net.eval(), batch, ["layer1", "layer4"])`, and look.
# 3. **Inside a stage.** Set `LAYERS` to `["layer4.0", "layer4.1"]`. What does the second block add?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
