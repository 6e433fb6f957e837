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
# ## 1. The layer
#
# A small network turned each image into 128 numbers, one per neuron of its penultimate layer. These
# are shipped with the page. The network was trained on letters, and has seen none of these images.
# Where the page was made with Python, a cell can be changed and run again, as in a notebook.

# %%
layer = load(chosen)
print(layer.name)
print(len(layer.X_train), "images to train on,", len(layer.X_test), "to test,", layer.d, "neurons")
print("first image:", [round(value, 2) for value in layer.X_train[0][:6]], "...")

# %% [markdown]
# ## 2. Similarity at every number of neurons
#
# Keep $k$ of the $d$ neurons, at random, and throw the others away. CKA says how similar what is
# left is to the whole layer: 1 means equal up to rotation and scale. With $G$ the Gram matrix of
# the centred neurons and $S$ the kept ones,
#
# $$\mathrm{CKA}(S) = \frac{\lVert G_{S,\cdot} \rVert^2}{\lVert G_{S,S} \rVert \; \lVert G \rVert}.$$
#
# Norms are roots of sums of squares, which can be carried along from $k$ to $k + 1$.

# %%
G = gram_matrix(layer.X_train)
cka_curves = [cka_curve(G, order) for order in layer.orders]
similarity = mean_curve(cka_curves)
print("CKA of a random fifth:", round(similarity[layer.d // 5 - 1], 3))

# %% [markdown]
# ## 3. Usefulness at every number of neurons
#
# A probe is a linear classifier on the kept neurons; here it is trained by ridge regression. One
# Cholesky factor holds the probes of all $k$.

# %%
accuracy_curves = [ridge_curve(layer, G, order) for order in layer.orders]
usefulness = mean_curve(accuracy_curves)
print("Test accuracy of a random fifth:", round(usefulness[layer.d // 5 - 1], 3))
print("Test accuracy of all neurons:", round(usefulness[-1], 3))

# %% [markdown]
# ## 4. How many neurons can go?
#
# $k^*$ is the least $k$ at which a curve reaches 90% of its last value, and
# $\mathrm{DR} = 1 - k^*/d$ the share of the neurons that can be dropped. Then move the slider.

# %%
print("DR(0.9) of CKA:", round(redundancy(similarity), 2))
print("DR(0.9) of accuracy:", round(redundancy(usefulness), 2))
show(layer, cka_curves, accuracy_curves)

# %% [markdown] exercise="cka" level=1 minutes=10 points=2
# ### Exercise 1: CKA of any set of neurons
#
# *Goal: read the formula of section 2.* `cka_curve` is fast, but only goes through one order. Write
# the slow way: CKA of the neurons in the list `kept` with the whole layer, from the Gram matrix `G`,
# a list of rows.
#
# <details><summary>Hint</summary>Three sums of squares of entries of G: rows in kept with all
# columns, rows in kept with columns in kept, all with all. The first is not under a root.</details>


# %% exercise="cka" part="write"
def cka(G, kept):
    """CKA of the neurons in ``kept`` with the whole layer, a number from 0 to 1."""
    ### BEGIN SOLUTION
    everyone = range(len(G))

    def squares(rows, columns):
        return sum(G[i][j] ** 2 for i in rows for j in columns)

    scale = squares(kept, kept) * squares(everyone, everyone)
    return squares(kept, everyone) / scale**0.5
    ### END SOLUTION


# %% exercise="cka" part="check"
check("cka", cka)

# %% [markdown] exercise="k_star" level=1 minutes=10 points=2
# ### Exercise 2: the least number of neurons
#
# *Goal: know what DR counts.* Write $k^*$: the least number of neurons at which `curve` reaches
# `share` of its last value. Entry `curve[0]` belongs to one neuron.
#
# <details><summary>Hint</summary>Go through the curve from its beginning and stop at the first value
# that is at least share times the last one. Places count from 0, neurons from 1.</details>


# %% exercise="k_star" part="write"
def least_neurons(curve, share):
    """The least k at which ``curve`` reaches ``share`` of its last value."""
    ### BEGIN SOLUTION
    for place, value in enumerate(curve):
        if value >= share * curve[-1]:
            return place + 1
    ### END SOLUTION


# %% exercise="k_star" part="check"
check("k_star", least_neurons)

# %% [markdown] exercise="choose" level=2 minutes=15 points=3
# ### Exercise 3: better than random
#
# *Goal: a selection of your own.* Order the neurons so that the first 13, a tenth, have a higher CKA
# with the whole layer than 13 random ones. You are given the Gram matrix only. Then ask whether your
# order is also good for accuracy: run `ridge_curve(layer, G, choose(G))` in cell 3.
#
# <details><summary>Hint</summary>CKA counts neurons by their squared activations, so those that vary
# most weigh most. Which entries of G say how much a neuron varies?</details>


# %% exercise="choose" part="write"
def choose(G):
    """An order of all neurons, the ones to be kept first, as a list of places."""
    ### BEGIN SOLUTION
    return sorted(range(len(G)), key=lambda i: -G[i][i])
    ### END SOLUTION


# %% exercise="choose" part="check"
check("choose", choose)
