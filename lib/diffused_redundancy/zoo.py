"""The miniature zoo: recipes of small networks by name, their architectures and pre-training."""

from .nets.architectures import build
from .nets.training import pretrain
from .nets.zoo import ZOO, Recipe, recipe

__all__ = ["ZOO", "Recipe", "build", "pretrain", "recipe"]
