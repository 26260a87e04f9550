"""Runs a Python program over and over from one warm interpreter: `python zygote.py FD LAUNCHER ARGUMENT…`.

It is run by path and imports nothing of ours, and stands in for the launcher: the launcher does all it
does before the program's first line, and where it then asks for its marker, this waits instead. For each
request on the socket FD it forks, and the child goes on from there, as if it had just been started; but
of what the program imports the usual part is there already, for that takes longer than most programs do.
"""

import os
import sys

PLAIN = {
    "array", "contextlib", "ctypes", "errno", "fcntl", "json", "mmap", "posix_ipc", "select", "signal",
    "socket", "struct", "sysv_ipc", "threading", "time",
}  # fmt: skip
"""Modules that make nothing when they are imported, and are the same for every run."""


def _import(names):
    """Import these, unless they are the program's own: those are in the folder that it works in."""
    try:
        own = {name.partition(".")[0] for name in os.listdir()} if "" in sys.path else ()
    except OSError:
        own = ()  # Python finds nothing there either
    for name in names:
        if name not in own:
            try:  # noqa: SIM105  (contextlib may be one of them)
                __import__(name)
            except ImportError:
                pass


def _serve(control, marker, access):
    """In the zygote: fork for each request. Returns in the children only."""
    import _socket
    import gc
    import signal
    import struct

    socket = _socket.socket(fileno=control)
    go_under_filter, may_be_traced = _calls(socket.recv(65536))
    may_be_traced(0)  # no program of the same user may trace this process: it lives on, they end
    gc.freeze()  # what is here now is never looked through again: a child shares the memory it lies in
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        word, ancillary, _flags, _address = socket.recvmsg(1, 1024)
        if not word:
            os._exit(0)
        given = struct.unpack("4i", ancillary[0][2])
        if os.fork() == 0:
            may_be_traced(1)
            socket.send(struct.pack("=i", os.getpid()))
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(given, go_under_filter)
            return
        for fd in given:
            os.close(fd)


def _calls(code):
    """What puts its caller under this filter, and what says whether it may be traced (PR_SET_DUMPABLE).

    `ctypes` itself would be much to carry into each program.
    """
    import _ctypes
    import array
    import struct

    kept = array.array("B", code)
    header = struct.pack("@HP", len(code) // 8, kept.buffer_info()[0])
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]

    def go_under_filter():
        _ctypes.call_function(prctl, (38, 1, 0, 0, 0))
        return kept and _ctypes.call_function(prctl, (22, 2, header, 0, 0)) == 0

    def may_be_traced(yes):
        _ctypes.call_function(prctl, (4, yes, 0, 0, 0))

    return go_under_filter, may_be_traced


def _become(given, go_under_filter):
    """In a child: wait to be seized, take what was given as input and output, go under the filter."""
    go, *streams = given
    os.setsid()
    os.read(go, 1)
    for target, fd in enumerate(streams):
        os.dup2(fd, target)
    os.closerange(3, 1 << 20)
    if not go_under_filter():
        os._exit(127)


def _without_our_frames(hook):
    """The launcher's hook leaves out the frames of its own file; those of this one stand above them."""

    def show(kind, error, trace):
        while trace is not None and trace.tb_frame.f_code.co_filename == show.__code__.co_filename:
            trace = trace.tb_next
        hook(kind, error, trace)

    return show


def _main():
    control = int(sys.argv[1])
    del sys.argv[:2]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    access = os.access

    def ask(path, mode, **options):
        os.access = access
        code = sys._getframe(1).f_locals.get("code")
        _import(PLAIN.intersection(code.co_names if code else ()))
        _serve(control, path, access)
        sys.excepthook = _without_our_frames(sys.excepthook)
        return access(path, mode, **options)

    os.access = ask
    with open(sys.argv[0], encoding="utf-8") as file:
        source = file.read()
    main = sys.modules["__main__"]
    main.__file__ = sys.argv[0]
    exec(compile(source, sys.argv[0], "exec", dont_inherit=True), main.__dict__)


if __name__ == "__main__":
    _main()
