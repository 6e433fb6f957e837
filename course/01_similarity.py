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
# # How similar is a part of a layer to the whole?
#
# A network turns an image into 512 numbers, one per neuron of its last layer but one. Keep some of
# the neurons, chosen at random, and drop the rest. How *similar* is what remains to the whole
# layer?
#
# You will write the measure that the paper uses (CKA), first for one part, then for parts of every
# size at once. Then you will find out which single number of a layer decides the answer.

# %% [markdown] slide="notes"
# Similar in which sense? Let two or three students propose a measure before you show one.

# %% [markdown]
# **How it works.** Write the function of an exercise in the place of `raise NotImplementedError`,
# run its cell, then run the check below it. A check says what is wrong, not how to write it. You
# can check as often as you like; a blank is passed over, and a wrong answer stops *Run All* there.
# Figures are drawn from *your* functions, once they are right.

# %% [markdown] audience="instructor"
# **For the instructor.** Exercises 1 to 3 are first steps, 4 to 9 are done alone, 10 is open. The
# teaching notes (docs/teaching.md) have a lab of 90 minutes that takes some of them. Each exercise
# can be done without the ones before it; only figures need several.

# %%
import matplotlib.pyplot as plt
import numpy as np
import redundancy_lab as lab
from redundancy_lab import tour

digits = lab.load("digits")
print(f"{digits.title}, seen by {digits.network}: features of shape {digits.X_train.shape}")

# %% [markdown] slide="slide"
# ## 1. From features to one number
#
# The features of $n$ images are a matrix $X$ with $n$ rows and $d$ columns. Row $i$ is image $i$,
# column $j$ is neuron $j$. Two layers are alike if they find the *same images* alike. So it must
# not matter in what order neurons stand, what is added to a neuron for all images, or in what unit
# the layer is measured.

# %% [markdown] slide="notes"
# Ask what must not matter: the order of neurons, a constant, a unit. Each answer rules out some
# measures.

# %% [markdown] exercise="centre" level=1 minutes=3 points=1
# ### Exercise 1: Centre the neurons
#
# *Goal:* know which way round a matrix of features stands.
#
# A constant that is added to a neuron says nothing about images. Take it away: subtract from each
# neuron its mean over the images.
#
# <details><summary>Hint</summary>
#
# `X.mean(axis=0)` has one number per column. NumPy subtracts it from every row by itself.
#
# </details>


# %% exercise="centre" part="write"
def centre(X):
    """Each neuron less its mean over the images.

    Parameters
    ----------
    X : ndarray (n, d)
        Features: a row per image, a column per neuron.

    Returns
    -------
    ndarray (n, d)
        A new array; X stays as it is.
    """
    ### BEGIN SOLUTION
    return X - X.mean(axis=0)
    ### END SOLUTION


# %% exercise="centre" part="check"
lab.check("centre", centre)

# %% [markdown] exercise="random_part" level=1 minutes=5 points=1
# ### Exercise 2: A random part
#
# *Goal:* draw parts that are nested, and that can be drawn again.
#
# Draw one random order of all $d$ neurons from the seed. A part of $k$ neurons is its *first* $k$.
# So the part of 10 neurons lies within the part of 11: this is what makes whole curves cheap
# later.
#
# <details><summary>Hint</summary>
#
# `np.random.default_rng(seed)` makes a generator that nobody else uses. It has a method
# `permutation`.
#
# </details>


# %% exercise="random_part" part="write"
def random_part(d, k, seed):
    """The first k neurons of a random order.

    Parameters
    ----------
    d : int
        Neurons of the layer.
    k : int
        How many are kept.
    seed : int
        The same seed gives the same order, for every k.

    Returns
    -------
    ndarray of int (k,)
        Numbers of neurons, from 0 to d - 1.
    """
    ### BEGIN SOLUTION
    return np.random.default_rng(seed).permutation(d)[:k]
    ### END SOLUTION


# %% exercise="random_part" part="check"
lab.check("random_part", random_part)

# %% [markdown] slide="slide"
# ### Linear CKA
#
# With both layers centred, $G = X^\top X$ is the *Gram matrix* of the neurons ($d$ by $d$), and
#
# $$\mathrm{CKA}(X, Y) =
# \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F \; \lVert Y^\top Y \rVert_F}$$
#
# where $\lVert A \rVert_F^2$ is the sum of all squared entries. It is 1 if both layers find images
# alike in the same way, and near 0 if they have nothing in common.

# %% [markdown] slide="notes"
# It is a cosine between two similarity matrices. Exercise 3 follows, alone.

# %% [markdown] exercise="cka" level=1 minutes=12 points=2
# ### Exercise 3: CKA from the Gram matrix
#
# *Goal:* compute linear CKA, and know what it does not depend on.
#
# In the tour, CKA compared two matrices of *images by images*. With Gram matrices of *neurons* the
# result is the same, and it costs less when there are more images than neurons.
#
# <details><summary>Hint</summary>
#
# Centre both layers first. `np.linalg.norm(A)` of a matrix is its Frobenius norm, not squared.
#
# </details>


# %% exercise="cka" part="write"
def cka(X, Y):
    """Linear CKA of two layers.

    Parameters
    ----------
    X : ndarray (n, d)
    Y : ndarray (n, e)
        Features of the same images. They need not be centred.

    Returns
    -------
    float
        From 0 to 1.
    """
    ### BEGIN SOLUTION
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    shared = np.linalg.norm(Y.T @ X) ** 2
    return shared / (np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y))
    ### END SOLUTION


# %% exercise="cka" part="check"
lab.check("cka", cka)

# %% [markdown] audience="instructor"
# **Common mistakes.** Centring rows instead of columns. Leaving out the square above the line, or
# squaring the norms below it: both are 1 for a layer and itself, so that test alone does not find
# them. Forgetting that $Y$ must be centred, too.

# %% slide="fragment"
if lab.ready(cka):
    for k in (5, 51, 256):
        part = digits.X_train[:, lab.orders()[0][:k]]
        print(f"{k:4d} random neurons and all 512: CKA {cka(part, digits.X_train):.3f}")
    noise = np.random.default_rng(0).standard_normal((600, 51))
    print(f"  51 columns of noise and all 512: CKA {cka(noise, digits.X_train):.3f}")

# %% [markdown] slide="slide"
# ## 2. Every size at once
#
# A curve over all $k$ from 1 to 512, drawn for 20 random orders, asks for 10,240 values of CKA.
# One by one that takes long. It need not.
#
# Let $S$ hold the first $k$ neurons of an order. The squared norms are all sums of entries of one
# matrix, $G$ squared entry by entry:
#
# $$\mathrm{CKA}(S) =
# \frac{\lVert G_{S,:} \rVert_F^2}{\lVert G_{S,S} \rVert_F \; \lVert G \rVert_F}$$
#
# When $k$ grows by one, a few entries are added to each sum. Nothing is computed twice.

# %% [markdown] slide="notes"
# Ask for the cost of the loop first. Then draw the square that grows by a row and a column.

# %% [markdown] exercise="cka_curve" level=2 minutes=20 points=3
# ### Exercise 4: CKA at every k, by running sums
#
# *Goal:* replace 512 computations by one.
#
# Put rows and columns of $G$ into the given order. Then find two running sums over $k$: of the rows
# of $G$ (above the line), and of its leading squares (below). The check compares with the slow way,
# and tells you if yours is slow, too.
#
# <details><summary>Hint</summary>
#
# Let `P` be the ordered matrix, squared entry by entry. From $k-1$ to $k$ the leading square grows
# by one row, one column and the corner where they meet. `np.tril(P, -1)` keeps what is below the
# diagonal; `np.cumsum` does the rest.
#
# </details>


# %% exercise="cka_curve" part="write"
def cka_curve(X, order):
    """CKA of the first k neurons of an order with the whole layer, for every k.

    Parameters
    ----------
    X : ndarray (n, d)
        Features; they need not be centred.
    order : ndarray of int (d,)
        Each neuron once.

    Returns
    -------
    ndarray (d,)
        For k = 1, 2, ..., d.
    """
    ### BEGIN SOLUTION
    centred = (X - X.mean(axis=0))[:, order]
    P = (centred.T @ centred) ** 2
    rows = np.cumsum(P.sum(axis=1))
    squares = np.cumsum(2 * np.tril(P, -1).sum(axis=1) + P.diagonal())
    return rows / np.sqrt(squares * P.sum())
    ### END SOLUTION


# %% exercise="cka_curve" part="check"
lab.check("cka_curve", cka_curve)

# %% [markdown] audience="instructor"
# **Common mistakes.** Counting the new row only once (the column is as long): right at $k = 1$ and
# wrong from $k = 2$. Ordering the rows of $G$ and not its columns. A loop over $k$ around `cka` is
# right, and the check adds a note that it is slow. It is a good moment to count operations
# ($d^2$ against $d^3$, and more if $X$ is multiplied anew each time).

# %% slide="slide"
if lab.ready(cka_curve):
    k = np.arange(1, 513)
    curves = np.array([cka_curve(digits.X_train, order) for order in lab.orders(20)])
    figure, ax = plt.subplots(figsize=(8, 3.6))
    ax.plot(k, curves.T, color=tour.BLUE, linewidth=0.6, alpha=0.5)
    ax.plot(k, curves.mean(0), color="black", label="mean of 20 random orders")
    ax.axhline(0.9, color=tour.ORANGE, linestyle="--", label="0.9")
    ax.set(xlabel="neurons kept", ylabel="CKA with all 512", ylim=(0, 1.02))
    ax.legend(loc="lower right")
    figure.tight_layout()
    tour.show(
        figure,
        f"CKA against the number of neurons kept, for 20 random orders. Their mean is "
        f"{curves.mean(0)[50]:.2f} at 51 neurons, and all end at 1.",
    )

# %% [markdown] audience="solution"
# **To discuss.** Single orders differ most where few neurons are kept. Why does no curve start
# near 0? Because one neuron is a layer, too, and it was not drawn from noise: on these images all
# neurons react to much the same things.

# %% [markdown] slide="slide"
# ## 3. One number for a curve: diffused redundancy
#
# $k^*$ is the smallest $k$ at which the *mean* curve reaches a share $\delta$ of the full layer's
# value. What can be dropped is
#
# $$\mathrm{DR}(\delta) = 1 - k^* / d.$$
#
# The full layer's CKA with itself is 1. For accuracy, later, it is whatever the probe reaches.

# %% [markdown] slide="notes"
# Say it in words: the share that can be dropped at random. What would an interval of it be over?

# %% [markdown] exercise="redundancy" level=2 minutes=10 points=2
# ### Exercise 5: k* and DR
#
# *Goal:* turn curves into the paper's number, and count from the right end.
#
# <details><summary>Hint</summary>
#
# `np.argmax` of an array of true and false is the place of the first true. Which $k$ stands at
# place 0? Compare with `>=`, and let the bar be lower by `1e-12`: a mean may miss it by rounding
# alone.
#
# </details>


# %% exercise="redundancy" part="write"
def redundancy(curves, full, delta=0.9):
    """Diffused redundancy, DR(delta).

    Parameters
    ----------
    curves : ndarray (subsets, d)
        Values for k = 1, 2, ..., d, a row per random order. Their mean reaches the bar at k = d, if
        not before.
    full : float
        The value of the full layer.
    delta : float
        The share of it that must be kept.

    Returns
    -------
    float
        1 - k*/d, for the smallest k* at which the mean of the rows is at least delta times full.
    """
    ### BEGIN SOLUTION
    enough = curves.mean(axis=0) >= delta * full - 1e-12
    return float(1 - (np.argmax(enough) + 1) / curves.shape[1])
    ### END SOLUTION


# %% exercise="redundancy" part="check"
lab.check("redundancy", redundancy)

# %% [markdown] exercise="redundancy_interval" level=2 minutes=15 points=3
# ### Exercise 6: How sure is that?
#
# *Goal:* give a number that rests on random subsets its interval.
#
# Other random orders would have given another DR. The *bootstrap* asks how much another: draw as
# many rows of `curves` as there are, *with* replacement, compute DR of their mean, and repeat. The
# middle 95% of these values is the interval.
#
# <details><summary>Hint</summary>
#
# `rng.integers(n, size=n)` draws rows with replacement. `np.quantile(values, [0.025, 0.975])` gives
# both ends. Write DR out again here, or call your `redundancy`.
#
# </details>


# %% exercise="redundancy_interval" part="write"
def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):
    """The ends of a 95% bootstrap interval of DR(delta) over subsets.

    Parameters
    ----------
    curves, full, delta
        As for ``redundancy``.
    resamples : int
    seed : int
        Of the resampling.

    Returns
    -------
    (float, float)
        Lower and upper end.
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    count, d = curves.shape
    found = []
    for _ in range(resamples):
        mean = curves[rng.integers(count, size=count)].mean(axis=0)
        found.append(1 - (np.argmax(mean >= delta * full - 1e-12) + 1) / d)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
    ### END SOLUTION


# %% exercise="redundancy_interval" part="check"
lab.check("redundancy_interval", redundancy_interval)

# %% slide="fragment"
if lab.ready(cka_curve, redundancy, redundancy_interval):
    for count in (5, 20):
        curves = np.array([cka_curve(digits.X_train, order) for order in lab.orders(count)])
        low, high = redundancy_interval(curves, 1.0)
        print(
            f"{count:2d} orders: DR(0.9) of CKA is {redundancy(curves, 1.0):.3f} "
            f"({low:.3f} to {high:.3f})"
        )

# %% [markdown] audience="solution"
# **To discuss.** *What does this interval not hold?* Other images, and other networks of the same
# kind: it is over random subsets only. And with five rows a bootstrap interval is too narrow, as it
# knows five curves and no others. The library widens it, by 1.58 for five rows (Student's t instead
# of the normal distribution, and $n - 1$ instead of $n$).

# %% [markdown] slide="slide"
# ## 4. What decides it?
#
# Two things, as it turns out: how many *dimensions* the layer fills, and how much its neurons
# differ in *scale*. With $G$ the Gram matrix of the centred neurons,
#
# $$r = \frac{\sum_i G_{ii}^2}{\lVert G \rVert_F^2} \qquad
# \mathrm{PR} = \frac{(\operatorname{tr} G)^2}{\lVert G \rVert_F^2}$$
#
# $r$ is the share of the squared entries that stands on the diagonal. $\mathrm{PR}$, the
# *participation ratio*, counts dimensions: 1 if all neurons are copies of one, $d$ if they are
# uncorrelated and alike in variance. With $\mathrm{CV}$ the coefficient of variation of the
# neurons' variances (their standard deviation over their mean), exactly:
#
# $$r = \frac{\mathrm{PR}}{d} \, (1 + \mathrm{CV}^2)$$

# %% [markdown] slide="notes"
# The equation has two factors. Which of them would you expect to differ between networks?

# %% [markdown] exercise="spectrum" level=2 minutes=20 points=2
# ### Exercise 7: Dimensions and scale
#
# *Goal:* read three numbers off a Gram matrix, and see that they are one equation.
#
# Before you write: prove the equation. (Two lines: what are the sum and the sum of squares of the
# diagonal, in terms of its mean and its CV?)
#
# <details><summary>Hint</summary>
#
# The diagonal of `G` holds the variances, times $n$. A ratio does not mind the factor. `np.var` and
# `np.std` divide by the number of values, which is what the equation wants.
#
# </details>


# %% exercise="spectrum" part="write"
def spectrum(X):
    """What CKA of random parts depends on.

    Parameters
    ----------
    X : ndarray (n, d)
        Features; they need not be centred.

    Returns
    -------
    (float, float, float)
        r; the participation ratio PR; and CV^2, the squared coefficient of variation of the
        neurons' variances (over all d, divided by d).
    """
    ### BEGIN SOLUTION
    centred = X - X.mean(axis=0)
    G = centred.T @ centred
    variances = G.diagonal()
    norm = (G**2).sum()
    r = (variances**2).sum() / norm
    pr = variances.sum() ** 2 / norm
    return float(r), float(pr), float(variances.var() / variances.mean() ** 2)
    ### END SOLUTION


# %% exercise="spectrum" part="check"
lab.check("spectrum", spectrum)

# %% [markdown] exercise="closed_form" level=2 minutes=8 points=2
# ### Exercise 8: The curve from one number
#
# *Goal:* predict a whole curve, and see where the prediction fails.
#
# Of two neurons of a random part, both are drawn with probability $k(k-1) / (d(d-1))$. Put the
# *means* of both squared norms in the place of the norms, and
#
# $$\mathrm{CKA}(k) \approx \frac{\sqrt{k/d}}{\sqrt{r + (1 - r)\,\dfrac{k-1}{d-1}}}$$
#
# <details><summary>Hint</summary>
#
# `k = np.arange(1, d + 1)`, and the rest is the formula.
#
# </details>


# %% exercise="closed_form" part="write"
def closed_form(r, d):
    """The CKA curve of random neurons that one number predicts.

    Parameters
    ----------
    r : float
        The share of the squared Gram matrix on its diagonal.
    d : int
        Neurons of the layer, at least 2.

    Returns
    -------
    ndarray (d,)
        For k = 1, 2, ..., d.
    """
    ### BEGIN SOLUTION
    k = np.arange(1, d + 1)
    return np.sqrt(k / d) / np.sqrt(r + (1 - r) * (k - 1) / (d - 1))
    ### END SOLUTION


# %% exercise="closed_form" part="check"
lab.check("closed_form", closed_form)

# %% slide="slide"
if lab.ready(cka_curve, spectrum, closed_form):
    figure, ax = plt.subplots(figsize=(8, 3.6))
    told = []
    for name, colour in (("digits", tour.BLUE), ("digits_mrl", tour.ORANGE)):
        X = lab.load(name).X_train
        r, pr, cv2 = spectrum(X)
        measured = np.mean([cka_curve(X, order) for order in lab.orders(20)], axis=0)
        predicted = closed_form(r, 512)
        ax.plot(np.arange(1, 513), measured, color=colour, label=f"{name}: mean of 20 orders")
        ax.plot(np.arange(1, 513), predicted, "--", color=colour, label=f"{name}: closed form")
        told.append(f"on {name} it errs by up to {abs(predicted - measured).max():.2f}")
        print(f"{name}: r = {r:.3f} = {pr:.1f} / 512 * (1 + {cv2:.2f}); {told[-1]}")
    ax.set(xlabel="neurons kept", ylabel="CKA with all 512", ylim=(0, 1.02), xscale="log")
    ax.legend(loc="lower right")
    figure.tight_layout()
    tour.show(
        figure,
        "CKA against the number of neurons kept, on a logarithmic axis, and what the closed form "
        f"predicts: {' and '.join(told)}.",
    )

# %% [markdown] audience="solution"
# **To discuss.** *Where does the closed form fail, and why?* Where few neurons are kept and these
# differ much in scale. It replaces a mean of ratios by a ratio of means, and these differ when the
# norms of parts vary much.

# %% [markdown] slide="slide"
# ## 5. Matryoshka layers: a difference explained
#
# MRL (*Matryoshka representation learning*) trains the *first* 8, 16, 32, ... neurons to be enough
# by themselves. The paper finds such a layer much less redundant at random. Is it, or does it only
# look so?

# %% [markdown] slide="notes"
# A prediction first: will the difference survive when all neurons have one scale?

# %% [markdown] exercise="standardise" level=2 minutes=8 points=2
# ### Exercise 9: Put all neurons on one scale
#
# *Goal:* take scale out of a comparison, without a division by zero.
#
# <details><summary>Hint</summary>
#
# A neuron that never changes has a standard deviation of 0, or, by rounding, of about $10^{-16}$
# (`X.mean(axis=0)` of a column of 600 times 0.1 need not be exactly 0.1). Divide by 1 instead
# (`np.where`), wherever it is below $10^{-12}$.
#
# </details>


# %% exercise="standardise" part="write"
def standardise(X):
    """Neurons of mean 0 and standard deviation 1 over the images.

    Parameters
    ----------
    X : ndarray (n, d)

    Returns
    -------
    ndarray (n, d)
        A neuron that is the same on all images becomes 0.
    """
    ### BEGIN SOLUTION
    centred = X - X.mean(axis=0)
    deviation = centred.std(axis=0)
    return centred / np.where(deviation > 1e-12, deviation, 1)
    ### END SOLUTION


# %% exercise="standardise" part="check"
lab.check("standardise", standardise)

# %% slide="slide"
if lab.ready(cka_curve, redundancy, standardise):
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
    told = []
    for ax, change, title in (
        (axes[0], lambda X: X, "neurons as they are"),
        (axes[1], standardise, "standardised neurons"),
    ):
        for name, colour, style in (
            ("digits", tour.BLUE, "-"),
            ("digits_mrl", tour.ORANGE, "--"),
        ):
            X = change(lab.load(name).X_train)
            curves = np.array([cka_curve(X, order) for order in lab.orders(20)])
            ax.plot(np.arange(1, 513), curves.mean(0), style, color=colour, label=name)
            told.append(f"{title}, {name}: DR(0.9) of CKA {redundancy(curves, 1.0):.3f}")
        ax.axhline(0.9, color="black", linestyle=":")
        ax.set(xlabel="neurons kept", title=title, ylim=(0, 1.02))
    axes[0].set_ylabel("CKA with all 512")
    axes[1].legend(loc="lower right")
    figure.tight_layout()
    tour.show(figure, "CKA against the number of neurons kept. " + "; ".join(told) + ".")
    print("\n".join(told))

# %% [markdown] exercise="explain" level=3 minutes=15 points=3
# ### Exercise 10: Explain MRL
#
# *Goal:* split a difference into its causes.
#
# $r$ of the MRL layer is several times that of the standard one, and $r$ decides the curve. By the
# equation of exercise 7, "several times" is a product of two factors. Which of them is it: fewer
# dimensions, or neurons that differ more in scale?
#
# <details><summary>Hint</summary>
#
# Divide $\mathrm{PR}/d$ of one layer by that of the other, and $1 + \mathrm{CV}^2$ likewise. The
# layers may differ in width.
#
# </details>


# %% exercise="explain" part="write"
def explain(X, Y):
    """How many times as large r of Y is as r of X, by cause.

    Parameters
    ----------
    X : ndarray (n, d)
    Y : ndarray (m, e)
        Features of two layers.

    Returns
    -------
    (float, float)
        The factor of dimensions, PR / d of Y over that of X, and the factor of scale, 1 + CV^2 of Y
        over that of X. Their product is r of Y over r of X.
    """
    ### BEGIN SOLUTION
    parts = []
    for layer in (X, Y):
        centred = layer - layer.mean(axis=0)
        G = centred.T @ centred
        variances = G.diagonal()
        dimensions = variances.sum() ** 2 / (G**2).sum() / len(G)
        parts.append((dimensions, 1 + variances.var() / variances.mean() ** 2))
    (dimensions_X, scale_X), (dimensions_Y, scale_Y) = parts
    return float(dimensions_Y / dimensions_X), float(scale_Y / scale_X)
    ### END SOLUTION


# %% exercise="explain" part="check"
lab.check("explain", explain)

# %%
if lab.ready(explain):
    mrl = lab.load("digits_mrl")
    dimensions, scale = explain(digits.X_train, mrl.X_train)
    print(f"r of the MRL layer is {dimensions * scale:.2f} times that of the standard layer:")
    print(f"  dimensions {dimensions:.2f} times, scale {scale:.2f} times")
    gap = lab.networks("mrl") - lab.networks("standard")
    scaled = lab.networks("mrl", "standardised cka") - lab.networks("standard", "standardised cka")
    print("DR(0.9) of CKA, MRL less standard, for five pairs of networks:")
    print(f"  neurons as they are: {np.round(gap, 3)}")
    print(f"  standardised:        {np.round(scaled, 3)}")

# %% [markdown] audience="solution"
# **To discuss.** The MRL layer has somewhat fewer dimensions, which by itself would make its
# random parts *more* similar. But its neurons differ much in scale: variance falls along them. CKA
# weighs neurons by their variance, so a random part that misses the few large ones is not similar.
# Once all neurons have one scale, there is no such gap, in any of the five pairs of networks.
#
# *Does that make the paper's finding wrong?* No: it is a finding about CKA of neurons as they are,
# and it stands. What changes is its explanation. And accuracy of a probe sees little of it.

# %% [markdown] audience="instructor"
# **Expected.** The cells above print all numbers. What students should say in the end: *similarity
# of random parts is a matter of dimensions and scale; MRL changes scale.* A frequent wrong
# conclusion: "standardising makes MRL better". Nothing was trained; only the ruler changed.

# %% [markdown] slide="slide"
# ## What you have seen
#
# - CKA compares what two layers find alike. It can be had at every $k$ for the price of one
#   matrix.
# - DR is one number from a curve, and it needs an interval. That interval is over random subsets,
#   not over networks.
# - One number, $r = (\mathrm{PR}/d)(1 + \mathrm{CV}^2)$, nearly predicts the curve, but for small
#   parts of neurons that differ much in scale.
# - The Matryoshka layer looks less redundant because its neurons differ in scale.
#
# Similar is not the same as useful. `02_probes` asks what a part is good for.
