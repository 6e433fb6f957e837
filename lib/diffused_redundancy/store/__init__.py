"""Everything about the disk: files, cache, downloads, provenance."""

from . import paths
from .cache import Cache, code_digest, versions
from .files import (
    atomic_path,
    make_folder,
    scratch_folder,
    sha256_of,
    sweep,
    write_json,
    write_text,
)
from .provenance import provenance

__all__ = [
    "Cache",
    "atomic_path",
    "code_digest",
    "make_folder",
    "paths",
    "provenance",
    "scratch_folder",
    "sha256_of",
    "sweep",
    "versions",
    "write_json",
    "write_text",
]
