"""Networks by name, their pre-training, and features at their layers."""

from .._lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".zoo": "ZOO",
        ".networks": "Net PENULTIMATE",
        ".registry": "net",
        ".extraction": "Features features",
        ".training": "pretrain",
    },
)
