"""Every test leaves nothing behind (`leaks.py`), and starts kernels that are like a learner's."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("labkit", deadline=None)  # a busy machine is no bug
settings.load_profile("labkit")

pytest_plugins = ["pytester", "leaks"]

# A folder for temporary files that is this run's alone, so that what is left there is ours; and kernels
# that read no configuration of the person who runs the tests. Short: paths of sockets must fit in it.
_home = tempfile.mkdtemp(prefix="lk-", dir="/tmp")
for _variable, _folder in {
    "TMPDIR": "tmp",
    "IPYTHONDIR": "ipython",
    "JUPYTER_RUNTIME_DIR": "run",
    "JUPYTER_CONFIG_DIR": "config",
}.items():
    os.environ[_variable] = os.path.join(_home, _folder)
    os.mkdir(os.environ[_variable])
tempfile.tempdir = None

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # tests that a script has started with `&`
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_home, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Of two runs side by side (`tools/run_tests.py`), each passes over the files that the other took.

    A file that takes long says with `share` which of its tests belong together; the others go elsewhere.
    """
    share = getattr(getattr(item, "module", None), "share", None)
    if _is_mine(str(item.path) + (share(item) if share else "")):
        return None
    item.session._setupstate.teardown_exact(nextitem)
    return True


@functools.cache
def _is_mine(path: str) -> bool:
    """True for the run that is the first to ask."""
    if "LABKIT_TESTS_TAKEN" not in os.environ:
        return True
    try:
        os.mkdir(os.path.join(os.environ["LABKIT_TESTS_TAKEN"], path.replace("/", "%")))
    except FileExistsError:
        return False
    return True


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[None]:
    """ipykernel captures less of its children's output when it sees this variable."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    return (yield)


@pytest.fixture(autouse=True)
def _kernels_do_not_see_pytest() -> None:
    os.environ.pop("PYTEST_CURRENT_TEST", None)
