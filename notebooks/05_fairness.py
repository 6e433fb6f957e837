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
# # Who pays when neurons go?
#
# If a tenth of the neurons keeps 90% of the accuracy, the tenth of accuracy that is lost need not
# be lost evenly. The paper warns that some classes are affected more than others (claim 10). Here:
# how uneven accuracy over classes is at every size, whether that is more than hard classes lose
# when the scores of all classes fall alike, which classes lose most and whether they are the same
# ones whichever neurons are kept, and whether a more careful choice of $k$ helps.
#
# **Cost** of the default run on two CPU cores: a minute while another notebook runs, after the
# features.

# %% [markdown]
# ## Parameters
#
# Change them in the notebook, or from the command line: `./run_all.sh --only 05_fairness -p TASKS
# '[armenian]'`.

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet.standard_s[12]", "*t.mrl_s1", "*t.adversarial_l2_0.5_s1"]  # Networks; the first one in detail
TASKS: list[str] = ["digits", "armenian", "georgian"]  # Tasks; or folder|npz|hf:PATH
IMAGES: int = 0  # Images of each part of a task, at most, classes balanced; 0: all
PROTOCOL: str = "clean"  # Views of train images: clean (one), or augmented:N (N random ones)
LAYER: str = "penultimate"  # Layer to measure: penultimate, or the name of a submodule
SELECTIONS: list[str] = ["random", "pca"]  # Of the first network, random among them
SEEDS: list[int] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]  # Seeds of the random selections
DELTAS: list[float] = [0.9]  # Share of the full layer's accuracy to be kept; the first one is used
DEVICE: str = "auto"  # Where to compute: auto, cpu, cuda or mps
COMPUTE: str = "float32"  # How features are computed: float32, bf16, either with +compile

# %%
import diffused_redundancy as dr

session = dr.begin("05_fairness", globals())
session.need("SELECTIONS", "random")

# %% [markdown]
# ## Measures of unevenness
#
# Let $a_1, \dots, a_C$ be the accuracies on the images of each class, and $\bar a$ their mean. The
# **Gini index** is half the mean difference between two classes, as a share of the mean; the
# **coefficient of variation** is the standard deviation, as a share of the mean:
#
# $$\mathrm{Gini} = \frac{\sum_{i,j} |a_i - a_j|}{2 C^2 \bar a}
# \qquad \mathrm{CV} = \frac{1}{\bar a} \sqrt{\frac{1}{C} \sum_i (a_i - \bar a)^2}$$
#
# Both are 0 if all classes have the same accuracy. With few test images for a class they are above 0 by chance
# alone, and when the mean falls they grow even if all classes lose alike. So what is measured is
# compared with what is to be expected *if all classes lost alike*, on as many test images. That can
# mean three things. Each has one number, chosen so that the mean accuracy is the measured one.
#
# - **Same share of accuracy**: $a_c \cdot q$. It ignores ceilings: when all scores fall a little, a
#   class that was far ahead loses nothing, and a hard one loses much. (The $a_c$ have the chance of
#   few images in them already, and drawing images adds it again: it expects a little too much.)
# - **Same shift of logits**: $\operatorname{logit} a_c - t$. The whole layer's accuracies are known
#   from a few images only, and that of a class without a miss has no logit. So they are drawn from
#   their posterior in a model in which the logits of classes are normally distributed.
# - **Same shift of margins**: the margin of an image is the whole layer's score of its own class
#   less the best other one, $m_i$. With fewer neurons it is $m_i - s + \sigma \epsilon$, with one
#   $s$ for all images and noise $\epsilon$ that differs between subsets of neurons. $\sigma$ is
#   chosen so that subsets disagree on images as often as they do.
#
# Under the first all classes lose alike in the narrowest sense. Under the other two hard classes
# lose more, and nothing sets single classes apart. "Some classes are affected more than others"
# says more than that only if accuracy is more uneven than under the stricter of the two.

# %% [markdown]
# ## Accuracy by class at every size
#
# Ridge probes, as in `02_probes`: one factorisation gives the predictions of the probes on the
# first $1, 2, \dots, d$ neurons.

# %% papermill_description=measures tags=["measures"]
from diffused_redundancy.experiment.measurements import measured_all, measured_hits

others = [name for name in SELECTIONS if name != "random"]
peers = session.peers()
hits = measured_hits(session.layers(), ["random"], SEEDS, of_first=others, peers=peers)
measurements = measured_all(
    session.layers(),
    peers=peers,
    probe="ridge",
    selections=SELECTIONS,
    seeds=SEEDS,
    fractions=[1.0],
)

# %%
delta = DELTAS[0]
network = session.nets[0]
layers = {task.name: session.layer(network, task) for task in session.tasks}

# %%
from diffused_redundancy.findings import fairness, lost_classes
from diffused_redundancy.report import figures

few = lost_classes.unranked(measurements, hits, network)
panels = fairness.worst_panels(measurements, hits, network, 0.1, delta)
session.figure(
    figures.curves_figure(panels), "worst", alt=fairness.worst_caption(panels), hero=True
)
session.say(fairness.describe_worst(measurements, hits, network, delta))

# %% [markdown]
# Bands reach from the smallest to the largest value over seeds of the selection. The worst class is
# the worst at that size and seed, not always the same one.
#
# ## Unevenness at every size

# %%
session.figure(
    figures.curves_figure(fairness.spread_panels(measurements, hits, SELECTIONS)),
    "gini",
    alt="The Gini index of accuracy over classes against the number of neurons kept, one plot per "
    "task: each selection for the first network, random neurons of the others, and what to expect "
    "of the first network if all classes lost alike, in three senses.",
)
spread = fairness.spread_table(measurements, hits, delta)
session.say(fairness.describe_spread(spread))

# %% [markdown]
# At very small $k$ a few classes succeed by chance and the rest fail, so the curves are drawn from
# $k = 10$ on. The table is of the first network; *by chance* is what test images alone give if all
# classes were equally hard.

# %%
from diffused_redundancy.report import display

session.table(spread, "spread", show=False)
session.say(display.markdown_table(fairness.shown_spread(spread)))

# %% [markdown]
# ## Is it more than hard classes lose anyway?
#
# Each network on each task is one cell, compared where the mean keeps the share asked for. The
# interval of the excess is over seeds of the selection and test images; what is expected is
# computed again for each resample, from the same images. A cell is judged against the null that it
# is least clearly above, the stricter shift, and p-values are corrected for the number of cells
# (Holm).

# %% papermill_description=nulls
cells = fairness.cells(measurements, hits, delta)

# %%
session.table(fairness.cell_table(cells), "nulls", show=False)
session.say(display.markdown_table(fairness.shown_cells(cells)))
session.say(fairness.describe_cells(cells, delta))

# %% [markdown]
# The two shifts need not agree. The shift of logits uses how many images of each class were missed;
# where nearly none was, it depends on its model. The shift of margins uses how close each image was.
#
# ## Loss and difficulty
#
# Each point is a class: what it loses where the mean keeps the share asked for, against the mean
# margin of its images in the whole layer (in standard deviations of all margins).

# %%
by_margin = lost_classes.loss_table(measurements, hits, network, delta)
session.table(by_margin, "loss-by-margin", show=False)
panels = lost_classes.loss_panels(by_margin)
if panels:
    session.figure(
        figures.series_figure(
            [panels], "mean margin in the whole layer", ["loss of accuracy"], percent=[True]
        ),
        "loss-by-margin",
        alt="Loss of accuracy of each class against its mean margin in the whole layer, one plot "
        "per task, with what a common shift of margins predicts.",
    )
correlated = lost_classes.associations(measurements, hits, network, delta)
session.say(lost_classes.describe_losses(by_margin, correlated, few))

# %% [markdown]
# Intervals are over seeds of the selection and test images; classes are as they are. They are of the
# correlation as so many images measure it. What images add by chance to losses and margins brings it
# nearer to 0, so that of the classes themselves may be stronger than its interval says. Classes
# count as losing more than predicted if that is so at 5% (two-sided), corrected for the number of
# classes (Holm).
#
# ## Which classes lose most
#
# A class that happens to have hard test images looks as if it lost much. So the classes that lose
# most are chosen on one half of the test images, and their loss is that on the other half, both
# ways.

# %%
chosen, lost = lost_classes.lost_most(measurements, hits, network, delta)
session.table(lost, "lost-most", show=False)
if chosen:
    session.say(display.markdown_table(lost_classes.shown_lost(lost)))
session.say(lost_classes.describe_lost(chosen, few))

# %% [markdown]
# What are they mistaken for? Probes on random fifths of the first network's neurons, beside the
# whole layer's. The images on the left are those that most fifths lose, on the right images of the
# class that they are most often taken for.

# %% papermill_description=mistakes
from diffused_redundancy.experiment.guesses import guesses_of_fifths
from diffused_redundancy.findings import pictures as shown
from diffused_redundancy.report import pictures

tasks = session.task_titles()
guesses = {
    title: (
        guesses_of_fifths(layers[task.name], SEEDS, measurements.of(network, task).penalty),
        task.classes,
    )
    for title, task in tasks.items()
}
mistakes = shown.mistakes_table(guesses)
session.table(mistakes, "mistakes", show=False)
most_lost = shown.shown_mistakes(mistakes)
if not most_lost.empty:
    session.figure(
        pictures.mistaken_figure(shown.mistaken_pictures(most_lost, guesses, tasks)),
        "mistakes",
        alt="Images of the classes that lose most with a random fifth of the neurons, on the left, "
        "beside images of the classes that they are mistaken for, on the right.",
    )
session.say(shown.describe_mistakes(most_lost, guesses))

# %% [markdown]
# ## Are they the same classes every time?
#
# For each seed the classes are ranked by what they lose; Spearman's rank correlation compares two
# such rankings. It would be near 0 if *which* neurons are dropped decided who suffers, and near 1
# if the task and the network do. The two rankings of a pair of seeds are taken on disjoint halves
# of the test images: a class that happens to have easy images would agree with itself. Classes that
# are hard in the whole layer lose more with any neurons, which is enough to make seeds agree; so
# the same is done for what each class loses *beyond* a common shift of margins. The matrix compares
# losses averaged over seeds, between networks and between selections, on all test images.

# %% papermill_description=agreement
agreements = lost_classes.agreements(measurements, hits, delta, SELECTIONS)

# %%
panels = lost_classes.agreement_panels(agreements)
if panels:
    session.figure(
        figures.matrix_figure(panels),
        "agreement",
        alt="Rank correlations of the losses of classes between networks and selections, one "
        "matrix per task.",
    )
session.say(lost_classes.describe_agreements(agreements, few))

# %% [markdown]
# ## Choosing k with care
#
# Somebody who drops neurons must choose $k$ without looking at test images. Here each train image
# is held out once (5-fold cross-validation), and $k$ is the smallest number of neurons at which a
# rule keeps its share of what the whole layer has: the mean over images, the mean over classes (the
# same if classes have equally many images), or the worst tenth of the classes. What each choice
# does is then measured on test images. (The first ten seeds choose, all seeds are tested.)

# %% papermill_description=choices
validation = {
    task.name: layers[task.name].ridge_validation(
        SEEDS[:10], penalty=measurements.of(network, task).penalty
    )
    for task in session.tasks
}

# %%
choices = fairness.choices(measurements, network, validation, hits, delta)
session.table(choices, "choices")
session.say(fairness.describe_choices(choices))

# %% [markdown]
# ## Beside the paper
#
# The values that the paper prints, as far as we know them (`data/paper_values.csv`), are of accuracy:
# DR(0.9) of three networks on four tasks (the share of the neurons that can be dropped while a random
# rest keeps 90% of the accuracy), and what a fifth of a ResNet50 keeps. Where this
# run measured the same network on the same task, ours is next to it, on the paper's sizes. (Of
# accuracy by class no number is printed.)

# %%
from diffused_redundancy.paper import beside

printed_cells = beside.compared_measurements(measurements.all, session.protocol)
session.table(beside.beside_table(printed_cells), "paper", show=False)
session.say(display.markdown_table(beside.by_network(printed_cells)))

# %% [markdown]
# ## What the numbers say

# %%
from diffused_redundancy.findings import answers

session.answer(answers.who_pays(chosen, delta, few))
session.verdict(10, fairness.classes_differ(cells, agreements, delta, few))
stricter = fairness.beyond_a_shift(cells, delta)
session.verdict(10, stricter, part="our stricter question: beyond a common shift", source="C")
session.result(**fairness.results_of(spread, agreements, cells))

# %% [markdown]
# ## Look for yourself
#
# Beside the report of this notebook stands a page on which networks, tasks, ways of choosing and
# sizes can be tried out, without a kernel: neurons go dark, and accuracy, similarity, the worst class
# and the memory of the features follow. (On the page the worst class is the one with the least mean
# accuracy over the draws.)

# %%
session.explorer(measurements, hits)

# %% [markdown]
# ## What to take away

# %%
session.say(fairness.take_away(cells, agreements, chosen, few))

# %% [markdown]
# Look at the worst classes before dropping neurons, even where the mean has hardly moved; the table
# of choices says what a rule that does so costs in neurons, and what it gives.
#
# ## Exercises
#
# 1. **Two lists.** Look at the classes that lose most. Take one from the list and the classes it
#    resembles to your eye. Are they on the list too? (Test images of the last task:
#    `session.tasks[-1].splits["test"].images.batch(0, 5)`, their classes in `.labels`.)
# 2. **The index by hand.** Three classes have accuracies 1.0, 0.8 and 0.6. Compute their Gini index
#    and coefficient of variation, and check with `dr.fairness.gini([1.0, 0.8, 0.6])` and
#    `dr.fairness.coefficient_of_variation([1.0, 0.8, 0.6])`.
# 3. **Chance.** How large is the Gini index of ten classes that are all recognised in 90% of the
#    cases, if each has 20 test images? And 2,000? Try `dr.fairness.expected_gini(0.9, [20] * 10)`.
# 4. **Ceilings.** Two classes have accuracies 0.99 and 0.8. Take 2 from both logits. Which one loses
#    more, and how large is the Gini index before and after?

# %% [markdown]
# ## What made this page

# %%
session.show_provenance()
session.finish()
