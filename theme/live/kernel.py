"""Run cells in the browser as Jupyter does: IPython's own shell, its outputs told as a notebook stores them.

`tell` is what worker.js puts there: it takes one output as JSON, in the form of nbformat. All that stands between Python in a
browser and Python at home is here, so that no cell is written for the browser's sake.
"""

import ast
import base64
import builtins
import concurrent.futures
import importlib
import importlib.abc
import importlib.machinery
import io
import json
import operator
import os
import random
import sys
import time
import types

# --- what the browser's Python has otherwise -------------------------------------------------------------------------------

os.environ.update(MPLBACKEND="module://matplotlib_inline.backend_inline", MPLCONFIGDIR="/lib/matplotlib-fonts", IPYTHONDIR="/tmp")

# The data lie there decompressed under their names, because there is no lzma; joblib, pandas and the loader only want to name it.
lzma = types.ModuleType("lzma")
lzma.open = lambda path, mode="rb", **settings: builtins.open(path, mode, **settings)
lzma.LZMAFile = type("LZMAFile", (io.FileIO,), {})
lzma.decompress = None
lzma.FORMAT_ALONE, lzma.FORMAT_XZ, lzma.LZMAError = 2, 1, OSError
sys.modules["lzma"] = lzma

# Threads cannot start: what would be shared out is done one by one.
concurrent.futures.ThreadPoolExecutor.map = lambda self, function, *rows, **_: map(function, *rows)

import numpy as np  # noqa: E402
import tqdm  # noqa: E402
from pyodide._package_loader import loadedPackages  # noqa: E402

tqdm.tqdm.monitor_interval = 0  # its monitor is a thread, too


def with_short_integers(function):
    """Let a function of NumPy take counts as they are at home, of 64 bits; here an index has 32."""

    def converted(*arguments, **settings):
        short = (
            np.asarray(each).astype(np.intp) if getattr(each, "dtype", None) == np.int64 else each for each in arguments
        )
        return function(*short, **settings)

    return converted


np.bincount = with_short_integers(np.bincount)
_repeat = np.repeat
np.repeat = lambda a, repeats, axis=None: _repeat(a, np.asarray(repeats).astype(np.intp), axis)


# NumPy has no BLAS here, and SciPy has: its product of two matrices takes a third to a half of the time of NumPy's own.
def by_blas(product):
    """Return `product`, which multiplies as `np.dot` and `@` do, with large matrices of double precision multiplied by BLAS."""

    def multiply(a, b, *out, **settings):
        large = all(type(each) is np.ndarray and each.dtype == float for each in (a, b)) and a.ndim >= 2 == b.ndim
        if not large or out or "out" in settings or a.shape[-1] != len(b) or a.size * b.shape[1] < 10_000:
            return product(a, b, *out, **settings)
        from scipy.linalg.blas import dgemm  # not before it is needed: a second of waiting

        rows = a.reshape(-1, len(b))
        # BLAS wants columns one by one, so the product is that of the transposed matrices, the other way round.
        swapped = [(each, False) if each.flags.f_contiguous else (each.T, True) for each in (b.T, rows.T)]
        (first, turn_first), (second, turn_second) = swapped
        return dgemm(1, first, second, trans_a=turn_first, trans_b=turn_second).T.reshape(*a.shape[:-1], b.shape[1])

    return multiply


np.dot = by_blas(np.dot)


class Estimators(importlib.abc.MetaPathFinder):
    """Gives scikit-learn's estimators the same, when its module of products comes and before they take theirs from there."""

    def find_spec(self, name, path, target=None):
        if name != "sklearn.utils.extmath":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.safe_sparse_dot = by_blas(module.safe_sparse_dot)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Estimators())


class Products(ast.NodeTransformer):
    """Lets the `@` of a cell multiply so, too: the operator of an array cannot be given another meaning."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.MatMult):
            return node
        return ast.copy_location(ast.Call(ast.Name("__matmul__", ast.Load()), [node.left, node.right], []), node)


builtins.__matmul__ = by_blas(operator.matmul)

# --- cells -----------------------------------------------------------------------------------------------------------------

from IPython.core.displayhook import DisplayHook  # noqa: E402
from IPython.core.displaypub import DisplayPublisher  # noqa: E402
from IPython.core.interactiveshell import InteractiveShell  # noqa: E402
from traitlets.config import Config  # noqa: E402


tell = None  # by now, nobody listens


class Stream(io.TextIOBase):
    """Tells what is printed, in pieces: often enough to see that a cell is alive, not once a word."""

    def __init__(self, name):
        self.name, self.waiting, self.told = name, [], time.monotonic()

    def write(self, text):
        for other in (sys.stdout, sys.stderr):
            if other is not self and isinstance(other, Stream):
                other.flush()
        if not text:
            return 0
        self.waiting.append(text)
        if time.monotonic() - self.told > 0.3:
            self.flush()
        return len(text)

    def flush(self):
        if self.waiting:
            text, self.waiting, self.told = "".join(self.waiting), [], time.monotonic()
            tell(json.dumps({"output_type": "stream", "name": self.name, "text": text}))


def show(output_type, **content):
    """Tell an output after what was printed before it."""
    sys.stdout.flush()
    sys.stderr.flush()
    tell(json.dumps({"output_type": output_type, **content}))


def plain(data):
    """Return a bundle of one object's forms with its pictures as text."""
    return {kind: base64.b64encode(form).decode() if isinstance(form, bytes) else form for kind, form in data.items()}


class Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, **_):
        show("display_data", data=plain(data), metadata=metadata or {})

    def clear_output(self, wait=False):
        show("clear")


class Hook(DisplayHook):
    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        show("execute_result", data=plain(format_dict), metadata=md_dict or {}, execution_count=self.prompt_count)


class Shell(InteractiveShell):
    kernel = None  # by this, pandas knows that it is in a notebook and not in a terminal

    def _showtraceback(self, etype, evalue, stb):
        show("error", ename=etype.__name__, evalue=str(evalue), traceback=stb)


settings = Config()
settings.HistoryManager.enabled = False
settings.InteractiveShell.colors = "NoColor"
settings.Completer.use_jedi = False
shell = Shell.instance(config=settings, display_pub_class=Publisher, displayhook_class=Hook)
shell.user_ns["__name__"] = "__main__"
shell.ast_transformers.append(Products())
with shell.builtin_trap:  # as in a cell: a package that asks, once, whether this is a notebook or a terminal finds the shell
    import checks
    import helpers  # noqa: F401  every chapter imports it, and with it matplotlib

def prepare(names):
    """Import modules of some names, divided by blanks, as a cell would; return whether any was new."""
    new = set(names.split()) - set(sys.modules)
    with shell.builtin_trap:
        for name in sorted(new):
            importlib.import_module(name)
    for package in loadedPackages.object_keys():  # found in the file system; a memory that is kept must not hold this list
        delattr(loadedPackages, package)
    return bool(new)


def wake():
    """Begin to tell what is printed; draw other random numbers than the last time, as Python's memory may be that of an earlier visit."""
    sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
    random.seed()
    np.random.seed()  # noqa: NPY002  a cell may draw from this one, too


def run(code):
    """Run a cell; return whether it ran to its end, and its number, as JSON."""
    result = shell.run_cell(code, store_history=True)
    sys.stdout.flush()
    sys.stderr.flush()
    return json.dumps({"well": result.success, "count": shell.execution_count - 1})


def check(packed):
    """Run a check on what the reader's cells have made; return what it says, "" if all is right."""
    return checks.judge(packed, shell.user_ns)
