"""The command ``pretrain``: networks of the miniature zoo."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="networks, or patterns such as '*.dropout_*'; without any, list them",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of checkpoints (default: data/checkpoints)"
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)"
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="epochs, instead of the recipe's, for a trial"
    )
    parser.add_argument(
        "--compile",
        dest="compiled",
        metavar="BACKEND",
        help="compile the forward pass, such as inductor (for GPUs)",
    )
    parser.add_argument(
        "--speed",
        action="store_true",
        help="train nothing; measure the throughput of shipped networks in turn, for their "
        "manifests",
    )
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="images to train on, instead of the recipe's, for a trial",
    )


def run(options: argparse.Namespace) -> int:
    """List the zoo, pre-train some of it, or measure its throughput."""
    from ..nets.names import expanded
    from ..nets.zoo import recipe

    if not options.names:
        from ..nets.catalogue import table

        print(table())
        return 0
    names = expanded(options.names)
    for name in names:
        recipe(name)  # raises if there is none
    from ..nets.training import measure_speeds, pretrain

    if options.speed:
        for name, speed in measure_speeds(names, device=options.device).items():
            print(f"{name}: {speed:,} images/s")
        return 0
    for name in names:
        print(
            pretrain(
                name,
                options.out,
                device=options.device,
                epochs=options.epochs,
                images=options.images,
                compiled=options.compiled,
            )
        )
    return 0
