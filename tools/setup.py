#!/usr/bin/env python3
"""Sets up the course in `.venv`, and does only what is missing: `make setup` runs it.

    python3 tools/setup.py              what learners need
    python3 tools/setup.py --dev        and what the tests need
    python3 tools/setup.py --lock       make the lists of exact versions anew (--upgrade: newest ones)

System programs come from apt where that needs no password; otherwise one line to type is printed, and
set-up goes on with what works. Only Python's standard library is used here, and only old Python.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "labkit-setup.json"
RUNTIME, DEV, UV = "requirements.txt", "requirements-dev.txt", "tools/uv.txt"

NEEDED = (3, 11)

# A program the course runs, and the Debian packages that bring it.
PROGRAMS = {
    "bwrap": ["bubblewrap"],
    "dot": ["graphviz"],
    "gcc": ["gcc", "libc6-dev"],
    "make": ["make"],
    "newuidmap": ["uidmap"],
}
DEV_PROGRAMS = {
    "chromium": ["chromium"],
    "node": ["nodejs"],
    "lsof": ["lsof"],
    "ss": ["iproute2"],
    "ipcs": ["util-linux"],
    "ps": ["procps"],
    "strace": ["strace"],
    "git": ["git"],
}
SAME = {"chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")}
NETWORK = (
    "It fetches packages as pip does: is there a network, and is pip told of a proxy or a mirror if it needs "
    "one (HTTPS_PROXY, PIP_INDEX_URL)? `make setup` goes on where it stopped."
)
EVERYWHERE = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main(arguments):
    """Set up, or make the locks anew; the exit status."""
    if not sys.platform.startswith("linux"):
        return "This course looks into a running Linux kernel, and this is not Linux: see README.md."
    use_a_new_enough_python()
    if "--lock" in arguments:
        return lock("--upgrade" in arguments)
    dev = "--dev" in arguments
    began = time.monotonic()
    if is_done(dev):
        return 0
    install_programs({**PROGRAMS, **DEV_PROGRAMS} if dev else PROGRAMS)
    make_venv()
    install_packages(dev)
    run([VENV / "bin/python", "-m", "labkit.kernelspec", "install", VENV])
    install_ui_tools(dev)
    STAMP.write_text(json.dumps(state(dev)))
    say(f"Ready in {time.monotonic() - began:.0f} s.")
    return 0


# --- is there anything to do? -----------------------------------------------------------------------


def state(dev):
    """What the set-up depends on. While it stays the same, there is nothing to do."""
    files = [RUNTIME, UV, "pyproject.toml", "tools/setup.py", "labkit/kernelspec/installing.py"]
    files += [DEV, "package-lock.json"] if dev else []
    digest = hashlib.sha256()
    for name in files:
        file = ROOT / name
        digest.update(file.read_bytes() if file.exists() else b"-")
    return {"dev": dev, "inputs": digest.hexdigest(), "root": str(ROOT), "builds": can_build()}


def is_done(dev):
    """A set-up for the tests serves learners too."""
    try:
        old = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return any(old == state(kind) for kind in {dev, True}) and (VENV / "bin/python").exists()


# --- system programs --------------------------------------------------------------------------------


def install_programs(wanted):
    """Install with apt what is missing, or say what to type."""
    missing = [program for program in wanted if not found(program)]
    packages = [package for program in missing for package in wanted[program]]
    packages += python_packages()
    if not packages:
        return
    line = "apt-get install -y --no-install-recommends " + " ".join(packages)
    sudo = shutil.which("sudo", path=EVERYWHERE)
    by_hand = f"type:\n\n    sudo {line}\n" if sudo else f"type as root:\n\n    {line}\n"
    root = as_root()
    if not shutil.which("apt-get", path=EVERYWHERE):
        say(f"Missing, by Debian's names: {names(packages)}. To get all of the course, install them.")
    elif root is None:
        say(f"Missing: {names(packages)}. To get all of the course, {by_hand}")
    else:
        say(f"Installing {names(packages)}…")
        if not (apt(root, line) or (apt(root, "apt-get update") and apt(root, line))):
            say(f"That did not work. To try by hand, {by_hand}")


def found(program):
    return any(shutil.which(name, path=EVERYWHERE) for name in SAME.get(program, (program,)))


def python_packages():
    """Debian keeps parts of Python in packages of their own: ensurepip, and the headers for C."""
    version = "python{}.{}".format(*sys.version_info)
    venv = [] if can_make_venv() or (VENV / "bin/python").exists() else [version + "-venv"]
    return venv + ([] if has_headers() else [version + "-dev"])


def can_make_venv():
    return shutil.which("uv") is not None or succeeds([sys.executable, "-c", "import ensurepip"])


def has_headers():
    return os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))


def can_build():
    return has_headers() and found("gcc")


def as_root():
    """What to put before a command that needs root; None when that would ask for a password."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo", path=EVERYWHERE)
    return [sudo, "-n"] if sudo and succeeds([sudo, "-n", "true"]) else None


def apt(root, line):
    environment = ["env", "DEBIAN_FRONTEND=noninteractive", "PATH=" + EVERYWHERE]
    command = [*root, *environment, *line.split()]
    log = VENV.parent / ".apt.log"
    with open(log, "wb") as output:
        status = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    if status != 0:
        say(log.read_text(errors="replace")[-1500:])
    log.unlink()
    return status == 0


# --- Python and its packages ------------------------------------------------------------------------


def use_a_new_enough_python():
    """Go on as python3.11 or later, if this one is older."""
    if sys.version_info[:2] >= NEEDED:
        return
    for minor in range(19, 10, -1):
        other = shutil.which(f"python3.{minor}")
        if other:
            os.execv(other, [other, *sys.argv])
    sys.exit("Python 3.11 or later is needed, and this is {}.{}.".format(*sys.version_info))


def make_venv():
    """`.venv`, with uv in it: it installs in seconds where pip takes a minute."""
    if is_of_here() and succeeds([VENV / "bin/python", "-c", ""]):
        pass
    elif shutil.which("uv"):
        run(["uv", "venv", "--quiet", "--seed", "--clear", "--python", sys.executable, VENV])
    elif can_make_venv():
        run([sys.executable, "-m", "venv", "--clear", VENV])
    else:
        sys.exit("Nothing works without Python's `venv`: install what is said above, then try again.")
    pinned = ["--require-hashes", "-r", ROOT / UV] if (ROOT / UV).exists() else ["uv"]
    run([VENV / "bin/python", "-m", "pip", "install", "--quiet", "--retries", "2", *pinned], NETWORK)
    # Else node takes JupyterLab's own scripts for modules, as this folder's package.json says of ours.
    (VENV / "package.json").write_text("{}\n")


def is_of_here():
    """False when there is no `.venv`, or this folder was moved: the programs in it name its old place."""
    try:
        return str(VENV) in (VENV / "bin/activate").read_text()
    except OSError:
        return False


def install_packages(dev):
    """The exact versions of the lock, and labkit itself in place."""
    say("Installing Python's packages…")
    command = uv("pip", "install", "--quiet", "--compile-bytecode")
    source = ["--no-binary", "sysv_ipc"] if can_build() else []
    if not source:
        say(
            "Python's headers or gcc are missing, so sysv_ipc comes ready-made: its semaphores then "
            "know no time-outs (`acquire(timeout=…)` waits for ever)."
        )
    source += again_from_source(source)
    run([*command, *source, "--require-hashes", "-r", ROOT / (DEV if dev else RUNTIME)], NETWORK)
    run([*command, "--no-deps", "--editable", ROOT], NETWORK)


def again_from_source(source):
    """The ready-made sysv_ipc of an earlier set-up goes, now that it can be built."""
    check = "import sysv_ipc; assert not sysv_ipc.SEMAPHORE_TIMEOUT_SUPPORTED"
    stale = source and succeeds([VENV / "bin/python", "-c", check])
    return ["--reinstall-package", "sysv_ipc"] if stale else []


def install_ui_tools(dev):
    """What bundles and tests the views' JavaScript; nobody needs it to use labkit."""
    if not dev or not (ROOT / "package-lock.json").exists():
        return
    if not shutil.which("npm"):
        say("There is no npm here, so the views' bundle is not checked to be fresh.")
        return
    run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=ROOT)


def lock(upgrade):
    """Write the lists of exact versions and their hashes, with nothing in them about where they come from."""
    make_venv()
    for source, target, group in (
        ("pyproject.toml", RUNTIME, []),
        ("pyproject.toml", DEV, ["--group", "dev", "--constraints", RUNTIME]),
        ("tools/uv.in", UV, []),
    ):
        options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
        options += ["--no-emit-index-url", "--no-emit-find-links", *(["--upgrade"] if upgrade else [])]
        run([*uv("pip", "compile"), source, *group, *options, "-o", target], cwd=ROOT)
    return 0


def uv(*arguments):
    """A uv command that trusts and asks whom pip would: the system's certificates, pip's mirror."""
    trust = ["--system-certs"] if os.path.exists("/etc/ssl/certs/ca-certificates.crt") else []
    mirror = os.environ.get("PIP_INDEX_URL") or pip_setting("global.index-url")
    index = ["--default-index", mirror] if mirror and "UV_DEFAULT_INDEX" not in os.environ else []
    return [VENV / "bin/uv", *arguments, "--python", VENV / "bin/python", *trust, *index]


def pip_setting(name):
    pip = [VENV / "bin/python", "-m", "pip", "config", "get", name]
    asked = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else ""


# --- small things -----------------------------------------------------------------------------------


def run(command, advice="", **options):
    """Run a command, and stop with its name when it fails."""
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.update({} if has_cache() else {"UV_NO_CACHE": "1"})
    status = subprocess.call(
        [str(part) for part in command], stdin=subprocess.DEVNULL, env=environment, **options
    )
    if status != 0:
        sys.exit("Set-up stopped: {} failed. {}".format(" ".join(map(str, command[:4])), advice).rstrip())


def has_cache():
    """May this user write into the cache folder? In some containers the home folder is read-only."""
    try:
        os.makedirs(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), exist_ok=True)
    except OSError:
        return False
    return True


def succeeds(command):
    """True when a command ends well; what it says is of no interest."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def names(words):
    return ", ".join(words)


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
