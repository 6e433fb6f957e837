from .extraction import features as features
from .networks import PENULTIMATE as PENULTIMATE
from .networks import Net as Net
from .registry import net as net
from .training import pretrain as pretrain
