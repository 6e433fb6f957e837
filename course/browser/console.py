"""Runs the cells of the page and says how they went, as JSON. Its names are what a cell knows."""

import ast
import base64
import contextlib
import io
import json
import struct
import traceback

import checks
import measures


class Layer:
    """Features of images, as the page ships them.

    Attributes
    ----------
    name : str
    X_train, X_test : list of lists
        A row of ``d`` features for each image.
    y_train, y_test : list of int
        The classes.
    orders : list of lists
        Five random orders of the neurons.
    penalty : float
        Of the ridge probe, chosen on the train images.
    """

    def __init__(self, name, shipped):
        self.name, self.d, self.penalty = name, shipped["d"], shipped["penalty"]
        self.y_train, self.y_test = shipped["y_train"], shipped["y_test"]
        self.orders = shipped["orders"]
        self.X_train, self.X_test = (self._rows(shipped[part]) for part in ("X_train", "X_test"))

    def _rows(self, text):
        data = base64.b64decode(text)
        values = struct.unpack(f"<{len(data) // 2}e", data)
        return [list(values[at : at + self.d]) for at in range(0, len(values), self.d)]


class Console:
    """The cells of one page share their names."""

    def __init__(self, shipped):
        self.shipped, self.shown = json.loads(shipped), None
        self.names = {name: one for name, one in vars(measures).items() if not name.startswith("_")}
        self.names |= {"load": self.load, "show": self.show, "check": self.check}

    def load(self, name):
        """The layer of a name."""
        if name not in self.shipped:
            raise ValueError(f"no layer {name!r}: there are {', '.join(self.shipped)}")
        return Layer(name, self.shipped[name])

    def show(self, layer, cka, accuracy):
        """Draw curves, (seeds, d) each, on the page."""
        self.shown = {"name": layer.name, **summary(cka, accuracy)}

    def check(self, name, answer):
        """Check the answer to an exercise."""
        checks.check(name, answer, self.load(self.names["chosen"]))

    def run(self, code, place, chosen):
        """Run a cell; returns what it printed, its error and what it showed, as JSON."""
        self.names["chosen"], self.shown, error = chosen, None, ""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                self._evaluate(code, place)
            except checks.Wrong as wrong:
                error = f"Not yet: {wrong}"
            except NotImplementedError as blank:
                error = f"Not yet: {blank}"
            except (Exception, SystemExit) as caught:  # the student's own; the page goes on
                error = explained(caught, place, code)
        return json.dumps({"printed": printed.getvalue(), "error": error, "shown": self.shown})

    def _evaluate(self, code, place):
        """As a notebook does: the value of a last line that is an expression is printed."""
        tree = ast.parse(code, place)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, place, "exec"), self.names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), place, "eval"), self.names)
            if value is not None:
                print(repr(value))


def summary(cka, accuracy):
    """Mean, least and greatest at each k, and k* of the means."""
    told = {}
    for name, curves in {"cka": cka, "accuracy": accuracy}.items():
        mean = measures.mean_curve(curves)
        told[name] = {
            "mean": mean,
            "low": list(map(min, zip(*curves, strict=True))),
            "high": list(map(max, zip(*curves, strict=True))),
            "k_star": measures.k_star(mean),
        }
    return told


def explained(caught, place, code):
    """An error with the lines of the cell that led to it, and none of the page's own."""
    kind = type(caught).__name__
    if isinstance(caught, SyntaxError):
        return f"Line {caught.lineno}: {(caught.text or '').strip()}\n{kind}: {caught.msg}"
    lines = code.splitlines()
    steps = [step for step in traceback.extract_tb(caught.__traceback__) if step.filename == place]
    told = [
        f"Line {step.lineno}: {lines[step.lineno - 1].strip()}" for step in steps if step.lineno
    ]
    if isinstance(caught, ModuleNotFoundError):
        told.append("This page has Python's own library and no other: lists, sum and ** will do.")
    return "\n".join([*told, f"{kind}: {caught}"])
