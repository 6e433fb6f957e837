"""How sure a number or a comparison is: arrays of numbers in, intervals and tests out.

Nothing here knows of neurons, networks or images.
"""
