"""What a view shows without a browser; what it sends; and that nothing of it stays."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sample_scenes
from front_end import FrontEnd

from labkit import changes, names, pages, view
from labkit.errors import LabError
from labkit.programs import python
from labkit.scene import Scene
from labkit.supervisor import connect, current

ROOT = Path(__file__).parents[1]
HOLDER = "import os, signal\nr, w = os.pipe()\nos.write(w, b'hello')\nsignal.pause()\n"

Json = dict[str, Any]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The scope of a notebook, and an owner that ends with the test."""
    monkeypatch.setenv(names.SCOPE, "a1b2c3")
    monkeypatch.setenv(names.SCRATCH, str(tmp_path_factory.mktemp("scratch")))
    yield
    owner = current()
    if owner is not None:
        owner.close()


def everything() -> list[Json]:
    return [make().to_dict() for make in sample_scenes.SCENES.values()]


# --- what travels -----------------------------------------------------------------------------------


def test_nothing_is_sent_when_nothing_changed() -> None:
    for scene in everything():
        assert changes.change(scene, scene) is None


def test_a_change_turns_one_scene_into_the_other() -> None:
    scenes = everything()
    for old, new in zip(
        [*scenes, *reversed(scenes)], [*scenes[1:], *reversed(scenes), scenes[0]], strict=True
    ):
        found = changes.change(old, new)
        assert changes.applied(old, found or {}) | {"version": 1} == new


def test_a_byte_more_in_a_pipe_sends_two_numbers_and_nothing_else() -> None:
    old = sample_scenes.pipe().to_dict()
    new = json.loads(json.dumps(old))
    new["objects"][0].update(queued=12, head="aGVsbG8gd29ybGQh")
    assert changes.change(old, new) == {"objects": {"pipe-1": {"queued": 12, "head": "aGVsbG8gd29ybGQh"}}}


def test_a_clock_that_runs_is_no_change() -> None:
    blocked = {"call": "read", "since_ns": 5}
    assert changes.without_clocks({"p": [{"blocked": blocked}]}) == {"p": [{"blocked": {"call": "read"}}]}


def test_scenes_that_follow_are_encoded_as_they_are_and_what_is_the_same_once() -> None:
    encoder = changes.Encoder()
    scenes = [make() for make in sample_scenes.SCENES.values()]
    for scene in (*scenes, *reversed(scenes)):
        made = encoder.encoded(scene)
        assert made | {"version": 1} == changes.without_clocks(scene.to_dict())
        again = encoder.encoded(dataclasses.replace(scene))
        assert all(a is b for a, b in zip(made["processes"], again["processes"], strict=True))
    moved = sample_scenes.pipe()
    first = encoder.encoded(moved)
    ran = dataclasses.replace(moved.processes[0], state="running")
    second = encoder.encoded(dataclasses.replace(moved, processes=(ran, *moved.processes[1:])))
    assert second["processes"][0]["descriptors"] is first["processes"][0]["descriptors"]
    assert changes.change(first, second) == {"processes": {str(ran.pid): {"state": "running"}}}


def test_a_program_brings_its_children_and_what_they_reach() -> None:
    scene = changes.only(sample_scenes.sockets().to_dict(), ["server"])
    assert [p["name"] for p in scene["processes"]] == ["server", "server/child"]
    assert "unix-socket-2" in [o["id"] for o in scene["objects"]], "both ends of a connection belong together"


def test_a_kind_of_object_brings_whoever_reaches_it() -> None:
    scene = changes.only(sample_scenes.small().to_dict(), ["epoll"])
    assert [p["name"] for p in scene["processes"]] == ["loop"]
    assert [o["id"] for o in scene["objects"]] == ["epoll-1"]


# --- without a browser ------------------------------------------------------------------------------


def test_a_still_says_the_same_as_text_and_as_a_picture() -> None:
    shown = view.show(sample_scenes.crossed())
    data = shown._repr_mimebundle_()[0]
    assert data["text/plain"] == repr(shown) == repr(view.show(sample_scenes.crossed()))
    assert "parent" in data["text/plain"]
    assert "<svg" in data["image/svg+xml"]
    assert "application/vnd.jupyter.widget-view+json" in data
    shown.close()


def test_a_view_is_of_one_thing_only() -> None:
    shown = view.show(sample_scenes.pipe())
    assert (shown.film, shown.outcomes) == (None, None)
    shown.close()


def test_a_view_of_nothing_says_so() -> None:
    assert repr(view.show(Scene())) == "Nothing to see: no process."


def test_watching_a_program_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(LabError, match=r"no program 'nobody'.*start it first"):
        view.watch("nobody")


def test_a_film_page_holds_no_markup_of_a_program_and_asks_for_nothing() -> None:
    scene = sample_scenes.hostile().to_dict()
    frame = {"n": 0, "who": "<b>x", "pid": 1, "call": "write", "text": "</script><img src=x>", "result": 1}
    film = {
        "version": 1,
        "programs": [{"name": "</title><script>", "command": ""}],
        "output": [],
        "exits": [],
    }
    film |= {
        "frames": [{**frame, "blocked": False, "scene": 0}],
        "scenes": [scene],
        "left_behind": [],
        "limits": [],
    }
    page = pages.film_page(film)
    assert page.count("<script") == page.count("</script>") == 3
    assert "<img" not in page.replace(pages.bundle(), "")
    assert "https://" not in page
    assert page.count("http://") == page.count("http://www.w3.org/2000/svg")


def test_packed_scenes_unpack_to_the_same() -> None:
    scenes = everything()
    packed = pages.packed({"scenes": scenes})["scenes"]
    now = packed[0]
    for scene, change in zip(scenes, packed, strict=True):
        now = now if change is None or change is packed[0] else changes.applied(now, change) | {"version": 1}
        assert now == changes.without_clocks(scene)


@pytest.mark.usefixtures("notebook")
def test_a_process_shows_the_end_of_what_its_program_has_written() -> None:
    source = "print(*range(100), sep='\\n')\nprint('\\x1b[31mred\\x1b[0m, and\\x1b]0;title\\x07 done')"
    program = connect().start(python(source, name="talker"))
    assert program.wait(10) == 0
    lines = view.written("talker").split("\n")
    assert lines[-2:] == ["99", "red, and done"]
    assert len(lines) == view.MOST_LINES
    assert view.written("nobody") == ""
    assert program.wait_gone(10)


def test_what_lies_in_the_scratch_folder_is_shown_as_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.SCRATCH, "/tmp/labkit-0-xyz")
    thing = {"id": "fifo-1", "name": "/tmp/labkit-0-xyz/door", "path": "/tmp/labkit-0-xyz/door"}
    program = {"pid": 5, "name": "x", "command": "python3 /tmp/labkit-0-xyz/sources/x.py /tmp/labkit-0-xyz"}
    things = [thing, {"id": "pipe-1", "name": "pipe 1", "path": None}]
    scene = changes.EMPTY | {"processes": [program], "objects": things}
    short = pages.shortly(scene)
    assert [o["name"] for o in short["objects"]] == ["…/door", "pipe 1"]
    assert short["objects"][0]["path"] == "…/door"
    assert short["processes"][0]["command"] == "python3 …/sources/x.py /tmp/labkit-0-xyz"
    assert short["objects"][1] is scene["objects"][1]


# --- live -------------------------------------------------------------------------------------------


def view_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "labkit-view"]


def wait_ended(shown: view.View) -> None:
    """Wait until its thread has ended."""
    for thread in view_threads():
        thread.join(10)
        assert not thread.is_alive()
    assert shown.status == "ended"


@pytest.mark.usefixtures("notebook")
def test_watch_shows_the_bytes_and_ends_with_the_program() -> None:
    program = connect().start(python(HOLDER, name="holder"))
    shown = view.watch("holder")
    view._feed.wait_quiet(shown, 10)
    assert shown.status == "live"
    assert [(o.queued, o.head) for o in shown.scene.objects if o.kind == "pipe"] == [(5, b"hello")]
    assert "hello" in repr(shown)
    program.kill()
    wait_ended(shown)
    assert repr(shown) == "holder was ended by SIGKILL"
    assert [p.name for p in shown.scene.processes] == ["holder"], "the last picture stays"
    shown.close()


@pytest.mark.usefixtures("notebook")
def test_the_first_pipe_is_number_one_again_when_all_earlier_programs_have_ended() -> None:
    for _ in range(2):
        programs = [connect().start(python(HOLDER, name=name)) for name in ("first", "second")]
        view._feed.wait_quiet(shown := view.watch(), 10)
        assert sorted(o.id for o in shown.scene.objects if o.kind == "pipe") == ["pipe-1", "pipe-2"]
        for program in programs:
            program.kill()
            assert program.wait_gone(10)
        wait_ended(shown)
        shown.close()


def test_a_view_is_live_once_it_has_a_picture() -> None:
    shown, had_one = view.View(status="waiting"), []
    shown.observe(lambda _: had_one.append(bool(shown.feed["scene"]["processes"])), "status")
    view._feed._bring(sample_scenes.pipe().to_dict(), {shown: ()})
    assert had_one == [True]
    shown.close()


@pytest.mark.usefixtures("notebook")
def test_a_second_view_shows_at_once_what_has_not_changed_since() -> None:
    program = connect().start(python(HOLDER, name="holder"))
    first = view.watch("holder")
    view._feed.wait_quiet(first, 10)
    second = view.watch("holder")
    assert second.status == "live"
    assert [o.queued for o in second.scene.objects if o.kind == "pipe"] == [5]
    program.kill()
    wait_ended(second)
    first.close()
    second.close()


@pytest.mark.usefixtures("notebook")
def test_closing_a_view_ends_its_thread_and_its_comm() -> None:
    program = connect().start(python(HOLDER, name="holder"))
    first, second = view.watch(), view.watch("holder")
    first.close()
    assert len(view_threads()) == 1
    second.close()
    for thread in view_threads():
        thread.join(10)
    assert not view_threads()
    assert second.comm is None
    program.kill()
    assert program.wait_gone(10)


def test_a_view_that_nobody_keeps_is_closed_without_waiting_for_anybody() -> None:
    shown = view.show(sample_scenes.pipe())
    shown.on_closed = lambda: view._feed.remove(shown)
    view._feed.remove(shown)
    with view._feed._changed:
        collector = threading.Thread(target=shown.close)
        collector.start()
        collector.join(10)
        assert not collector.is_alive()


def test_a_hidden_view_gets_a_picture_a_second_and_one_that_is_nowhere_none() -> None:
    shown = view.show(sample_scenes.pipe())
    assert shown.due(100.0), "nobody has said anything yet"
    shown._heard(None, {"do": "page", "page": "a", "is": "hidden"}, [])
    assert [shown.due(t) for t in (100.0, 100.5, 101.1)] == [True, False, True]
    shown._heard(None, {"do": "page", "page": "b", "is": "shown"}, [])
    assert shown.due(101.2)
    for page in ("a", "b"):
        shown._heard(None, {"do": "page", "page": page, "is": "gone"}, [])
    assert not shown.due(200.0)
    shown.close()


def test_only_what_changed_is_sent_and_in_order() -> None:
    shown = view.show(sample_scenes.pipe())
    sent: list[Json] = []
    shown.send = lambda content, buffers=None: sent.append(content)  # type: ignore[method-assign]
    fuller = sample_scenes.pipe().to_dict()
    fuller["objects"][0]["queued"] = 12
    for picture in (fuller, fuller, sample_scenes.pipe().to_dict()):
        shown.show(changes.without_clocks(picture))
    assert [m["n"] for m in sent] == [1, 2]
    assert sent[0]["change"] == {"objects": {"pipe-1": {"queued": 12}}}
    shown.close()


@pytest.mark.usefixtures("notebook")
def test_a_wish_can_stop_a_program_and_signal_a_process() -> None:
    program = connect().start(python(HOLDER, name="holder"))
    shown = view.watch("holder")
    assert view.obey({"do": "signal", "pid": 2**22, "signal": "SIGKILL"}) == "It has already ended."
    assert "notebook itself" in view.obey({"do": "signal", "pid": os.getpid(), "signal": "SIGKILL"})
    assert view.obey({"do": "signal", "pid": program.pid, "signal": "nonsense"}) == "It has already ended."
    assert (
        view.obey({"do": "signal", "pid": program.pid, "signal": "SIGTERM"}) == "SIGTERM was sent to holder."
    )
    assert program.wait(10) == -15
    assert program.wait_gone(10)
    assert view.obey({"do": "stop", "name": "holder"}) == "It has already ended."
    wait_ended(shown)
    shown.close()


def still(code: str) -> dict[str, Any]:
    """What a headless run stores of a cell that watches a program."""
    start = "import labkit\nfrom labkit.programs import python\nfrom labkit.supervisor import connect\n"
    with FrontEnd(live=False) as kernel:
        kernel.run(f"{start}program = connect().start(python({code!r}, name='holder'))")
        cell = kernel.send("labkit.watch()")
        kernel.until(lambda: cell not in kernel.busy)
        kernel.run("program.kill(); program.wait_gone()")
        data: dict[str, Any] = kernel.outputs[cell][-1]["data"]
    return data | {"text/plain": re.sub(r"\d{2,}", "N", data["text/plain"])}


def test_a_headless_run_stores_the_picture_when_all_have_come_to_rest_and_the_same_each_time() -> None:
    slow = "import time\ntime.sleep(0.7)\n" + HOLDER
    first, second = still(slow), still(slow)
    assert "hello" in first["text/plain"]
    assert first["text/plain"] == second["text/plain"]
    assert "<svg" in first["image/svg+xml"]


def test_a_headless_run_of_a_program_that_ends_says_how_it_ended() -> None:
    ends = "import sys, time\ntime.sleep(1)\nsys.exit(3)"
    assert still(ends)["text/plain"] == "holder ended with status 3"


# --- the front end ----------------------------------------------------------------------------------


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not here: install it to test the front end")
    return found


def test_the_bundle_is_made_of_the_modules_as_they_are(tmp_path: Path) -> None:
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.skip("esbuild is not here: run `npm ci` to check the bundle")
    build = json.loads((ROOT / "package.json").read_text())["scripts"]["build"].split()
    words = [str(esbuild), *build[1:-1], f"--outfile={tmp_path / 'bundle.js'}"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    fresh = (tmp_path / "bundle.js").read_text()
    assert (ROOT / "labkit/ui/bundle.js").read_text() == fresh, "run `npm run build` and commit the bundle"


def test_the_javascript_tests_pass() -> None:
    done = subprocess.run([needs("node"), "--test", "tests/ui/"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "# pass 0" not in done.stdout


def test_the_samples_for_javascript_are_those_of_python() -> None:
    assert sample_scenes.PATH.read_text() == sample_scenes.as_json(), "run `python -m tests.sample_scenes`"


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (ROOT / "package-lock.json").read_text()
