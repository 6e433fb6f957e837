"""Networks by name, their pre-training, and features at their layers."""

from .features import PENULTIMATE, Features, features
from .net import Net, net
from .pretrain import pretrain
from .zoo import ZOO

__all__ = ["PENULTIMATE", "ZOO", "Features", "Net", "features", "net", "pretrain"]
