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

# %% [markdown] slide="slide"
# # What may be concluded?
#
# You have curves, and numbers made from them. Do classes suffer unequally when neurons are dropped?
# Does one loss make layers more redundant than another? How many networks does it take to know?
#
# Here you write the tools that keep a conclusion no stronger than its data: a *null*, what chance
# and arithmetic alone would give; an interval; and the *power* of a comparison.

# %% [markdown] slide="notes"
# So far there were numbers. Ask what would have to be true for one of them to be a finding.

# %% [markdown] audience="instructor"
# **For the instructor.** Two parts, which can be given alone: fairness (exercises 16 to 19) and
# comparisons of networks (20 to 23). In the second, let students commit to a verdict on each line
# of the table *before* they write the function.

# %%
import math
import statistics

import matplotlib.pyplot as plt
import numpy as np
import redundancy_lab as lab
from redundancy_lab import tour

georgian = lab.load("georgian")
print(f"{georgian.title}: {len(georgian.classes)} classes, {len(georgian.y_test)} test images")

# %% [markdown] slide="slide"
# ## 1. Who pays when neurons go?
#
# The paper: "dropping neurons has unintended consequences", some classes lose more than others. To
# test that, one needs accuracy by class, a measure of inequality, and something to compare it with.

# %% [markdown] slide="notes"
# Ask how unequal classes would look if dropping neurons treated all alike. Nobody says zero for
# long.

# %% [markdown] exercise="accuracy_by_class" level=1 minutes=5 points=1
# ### Exercise 16: Accuracy by class
#
# *Goal:* divide by the right number.
#
# <details><summary>Hint</summary>
#
# Of the images *of* a class, which share is guessed right? `np.bincount(labels, minlength=classes)`
# counts images of each class.
#
# </details>


# %% exercise="accuracy_by_class" part="write"
def accuracy_by_class(guesses, y, classes):
    """The share of the images of each class that are guessed right.

    Parameters
    ----------
    guesses, y : ndarray of int (m,)
        Guessed and true classes, from 0.
    classes : int
        How many there are; each has an image.

    Returns
    -------
    ndarray (classes,)
    """
    ### BEGIN SOLUTION
    images = np.bincount(y, minlength=classes)
    right = np.bincount(y[guesses == y], minlength=classes)
    return right / images
    ### END SOLUTION


# %% exercise="accuracy_by_class" part="check"
lab.check("accuracy_by_class", accuracy_by_class)

# %% [markdown] exercise="gini" level=1 minutes=8 points=1
# ### Exercise 17: The Gini index
#
# *Goal:* measure inequality by one number.
#
# Take two classes at random, each from all $C$ (so it may be the same one twice). The Gini index is
# half the mean of their absolute difference, as a share of the mean over all classes: 0 if all are
# equal, $1 - 1/C$ if one class has everything.
#
# <details><summary>Hint</summary>
#
# `values[:, None] - values` has all $C^2$ differences.
#
# </details>


# %% exercise="gini" part="write"
def gini(values):
    """The Gini index of accuracy over classes.

    Parameters
    ----------
    values : ndarray (C,)
        Not negative, and not all 0.

    Returns
    -------
    float
    """
    ### BEGIN SOLUTION
    differences = np.abs(values[:, None] - values)
    return float(differences.mean() / 2 / values.mean())
    ### END SOLUTION


# %% exercise="gini" part="check"
lab.check("gini", gini)

# %% [markdown] slide="slide"
# ### Compared with what?
#
# The index rises as neurons go. That proves nothing yet, for two reasons.
#
# - **Chance.** With few images per class, classes differ even if they are equally hard.
# - **Ceilings.** If *every* class is made harder by the same amount, those near 100% lose little
#   and those in the middle lose much. That is arithmetic, and unfair to nobody.
#
# A fair null has both in it.

# %% [markdown] slide="notes"
# Two reasons, chance and ceilings. Let students find the second with two classes, one at 99% and
# one at 60%.

# %% [markdown] exercise="expected_gini" level=2 minutes=10 points=2
# ### Exercise 18: What chance gives
#
# *Goal:* know what an index of nothing looks like.
#
# Simulate: each image of class $c$ is right with probability `rates[c]`. Compute accuracy by class
# and its Gini index, many times.
#
# <details><summary>Hint</summary>
#
# `rng.binomial(counts, rates)` draws how many images of each class are right. The mean of the
# indices is not the index of the means. Write the Gini index out again here, or call your `gini`.
#
# </details>


# %% exercise="expected_gini" part="write"
def expected_gini(rates, counts, draws=200, seed=0):
    """The mean Gini index of simulated accuracies.

    Parameters
    ----------
    rates : ndarray (C,)
        The chance of an image of each class to be right.
    counts : ndarray of int (C,)
        Images of each class.
    draws, seed : int
        Of the simulation.

    Returns
    -------
    float
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    found = []
    for right in rng.binomial(counts, rates, size=(draws, len(counts))):
        values = right / counts
        found.append(np.abs(values[:, None] - values).mean() / 2 / values.mean())
    return float(np.mean(found))
    ### END SOLUTION


# %% exercise="expected_gini" part="check"
lab.check("expected_gini", expected_gini)

# %% [markdown] exercise="fair_null" level=3 minutes=25 points=4
# ### Exercise 19: A fair null
#
# *Goal:* say what "all classes lose alike" means, and compute it.
#
# Subtract *one* number from the logits $\log \frac{p}{1-p}$ of all classes, so large that the mean
# accuracy over images becomes what was measured with few neurons. A class without a mistake has an
# infinite logit, so let $p = (\text{right} + \tfrac12) / (\text{images} + 1)$.
#
# <details><summary>Hint</summary>
#
# The mean falls as the shift grows: halve an interval sixty times. Start it wide, from -30 to 30.
# In the mean over images a class weighs by its images.
#
# </details>


# %% exercise="fair_null" part="write"
def fair_null(right, counts, mean):
    """Accuracy by class were the logits of all classes to fall alike.

    Parameters
    ----------
    right, counts : ndarray of int (C,)
        Images guessed right with all neurons, and all images, of each class.
    mean : float
        The accuracy over all images that is to come out, in (0, 1).

    Returns
    -------
    ndarray (C,)
    """
    ### BEGIN SOLUTION
    smooth = (right + 0.5) / (counts + 1)
    logits = np.log(smooth / (1 - smooth))

    def shifted(shift):
        return 1 / (1 + np.exp(shift - logits))

    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if (shifted(middle) * counts).sum() / counts.sum() > mean:
            low = middle
        else:
            high = middle
    return shifted(middle)
    ### END SOLUTION


# %% exercise="fair_null" part="check"
lab.check("fair_null", fair_null)

# %% [markdown]
# Now all of it together: Georgian letters, 33 classes, 15 test images each. `lab.guesses(data,
# kept)` trains a ridge probe on some neurons and returns its guesses for the test images.

# %% slide="slide"
if lab.ready(accuracy_by_class, gini, expected_gini, fair_null):
    y, classes = georgian.y_test, len(georgian.classes)
    counts = np.bincount(y)
    full = accuracy_by_class(lab.guesses(georgian, np.arange(512)), y, classes)
    sizes = [10, 15, 25, 51, 102, 205]
    measured, proportional, fair = [], [], []
    for k in sizes:
        some = [lab.guesses(georgian, order[:k]) for order in lab.orders(10)]
        mean = np.mean([np.mean(guesses == y) for guesses in some])
        measured.append([gini(accuracy_by_class(guesses, y, classes)) for guesses in some])
        null = fair_null(np.rint(full * counts).astype(int), counts, mean)
        fair.append(expected_gini(null, counts))
        proportional.append(expected_gini(full * mean / np.mean(full), counts))
    half = lab.student(9) * np.std(measured, axis=1, ddof=1) / np.sqrt(10)
    measured = np.mean(measured, axis=1)
    figure, ax = plt.subplots(figsize=(8, 3.6))
    ax.fill_between(sizes, measured - half, measured + half, color=tour.ORANGE, alpha=0.2)
    ax.plot(sizes, measured, "o-", color=tour.ORANGE, label="measured, 10 orders, 95%")
    ax.plot(
        sizes, fair, "s--", color=tour.BLUE, label="fair null: one shift of all logits, and chance"
    )
    ax.plot(sizes, proportional, "^:", color="black", label="all lose the same share, and chance")
    ax.axhline(gini(full), color=tour.GREY, label="all 512 neurons")
    ax.set(xlabel="neurons kept", ylabel="Gini index over classes", xscale="log", ylim=(0, None))
    ax.legend()
    figure.tight_layout()
    told = [
        f"with {k:3d} neurons: measured {m:.3f} ({m - h:.3f} to {m + h:.3f} over orders), "
        f"fair null {f:.3f}, same share {p:.3f}"
        for k, m, h, f, p in zip(sizes, measured, half, fair, proportional, strict=True)
    ]
    tour.show(figure, "Gini index of accuracy over classes. " + "; ".join(told) + ".")
    print("\n".join(told))

# %% [markdown]
# **Conclude.** At which sizes does the measured index lie above both nulls? Say in one sentence
# what that shows, and of what: of this layer, of such networks, or of dropping neurons as such?

# %% [markdown] audience="solution"
# **To discuss.** Against "all lose the same share" the measured index looks alarming. The fair null
# explains most of the rise: hard classes lose more *because* they are hard. That is still a fact
# for those who rely on them, but it does not show that dropping neurons picks on anybody. With 10
# neurons something is left beyond the null, and clearly, if only random orders may vary: the
# interval leaves the null out. It is an interval for this network and these images. Of other images
# or networks this cell cannot say anything, as it has one of each. A random part of 10 neurons may
# be blind to some classes, and another part to others; or the same classes may suffer each time.
# Which of the two? Compare the orders, on images that they do not share.
#
# *What would you need to claim unfairness?* More test images per class: with 15, the index is far
# above 0 by chance alone. An interval for the difference. And a null that you chose before you
# looked.

# %% [markdown] slide="slide"
# ## 2. Do two losses differ?
#
# A claim such as "MRL makes layers less redundant" is about *losses*, so its unit is the *network*:
# one pre-training run with its own seed. Twenty random orders of the same network say nothing about
# the next network.
#
# `lab.networks(loss, measure, task)` has DR(0.9) of five networks of each loss.

# %% [markdown] slide="notes"
# What is the unit? Networks, not orders of neurons. Ask how many there are: five.

# %%
for loss in ("standard", "mrl", "dropout", "decov"):
    print(f"{loss:10s} DR(0.9) of CKA on digits: {np.round(lab.networks(loss), 3)}")

# %% [markdown] exercise="smallest_p" level=2 minutes=8 points=1
# ### Exercise 20: Can it be significant at all?
#
# *Goal:* see before an experiment that it cannot succeed.
#
# A permutation test asks: among all ways to call $n$ of the $2n$ networks "standard" and the
# others "MRL", in which share is the difference at least as large (in either direction) as the one
# observed? If all of one group lie above all of the other, the observed labelling is the most
# extreme one. What is $p$ then?
#
# <details><summary>Hint</summary>
#
# How many labellings are there (`math.comb`)? And how many are as extreme as the best one? Think of
# swapping the groups.
#
# </details>


# %% exercise="smallest_p" part="write"
def smallest_p(seeds):
    """The smallest p of a two-sided permutation test of two groups.

    Parameters
    ----------
    seeds : int
        Networks in each group.

    Returns
    -------
    float
    """
    ### BEGIN SOLUTION
    return 2 / math.comb(2 * seeds, seeds)
    ### END SOLUTION


# %% exercise="smallest_p" part="check"
lab.check("smallest_p", smallest_p)

# %%
if lab.ready(smallest_p):
    for seeds in range(1, 7):
        print(f"{seeds} networks in each group: p is at least {smallest_p(seeds):.4f}")

# %% [markdown] exercise="read_verdict" level=3 minutes=20 points=4
# ### Exercise 21: Read a verdict critically
#
# *Goal:* tell "there is no difference" from "we could not have seen one".
#
# Two groups of networks, and a `margin`: differences up to it do not matter. Let the 95% interval
# of the difference of means be `lab.welch(one, other)`. Say, in this order,
#
# 1. `"no power"` if the smallest $p$ of a permutation test (exercise 20) is above 0.05,
# 2. `"alike"` if the whole interval lies within the margin, on both sides of 0,
# 3. `"higher"` or `"lower"` (of the first group) if the interval leaves out 0,
# 4. `"undecided"` otherwise.
#
# And say how many networks in each group a fair test would have needed: so many that `margin` is
# 2.8 standard errors of the difference. (Then a difference as large as the margin is found four
# times out of five: 2.8 = 1.96 + 0.84.) Round up; it takes 4 at least, by exercise 20.
#
# <details><summary>Hint</summary>
#
# The standard error of a difference of two means of $n$ is $s \sqrt{2/n}$, with $s^2$ the mean of
# both groups' variances (`ddof=1`). Both groups here have the same size.
#
# </details>


# %% exercise="read_verdict" part="write"
def read_verdict(one, other, margin):
    """What two groups of networks allow to be said, and how many it would have taken.

    Parameters
    ----------
    one, other : ndarray (seeds,)
        A value per network; both groups have the same size, 2 at least.
    margin : float
        The largest difference that does not matter.

    Returns
    -------
    (str, int)
        A word, "no power", "alike", "higher", "lower" or "undecided"; and the networks needed in
        each group, 4 at least.
    """
    ### BEGIN SOLUTION
    low, high = lab.welch(one, other)
    if 2 / math.comb(2 * len(one), len(one)) > 0.05:
        word = "no power"
    elif -margin <= low and high <= margin:
        word = "alike"
    elif low > 0:
        word = "higher"
    elif high < 0:
        word = "lower"
    else:
        word = "undecided"
    variance = (one.var(ddof=1) + other.var(ddof=1)) / 2
    return word, max(4, math.ceil(2 * variance * (2.8 / margin) ** 2))
    ### END SOLUTION


# %% exercise="read_verdict" part="check"
lab.check("read_verdict", read_verdict)

# %% slide="slide"
MARGIN = 0.01  # differences of DR up to it do not matter

COMPARISONS = {  # with the standard loss: what, by what, on which task, with how many seeds
    "MRL, CKA, digits": ("mrl", "cka", "digits", 5),
    "MRL, CKA, digits, three seeds": ("mrl", "cka", "digits", 3),
    "MRL, standardised CKA, digits": ("mrl", "standardised cka", "digits", 5),
    "dropout, CKA, digits": ("dropout", "cka", "digits", 5),
    "dropout, accuracy, Armenian": ("dropout", "accuracy", "armenian", 5),
    "a tenth of the images, CKA, digits": ("tenth", "cka", "digits", 5),
    "more kinds of letters, CKA, Armenian": ("extended", "cka", "armenian", 5),
    "adversarial, accuracy, digits": ("adversarial", "accuracy", "digits", 5),
}

if lab.ready(read_verdict):
    print(f"{'compared with the standard loss':37s} difference (95% interval)     verdict")
    for title, (loss, measure, task, seeds) in COMPARISONS.items():
        one = lab.networks(loss, measure, task)[:seeds]
        other = lab.networks("standard", measure, task)[:seeds]
        low, high = lab.welch(one, other)
        word, needed = read_verdict(one, other, MARGIN)
        print(
            f"{title:37s} {one.mean() - other.mean():+.4f} ({low:+.4f} to {high:+.4f})  {word:9s}  "
            f"{needed} needed to find {MARGIN}"
        )

# %% [markdown] audience="solution"
# **To discuss.** *The second line has three seeds against three. Its interval is far from 0: why
# "no power"?* Because that interval trusts the normal distribution, of which three values say
# nothing. The test that trusts nothing cannot reach 5% with three.
#
# *Which line shows that something does **not** matter?* Only one that says `alike`. "Undecided" is
# not "no effect". *And the third line?* Once neurons are standardised, MRL layers come out higher,
# not lower: clearly, and by very little. With a margin of 0.02 they would be `alike`. Choose the
# margin before you look.
#
# *One line says `undecided` and "4 needed", with five networks. Is that a contradiction?* No. So
# many find a difference as large as the margin four times out of five. To show that there is none,
# the *whole* interval must lie within the margin, and that takes more networks.
#
# And with eight comparisons in a table, one in three such tables without any effect
# would have a false "higher" or "lower" somewhere ($1 - 0.95^8 = 0.34$ if they were independent).

# %% [markdown] exercise="power" level=2 minutes=15 points=3
# ### Exercise 22: Power, by simulation
#
# *Goal:* know how often an experiment would find what is there.
#
# Draw two groups of networks from normal distributions whose means differ by `effect`, test them,
# and count how often the test finds a difference. Use the t test for equal variances: with $s^2$
# the mean of both groups' variances, the difference is significant if it is more than
# `lab.student(2 * seeds - 2)` standard errors $s \sqrt{2/n}$ from 0. (`lab.welch` is another test,
# for variances that differ, and takes one experiment at a time.)
#
# <details><summary>Hint</summary>
#
# Draw all at once: `rng.normal(0, sd, (draws, seeds))` has an experiment per row. Without an effect
# the power should be 5%. Why?
#
# </details>


# %% exercise="power" part="write"
def power(effect, sd, seeds, draws=2000, seed=0):
    """The share of experiments in which a t test finds an effect.

    Parameters
    ----------
    effect : float
        The true difference of the means.
    sd : float
        The standard deviation between networks of one group.
    seeds : int
        Networks in each group, 2 at least.
    draws, seed : int
        Of the simulation.

    Returns
    -------
    float
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    one = rng.normal(effect, sd, (draws, seeds))
    other = rng.normal(0, sd, (draws, seeds))
    variance = (one.var(axis=1, ddof=1) + other.var(axis=1, ddof=1)) / 2
    errors = np.abs(one.mean(axis=1) - other.mean(axis=1)) / np.sqrt(2 * variance / seeds)
    return float(np.mean(errors > lab.student(2 * seeds - 2)))
    ### END SOLUTION


# %% exercise="power" part="check"
lab.check("power", power)

# %% slide="slide"
if lab.ready(power):
    sd = lab.networks("standard").std(ddof=1)
    effects = np.linspace(0, 0.02, 11)
    figure, ax = plt.subplots(figsize=(8, 3.6))
    told = []
    for seeds, style in ((3, ":"), (5, "--"), (10, "-")):
        found = [power(effect, sd, seeds) for effect in effects]
        ax.plot(effects, found, style, color=tour.BLUE, label=f"{seeds} networks in each group")
        told.append(f"{found[5]:.0%} with {seeds} networks")
    ax.axhline(0.8, color=tour.GREY)
    ax.set(xlabel="true difference of DR", ylabel="power", ylim=(0, 1.02))
    ax.legend()
    figure.tight_layout()
    tour.show(figure, f"Power against the true difference. At 0.01 it is {', '.join(told)}.")
    print(
        f"SD between networks of the standard loss: {sd:.4f}. A difference of 0.01, the only one "
        f"that is tested, is found in this share of experiments: {', '.join(told)}."
    )

# %% [markdown]
# **Look** at three networks in each group. This test often finds a large difference with three,
# and a permutation test never does (exercise 20). Both are right. The t test *trusts* that networks
# are normally distributed, all with the same SD, and three values cannot show whether that is so.
# The permutation test trusts nothing of the kind, and pays for it with a fourth network.

# %% [markdown] exercise="plan" level=3 minutes=15 points=3
# ### Exercise 23: Plan an ablation
#
# *Goal:* decide how many networks to train before training any.
#
# An ablation compares several losses with the standard one: that is several `comparisons`. Test
# each at $0.05$ divided by their number (*Bonferroni*), and ask for a power of 80%. How many
# networks does it take in each group? And 4 at least, since fewer can prove nothing (exercise 20).
#
# The check allows one network more or less. So you may search with a simulation like that of
# exercise 22, whose bar is then `lab.student(2 * seeds - 2, 1 - 0.05 / comparisons)`, or use normal
# distributions and mend what they miss.
#
# <details><summary>Hint</summary>
#
# `statistics.NormalDist().inv_cdf(p)` is the quantile $z_p$. For normal distributions
# $n = 2 \, (z_{1 - \alpha/2} + z_{0.8})^2 \, (s / \text{effect})^2$. A t test needs about
# $z_{1 - \alpha/2}^2 / 4$ more.
#
# </details>


# %% exercise="plan" part="write"
def plan(effect, sd, comparisons=1):
    """Networks needed in each group to find an effect with a power of 80%.

    Parameters
    ----------
    effect : float
        The smallest difference that must not be missed.
    sd : float
        The standard deviation between networks of one group.
    comparisons : int
        Each is tested at 0.05 / comparisons.

    Returns
    -------
    int
        4 at least.
    """
    ### BEGIN SOLUTION
    normal = statistics.NormalDist()
    bar = normal.inv_cdf(1 - 0.05 / comparisons / 2)
    needed = 2 * (bar + normal.inv_cdf(0.8)) ** 2 * (sd / effect) ** 2 + bar**2 / 4
    return max(4, math.ceil(needed))
    ### END SOLUTION


# %% exercise="plan" part="check"
lab.check("plan", plan)

# %%
if lab.ready(plan):
    losses = ["mrl", "dropout", "decov", "adversarial"]
    groups = [lab.networks(loss) for loss in ["standard", *losses]]
    sd = float(np.sqrt(np.mean([group.var(ddof=1) for group in groups])))
    print(f"SD between networks of one loss, five losses pooled: {sd:.4f}")
    for effect in (0.05, 0.02, 0.01):
        seeds = plan(effect, sd, len(losses))
        total = seeds * len(groups)
        print(
            f"To find a difference of {effect:.2f} in {len(losses)} comparisons: {seeds} networks "
            f"each, {total} in all, {total * 4 / 60:.0f} hours at 4 minutes a network"
        )

# %% [markdown] audience="instructor"
# **Expected.** The cells above print all numbers. The SD is itself known from five networks a loss
# only, and it is not the same for all losses: a plan is an order of magnitude. A good question:
# *would you rather train more networks, or draw more random orders of each?* (More orders make
# each network's DR more exact, and do nothing about the differences between networks.)

# %% [markdown] slide="slide"
# ## What you have seen
#
# - An index of inequality means something only beside a null that has chance and ceilings in it.
# - The unit of a claim about losses is the network. Three against three cannot decide by a test
#   that trusts no distribution.
# - "Undecided" and "no power" are not "no difference". "Alike" needs an interval within a margin.
# - Plan how many networks you need *before* you train them.
