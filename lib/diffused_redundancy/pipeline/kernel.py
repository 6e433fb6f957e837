"""The kernels that notebooks run in: this very Python, whatever kernels, start-up files and
settings of Jupyter, IPython and matplotlib a user or a site has.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

_ARGUMENTS = (
    *("-m", "ipykernel_launcher", "-f", "{connection_file}"),
    "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
    "--InteractiveShellApp.ignore_cwd=True",  # a file of the report's folder is no module
    "--HistoryManager.enabled=False",
    "--log-level=40",  # errors: it warns that others on this machine could listen
)


def isolated_kernel(folder: Path, **variables: str) -> type[AsyncKernelManager]:
    """A manager of kernels of this Python, for which ``folder``, an empty one, takes the place of
    the user's folder of IPython; ``variables`` are set in their environment.
    """
    variables |= {
        "IPYTHONDIR": str(folder),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }
    # jupyter_client fills in $variables
    environment = {name: value.replace("$", "$$") for name, value in variables.items()}

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(
                argv=[sys.executable, *_ARGUMENTS],
                env=environment,
                display_name="Python 3",
                language="python",
            )

    class IsolatedKernel(AsyncKernelManager):
        @default("connection_file")
        def _beside(self) -> str:  # in the user's folder it would outlive a run that is killed
            folder.mkdir(parents=True, exist_ok=True)
            return str(folder / "kernel.json")

        @default("kernel_spec_manager")
        def _this_python(self) -> KernelSpecManager:
            return ThisPython(parent=self)

    return IsolatedKernel
