"""How sure a number is: intervals and their coverage, comparisons of groups, tests of trends.

Everything here takes plain arrays, and knows nothing of networks.
"""
