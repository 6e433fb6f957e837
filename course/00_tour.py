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
# # A tour in ten minutes: throw neurons away
#
# A network has learned to read letters. Shown a picture, its last layer but one answers with 512
# numbers. What happens if four fifths of these numbers are thrown away, **at random**?
#
# This is the question of *Diffused Redundancy in Pre-trained Representations* (Nanda and others,
# NeurIPS 2023), which these notebooks call *the paper*. Its words are explained in `glossary.html`.
#
# You need linear algebra: matrices, inner products, least squares. You need not know anything about
# networks. Run the cells from top to bottom, each with Shift+Enter. Lines that end in `# change me`
# are yours: change them, and run the cell again. *Predict* questions have no grade. Write down your
# guess first; that is the whole point of them.

# %% [markdown] slide="notes"
# Ask before you show anything: of 512 numbers that describe a picture, how many must stay, drawn at
# random, for nearly the same accuracy? Collect guesses on the board, and leave them there.

# %% [markdown] audience="instructor"
# Ten minutes to read and run, half an hour with all *predict* questions. No cell takes longer than
# a few seconds. Collect guesses for "how many of 512 are enough?" on the board before anybody runs
# part 5. Two things are often asked: *Are the neurons chosen by what they do?*
# No, and the same random ones serve all classes. *Is the network trained again?* No, only the
# probe, a matrix with one row per neuron that is left.

# %%
import matplotlib.pyplot as plt
import numpy as np
import redundancy_lab as lab
from redundancy_lab import tour

DATA = "digits"  # change me, later: "digits_mrl", "georgian" or "font_style"

data = lab.load(DATA)
images = lab.load(DATA.removesuffix("_mrl")).images  # the first of the test images
print(f"{data.title}, as the network {data.network} sees them")
print(f"{len(data.X_train)} train images, {len(data.X_test)} test images, {data.d} neurons")

# %% [markdown] slide="slide"
# ## 1. The images
#
# These are 32 by 32 pixels: handwritten digits, and printed letters of a script that the network
# never saw. It was trained on other letters (Latin, Greek, Cyrillic), the *upstream* task. Digits
# are a *downstream* task: the network is not trained on them at all.

# %% [markdown] slide="notes"
# The point is transfer: the network never saw digits. Ask what it might have learned from letters
# that helps with digits.

# %% slide="fragment"
TASK = "digits"  # change me: "digits", "georgian" or "font_style"
FIRST = 0  # change me: the number of the first image, 0 to 20

shown = lab.load(TASK)
names = [shown.classes[label] for label in shown.y_test[FIRST : FIRST + 20]]
titles = [f"#{number}: {name}" for number, name in enumerate(names, FIRST)]
tour.show(
    tour.pictures(shown.images[FIRST : FIRST + 20], titles),
    f"Images of the task {shown.title}, each with its class: {', '.join(names)}.",
)

# %% [markdown]
# **Predict**, then change `TASK` to `"font_style"`: there, letters are to be told apart by their
# *font*. The network was trained to ignore fonts. Will its 512 numbers still know them? (At the end
# you can try: set `DATA` above.)

# %% [markdown] slide="slide"
# ## 2. The network, and what we do with it
#
# From left to right: an image; the network, which stays as it is; the 512 numbers that come out of
# its last layer but one (the *penultimate* layer), drawn as coloured squares; some of them, chosen
# at random; and a *linear probe*, a matrix that turns the numbers that are left into an answer. One
# number is called a *neuron*, and all of an image's numbers its *features*.

# %% [markdown] slide="notes"
# Go through the drawing from left to right. Only the probe is trained, and it is small.

# %% slide="fragment"
IMAGE = 4  # change me: 0 to 39
KEPT = 102  # change me: how many of the 512 are kept

kept = lab.orders()[0][:KEPT]  # the first of a random order of all 512
tour.show(
    tour.network(images[IMAGE], data.X_test[IMAGE], kept, "?"),
    f"An image goes into the network; 512 numbers come out; {KEPT} of them, chosen at random, go "
    "into a probe, which gives an answer.",
)

# %% [markdown] slide="slide"
# ## 3. The 512 numbers of one picture
#
# One bar per neuron. A few are large.

# %% slide="fragment"
IMAGE = 4  # change me: 0 to 39
OTHER = 8  # change me: a second image

figure, axes = plt.subplots(
    2, 2, figsize=(12, 3.6), width_ratios=(1, 9), sharex="col", sharey="col"
)
for (left, right), number in zip(axes, (IMAGE, OTHER), strict=True):
    left.imshow(images[number], cmap="gray")
    left.axis("off")
    right.bar(np.arange(512), data.X_test[number], width=1, color=tour.BLUE)
    right.set_ylabel("value")
axes[1, 1].set_xlabel("neuron")
figure.tight_layout()
first, second = (data.classes[data.y_test[number]] for number in (IMAGE, OTHER))
tour.show(
    figure,
    f"Bars of the 512 features of test image {IMAGE}, of class {first}, and of test image {OTHER}, "
    f"of class {second}.",
)
one = data.X_test[IMAGE]
print(
    f"{np.mean(one < one.max() / 4):.0%} of the upper bars are lower than a quarter of the highest."
)

# %% [markdown]
# **Predict**: do two pictures of the *same* digit have the same large neurons? Find two (part 1
# shows their numbers), and look.
#
# <details><summary>What was found</summary>
#
# Partly. Of the 20 largest neurons of a test image, another image of the same digit shares 11 in
# the mean, and one of another digit 5.
#
# </details>

# %% [markdown] slide="slide"
# ## 4. A probe by hand
#
# Row $i$ of the matrix $X$ holds the features of train image $i$. Its label becomes a row of $Y$: a
# 1 in the column of its class, and 0 elsewhere. We want a matrix $W$ with $X W \approx Y$. That is
# least squares, with a *penalty* $\lambda$ that keeps $W$ small, since 512 neurons could fit 600
# images too well:
#
# $$W = (X^\top X + \lambda I)^{-1} X^\top Y$$
#
# This is *ridge regression*. It takes three lines. (Columns are centred first. Then no constant
# term is needed.) The penalty was chosen on train images alone, by cross-validation.

# %% [markdown] slide="notes"
# Least squares with a penalty, nothing more. Those who know ridge regression can wait for part 5.


# %% slide="slide"
def probe(kept):
    """The scores of all test images, (images, classes), from the neurons that are kept."""
    X, X_test = data.X_train[:, kept], data.X_test[:, kept]
    Y = np.eye(len(data.classes))[data.y_train]

    Xc, Yc = X - X.mean(0), Y - Y.mean(0)
    W = np.linalg.solve(Xc.T @ Xc + PENALTY * np.eye(len(kept)), Xc.T @ Yc)
    return (X_test - X.mean(0)) @ W + Y.mean(0)


# %%
PENALTY = 3.0  # change me: try 0.001 and 10000, then run the cells below again


def accuracy(kept):
    """The share of test images whose largest score is that of the right class."""
    return np.mean(probe(kept).argmax(1) == data.y_test)


everything = np.arange(512)
full = accuracy(everything)
print(f"{full:.1%} of {len(data.y_test)} test images are right, with all 512 neurons.")

# %% [markdown] slide="slide"
# What does the probe say of one picture? Its answer is the class of the largest score.

# %% slide="fragment"
IMAGE = 4  # change me: 0 to 39

scores = probe(everything)
answers = scores.argmax(1)
long = max(map(len, data.classes)) > 3  # names of classes
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8 if long else 2.4), width_ratios=(1, 3))
left.imshow(images[IMAGE], cmap="gray")
left.axis("off")
right.bar(data.classes, scores[IMAGE], color=tour.BLUE)
right.tick_params("x", rotation=90 if long else 0)
right.axhline(0, color="black", linewidth=0.8)
right.set(xlabel="class", ylabel="score")
figure.tight_layout()
tour.show(
    figure,
    f"The scores of all classes for image {IMAGE}. The largest: {data.classes[answers[IMAGE]]}.",
)

# %% [markdown]
# And which pictures does it get wrong?

# %%
KEPT = 51  # change me: with how many neurons?

kept = lab.orders()[0][:KEPT]
first = len(images)
answers = probe(kept)[:first].argmax(1)
wrong = np.flatnonzero(answers != data.y_test[:first])
print(f"Of the first {first} test images, {len(wrong)} are wrong with {KEPT} neurons.")
if len(wrong):
    titles = [f"{data.classes[data.y_test[i]]} read {data.classes[answers[i]]}" for i in wrong]
    tour.show(tour.pictures(images[wrong], titles, 8), "Images read wrongly: " + "; ".join(titles))

# %% [markdown] slide="slide"
# ## 5. Throw neurons away, and watch
#
# **Predict** before you run: how many of the 512 neurons, chosen at random, are enough to get
# within five points of the accuracy of all? Write a number down.

# %% [markdown] slide="notes"
# Everybody writes a number down now. Run the cell only when all have one.

# %% slide="fragment"
GUESS = 256  # change me: your number
ORDERS = 3  # change me: how many random orders, up to 20
SCALE = "linear"  # change me: "log" shows the left part better

sizes = np.array([1, 2, 5, 10, 15, 25, 51, 102, 205, 307, 410, 512])
orders = lab.orders(ORDERS)
curves = np.array([[accuracy(order[:k]) for k in sizes] for order in orders])
chance = np.bincount(data.y_test).max() / len(data.y_test)  # always the largest class
enough = sizes[curves.mean(0) >= full - 0.05][0]

figure, ax = plt.subplots(figsize=(8, 3.6))
ax.plot(sizes, curves.T, marker="o", markersize=3, color=tour.BLUE, linewidth=1)
ax.axhline(full, color="black", linestyle="--")
ax.text(512, full + 0.01, "all 512", ha="right", va="bottom")
ax.axhline(chance, color=tour.GREY, linestyle=":")
ax.text(512, chance + 0.02, "chance", ha="right", color="#555555")
ax.axvline(GUESS, color=tour.ORANGE)
ax.text(GUESS + 5, 0.4, "your guess", color=tour.ORANGE)
ax.set(xlabel="neurons kept", ylabel="accuracy on test images", ylim=(0, 1.08), xscale=SCALE)
figure.tight_layout()
tour.show(
    figure,
    f"Accuracy against the number of neurons kept, for {ORDERS} random orders. Of the sizes tried, "
    f"{enough} is the first at which its mean is within five points of that of all neurons.",
)
print(f"{enough} of 512 are enough (the first such number of those tried). Your guess: {GUESS}.")

# %% [markdown] slide="slide"
# ## 6. Similar? The matrix behind CKA
#
# Accuracy needs labels. Can one say without any that a part of a layer is *like* the whole?
#
# A layer says how alike two images are: by the inner product of their rows of $X$, after its
# columns were centred. All of these together are a matrix of images by images, the *Gram matrix*
# $K = X_c X_c^\top$. Here the images are sorted by class, so that pictures of one digit stand next
# to each other. Squares on the diagonal show that the layer finds them alike.

# %% [markdown] slide="notes"
# Let them find the squares on the diagonal, and a class whose square is pale, before you name CKA.

# %% [markdown] slide="slide"
# Two layers, two such matrices. How alike are *they*? Read each as one long vector, and take the
# cosine of the angle between the two. This is *centred kernel alignment*,
#
# $$\mathrm{CKA} = \frac{\langle K, L \rangle}{\lVert K \rVert \, \lVert L \rVert}.$$

# %%
by_class = np.argsort(data.y_train, kind="stable")


def gram(X):
    """Images by images: how alike two images are, sorted by class."""
    Xc = (X - X.mean(0))[by_class]
    return Xc @ Xc.T


def cka(K, L):
    """The cosine of the angle between two matrices, read as vectors."""
    return np.sum(K * L) / (np.linalg.norm(K) * np.linalg.norm(L))


whole = gram(data.X_train)
print(f"The Gram matrix is {whole.shape[0]} by {whole.shape[1]}.")


# %%
def draw(neurons, order):
    """The whole layer and a part of it, as Gram matrices; with numbers that go with them."""
    kept = lab.orders(20)[order - 1][:neurons]
    noise = np.random.default_rng(order).standard_normal((len(data.X_train), neurons))
    matrices = {
        "all 512 neurons": whole,
        f"{neurons} random neurons": gram(data.X_train[:, kept]),
        f"{neurons} columns of noise": gram(noise),
    }
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.2))
    for ax, (title, K) in zip(axes, matrices.items(), strict=True):
        most = np.quantile(abs(K), 0.98)
        ax.imshow(K[::5, ::5], cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        ax.set_title(f"{title}\nCKA with all: {cka(whole, K):.2f}", fontsize=11)
        ax.set(xticks=[], yticks=[], xlabel="every fifth image, sorted by class")
    labels = data.y_train[by_class][::5]
    middles = [np.flatnonzero(labels == c).mean() for c in range(len(data.classes))]
    axes[0].set_yticks(middles, data.classes, fontsize=10 if len(middles) < 12 else 6)
    figure.tight_layout()
    tour.show(
        figure,
        f"Gram matrices of images sorted by their {len(data.classes)} classes: of the whole layer, "
        f"of {neurons} random neurons, and of noise, which has no squares on its diagonal.",
    )
    print(f"Accuracy of a probe on these {neurons} neurons: {accuracy(kept):.1%}")


# %% slide="fragment"
NEURONS = 51  # change me: 1 to 512, or move the slider
ORDER = 1  # change me: another random order, 1 to 20

tour.play(draw, neurons=(NEURONS, 1, 512), order=(ORDER, 1, 20))

# %% [markdown]
# **Look** at the squares on the diagonal: which classes have a pale one? What might that mean?
#
# <details><summary>What was found</summary>
#
# The digits 8, 1 and 9. Their images are further from one another, or nearer to the mean of all
# images: to this layer they are less of a kind.
#
# </details>
#
# **Predict**: what happens to CKA if *one* neuron is multiplied by 100? If *all* are?
#
# <details><summary>What was found</summary>
#
# With one (the cell below) it falls to 0.23: CKA then sees little but that neuron. With all of them
# nothing changes, as both norms below the line grow by as much as what is above it.
#
# </details>

# %%
SCALED = [7]  # change me: one neuron, or all of them: range(512)
FACTOR = 100  # change me

scaled = data.X_train.copy()
scaled[:, SCALED] *= FACTOR
print(f"CKA with the layer as it was: {cka(whole, gram(scaled)):.3f}")

# %% [markdown] slide="slide"
# ## 7. Similar, and useful
#
# Both against the number of neurons kept: how similar a random part is to the whole (CKA), and how
# useful it is (accuracy, as a share of that of all). The dashed line is at 90%. Where the mean over
# random parts first reaches it, the paper says $k^*$, and calls $1 - k^* / 512$, the share that can
# be thrown away, *diffused redundancy*.

# %% [markdown] slide="notes"
# Two questions, two curves. They need not reach the line at the same place: ask which comes first,
# and why.

# %% slide="fragment"
DELTA = 0.9  # change me: which share is to be kept, above 0 and up to 1

if not 0 < DELTA <= 1:
    raise ValueError(f"DELTA is {DELTA}: a share lies between 0 and 1")
similar = np.array(
    [[cka(whole, gram(data.X_train[:, order[:k]])) for k in sizes] for order in orders]
)
useful = curves / full

figure, ax = plt.subplots(figsize=(8, 3.6))
ax.plot(sizes, similar.mean(0), marker="s", color=tour.ORANGE, label="CKA with the whole layer")
ax.plot(sizes, useful.mean(0), marker="o", color=tour.BLUE, label="accuracy, share of that of all")
ax.axhline(DELTA, color="black", linestyle="--")
ax.set(xlabel="neurons kept", ylim=(0, 1.02))
ax.legend(loc="lower right")
figure.tight_layout()
k_similar, k_useful = (sizes[np.argmax(of.mean(0) >= DELTA - 1e-9)] for of in (similar, useful))
tour.show(
    figure,
    f"CKA and accuracy against the number of neurons kept. CKA reaches {DELTA} "
    f"at {k_similar} neurons, accuracy at {k_useful}, of the sizes tried.",
)

# %% [markdown]
# **Predict**, then set `DATA` in the first cell with code to `"digits_mrl"`, and run everything
# again (in the menu: *Run*, *Run All Cells*). These are the same images, seen by a network that was
# trained so that its *first* neurons do most of the work. Will a *random* part be as similar to the
# whole as here? As useful? And with `"font_style"`?

# %% [markdown] slide="slide"
# ## What you have seen

# %% slide="fragment"
fifth = useful.mean(0)[sizes == 102].item()
above = (fifth * full - chance) / (full - chance)
print(
    f"- Data: {data.title}. The network was trained on something else. A linear probe on its\n"
    f"  512 numbers is right for {full:.1%} of the test images; guessing, for {chance:.1%}.\n"
    f"- 102 random neurons, a fifth, keep {fifth:.0%} of that accuracy,\n"
    f"  and {above:.0%} of what is above guessing.\n"
    f"- Of the sizes tried, {k_useful} is the first that keeps {DELTA:.0%} of the accuracy,\n"
    f"  and {k_similar} the first with a CKA of {DELTA}.\n"
    f"- Seen on {len(orders)} random orders, {len(data.y_test)} test images and one network.\n"
    "  How sure one can be of it is another question: 03_conclusions."
)

# %% [markdown]
# **Go on** with `01_similarity` (write CKA yourself, then at every number of neurons at once),
# `02_probes` (the same for accuracy) and `03_conclusions` (what follows from the numbers, and what
# does not).
