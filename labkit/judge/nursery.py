"""The process that an answer's processes are born from, and the code that runs beside an answer.

It is started once (inside the room, where there is one) and forks a process for every run of the answer,
because a fork takes two milliseconds and a new Python twenty. It belongs to the untrusted side: whatever
it or its children say is a claim. It needs nothing but the standard library, and imports nothing of ours.

A request is one message on the control socket, with the descriptors [job, stdin, stdout, stderr, claims,
given…]. The child says hello on `claims` (the Linux kernel adds its true pid), waits for an answer, and
gets the given descriptors as 3, 4, 5…

It starts for every exercise of every learner, so it runs with `python -S` (where libraries are, it is
told) and imports nothing that is written in Python, but for `os` and `ctypes`: a third of the time.
"""

# mypy: ignore-errors
import _json
import _signal
import _socket
import atexit
import binascii
import ctypes
import fcntl
import marshal
import os
import resource
import sys
import types

_libc = ctypes.CDLL(None)
CELL = "your cell"
FIXED = 5
HIGH = 200
CHUNK = 32768


def serve(control: _socket.socket) -> None:
    """Fork a child for every request, until the other side hangs up."""
    control.send(b"ready")
    while True:
        message, fds = _received(control)
        _reap()
        if not message:
            return
        if os.fork() == 0:
            control.close()
            _child(fds)
        for fd in fds:
            os.close(fd)


def _received(control: _socket.socket) -> tuple[bytes, list[int]]:
    """A message and the descriptors that came with it."""
    message, ancillary, _, _ = control.recvmsg(16, _socket.CMSG_SPACE(4 * 64))
    fds: list[int] = []
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            fds += memoryview(data[: len(data) // 4 * 4]).cast("i")
    return message, fds


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _child(fds: list[int]) -> None:
    """Become the answer. Never returns."""
    status = 1
    try:
        os.setsid()
        os.nice(5)  # who looks goes before who is looked at
        job, claims = _arranged(fds)
        claims.send(b"hello")
        if claims.recv(16) == b"go":
            _apart()
            status = _perform(job, Claims(claims.fileno()))
    finally:
        os._exit(status)


def _apart() -> None:
    """Reach no process but those that are started from now on (landlock(7)); where the kernel can do that."""
    domain = _libc.syscall(444, b"\0\x08" + bytes(6), 8, 0)  # it will make no block devices
    if domain >= 0:
        _libc.syscall(446, domain, 0)
        os.close(domain)


def _arranged(fds: list[int]) -> tuple[dict, _socket.socket]:
    """Everything in its place: 0, 1, 2, the given ones from 3 up, our socket far above."""
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH) for fd in fds]
    for fd in fds:
        os.close(fd)
    job = marshal.loads(_contents(moved[0]))
    inherit = job["do"] == "exec"
    for target, fd in enumerate(moved[1:4]):
        os.dup2(fd, target)
    for target, fd in enumerate(moved[FIXED:], start=3):
        os.dup2(fd, target, inheritable=inherit)
    for fd in moved[:4] + moved[FIXED:]:
        os.close(fd)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return job, _socket.socket(fileno=moved[4])


def _contents(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _perform(job: dict, claims: "Claims") -> int:
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    for name, most in job["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    for number in job["handle"]:
        _signal.signal(number, _handler)
    if job["do"] == "exec":
        return _execute(job["argv"])
    namespace = _main_module(job["text"])
    sys.argv = [CELL, *job["arguments"]] if job["do"] == "run" else [CELL]
    if job["do"] == "call":
        return _call(job, namespace, claims)
    return _run(job, namespace, claims)


def _handler(number: int, frame: object) -> None:
    """Does nothing; a signal that is handled interrupts a call that waits."""


def _execute(argv: list[str]) -> int:
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, os.environ)
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
    return 127


class Loader:
    """Shows the cell's lines to whoever prints a traceback (PEP 302)."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, name: str) -> str:
        return self.text


def _main_module(text: str) -> dict:
    """The answer's own `__main__`."""
    module = types.ModuleType("__main__")
    module.__loader__ = Loader(text)
    sys.modules["__main__"] = module
    return vars(module)


def _call(job: dict, namespace: dict, claims: "Claims") -> int:
    """Define everything in the cell, then call one function of it."""
    me = os.getpid()
    try:
        exec(compile(job["text"], CELL, "exec"), namespace)
        function = namespace.get(job["function"])
        if not callable(function):
            claims.say(missing=job["function"])
            return 1
        value = function(*job["arguments"])
    except BaseException as error:
        claims.say(raised=_described(error))
        return 1
    claims.returned(value) if os.getpid() == me else claims.say(stray=True)
    _flush()
    return 0


def _run(job: dict, namespace: dict, claims: "Claims") -> int:
    """Run the cell as a program of its own, as `python FILE` would."""
    status = 0
    try:
        exec(compile(job["text"], CELL, "exec"), namespace)
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:
        claims.say(raised=_described(error))
        status = 1
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    _flush()
    return status


def _exit_status(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  (contextlib is written in Python)
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass


class Claims:
    """What the answer's side says of itself, in messages of limited size."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def say(self, **claim: object) -> None:
        data = _as_json(claim).encode()
        pieces = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]
        for piece in pieces[:-1]:
            os.write(self.fd, b"+" + piece)
        os.write(self.fd, b"." + pieces[-1])

    def returned(self, value: object) -> None:
        """What a function returned; of what cannot be said (it holds itself, say) its type's name."""
        try:
            self.say(returned=_encoded(value))
        except Exception:
            self.say(returned={"other": type(value).__name__})


def _described(error: BaseException) -> dict:
    """An exception as data, with the frames of the cell only."""
    frames = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == CELL:
            frames.append([step.tb_lineno, step.tb_frame.f_code.co_name])
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.filename == CELL and not frames:
        frames = [[error.lineno or 0, "<module>"]]
        message = error.msg
    else:
        message = str(error)
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ != "__main__"]
    return {
        "type": type(error).__name__,
        "known": kinds,
        "message": message,
        "frames": frames,
    }


def _encoded(value: object) -> object:
    """Plain data as JSON has it, and what is made from it; of anything else its type's name only."""
    if value is None or value is True or value is False:
        return value
    for kind, plain in _PLAIN:
        if isinstance(value, kind):
            return plain(value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": [[str.__str__(key), _encoded(item)] for key, item in value.items()]}
    return {"other": type(value).__name__}


def _encoded_bytes(value: object) -> object:
    return {"bytes": binascii.b2a_base64(value, newline=False).decode("ascii")}


def _encoded_items(value: object) -> object:
    return [_encoded(item) for item in value]


def _encoded_set(value: object) -> object:
    return {"set": sorted(_encoded_items(value), key=repr)}


_PLAIN = (
    (int, int.__index__),
    (float, float.__float__),
    (str, str.__str__),
    ((bytes, bytearray, memoryview), _encoded_bytes),
    ((list, tuple, range), _encoded_items),
    ((set, frozenset), _encoded_set),
)


def _as_json(value: object) -> str:
    """JSON of what `_encoded` and `_described` make."""
    if isinstance(value, dict):
        items = (f"{_as_json(key)}:{_as_json(item)}" for key, item in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_as_json, value)) + "]"
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value).replace("inf", "Infinity").replace("nan", "NaN")


if __name__ == "__main__":
    sys.path += sys.argv[2:]
    serve(_socket.socket(fileno=int(sys.argv[1])))
