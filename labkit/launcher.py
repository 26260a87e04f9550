"""Runs a cell's Python source as `__main__`: `python launcher.py SOURCE LABEL NAME [ARGUMENT…]`.

It is run by path and imports nothing, so that a program starts as fast as Python itself does. What
the source sees is an ordinary interpreter: its own `__main__`, `sys.argv`, the current folder first in
`sys.path`. A traceback names the cell (the label) and shows its lines, and begins in the cell.

Just before the source's first line it asks for access to a file named `MARKER`: whoever watches
system calls learns from that one that the program's own begin.
"""

import _thread
import os
import sys

MARKER = "labkit: the program begins"


class _Source:
    """What `linecache` asks for a module's text."""

    def __init__(self, text):
        self.text = text

    def get_source(self, name):
        return self.text


def _hook(kind, error, trace):
    """Print an uncaught exception as Python does, less the frames of this file."""
    import traceback

    while trace is not None and trace.tb_frame.f_code.co_filename == _run.__code__.co_filename:
        trace = trace.tb_next
    traceback.print_exception(kind, error.with_traceback(trace), trace)
    if kind is EOFError and "reading a line" in str(error):
        print("This program asked for input and there was none: give it some with --stdin.", file=sys.stderr)
    if issubclass(kind, KeyboardInterrupt):
        _end_by_sigint()


def _thread_hook(args):
    """The same for a thread: what `threading` would do, with the cell's lines."""
    if args.exc_type is SystemExit:
        return
    import traceback

    name = args.thread.name if args.thread is not None else _thread.get_ident()
    print(f"Exception in thread {name}:", file=sys.stderr)
    traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)
    sys.stderr.flush()


def _end_by_sigint():
    """Python ends itself by SIGINT after an uncaught KeyboardInterrupt, unless code was compiled since."""
    try:  # noqa: SIM105
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        pass


def _run(path, label, arguments):
    if path == "-":  # another user, who may not read the notebook's files
        source = os.environ.pop("LABKIT_SOURCE")
    else:
        with open(path, encoding="utf-8") as file:
            source = file.read()
    sys.argv = arguments
    if not sys.flags.safe_path:
        sys.path[0] = ""
    sys.excepthook = _hook
    _thread._excepthook = _thread_hook  # where `threading`, once imported, takes its own from
    if "threading" in sys.modules:
        setattr(sys.modules["threading"], "excepthook", _thread_hook)  # noqa: B010
    main = type(sys)("__main__")
    main.__dict__.update(__builtins__=__builtins__, __file__=path, __loader__=_Source(source))
    if "__annotations__" in globals():
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    code = compile(source, label, "exec", dont_inherit=True)
    os.access(MARKER, os.F_OK)
    exec(code, main.__dict__)


if __name__ == "__main__":
    _keep = sys.modules["__main__"]
    _run(sys.argv[1], sys.argv[2], sys.argv[3:])
