"""nbformat, imported in a quarter of its time.

It checks notebooks with jsonschema, which compiles a grammar of web addresses (``rfc3987_syntax``)
as it is imported: a second, in every process. The schema of notebooks has no such address, and
jsonschema does without where the grammar is missing.
"""

import sys

_spared = "rfc3987_syntax" not in sys.modules
if _spared:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
import nbformat as nbformat  # noqa: E402

if _spared:
    del sys.modules["rfc3987_syntax"]  # whoever else wants it gets it
