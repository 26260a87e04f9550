"""Scenes as text: every kind, honest about what is not known, in 80 columns with any name."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinds import KNOWN, C, P, any_scenes, blank, holding
from rich.cells import cell_len
from scenes import process, reading, scene, semaphores, taking, waiting

from labkit.draw import bar, describe, text
from labkit.scene import (
    KINDS,
    AnyObject,
    Blocked,
    Descriptor,
    File,
    Limit,
    Mapping,
    Other,
    Process,
    Scene,
    Signals,
    SysvShm,
    Thread,
    UnixSocket,
    WatchedFd,
)
from labkit.waits import judge
from labkit.words import content, count, duration, listing, place, printable

# --- text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("object", "words"), KNOWN, ids=lambda value: getattr(value, "kind", ""))
def test_an_object_shows_what_is_known_of_it(object: AnyObject, words: list[str]) -> None:
    drawn = text(holding(object))
    assert [word for word in words if word not in drawn] == []


def test_no_kind_is_forgotten() -> None:
    assert {object.kind for object, _ in KNOWN} | {"file", "terminal"} == set(KINDS)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"terminal", "other"}))
def test_what_is_not_known_is_never_shown_as_nought(kind: str) -> None:
    drawn = text(holding(blank(kind)))
    assert "x-1" in drawn
    about = drawn.split("\n\n")[1]
    assert not re.search(r"\b0\b|empty|nothing|none\b", about, re.IGNORECASE)
    if kind not in ("unix-socket", "inet-socket"):
        assert "not visible here" in about


def test_what_lies_in_the_scratch_folder_is_told_without_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_SCRATCH", "/home/somebody/.cache/labkit/scratch")
    inside = "/home/somebody/.cache/labkit/scratch"
    door = UnixSocket(id="unix-socket-1", kind="unix-socket", name="s", path=f"{inside}/door")
    log = File(id="file-1", kind="file", name="log", path=f"{inside}/log")
    beside = File(id="file-2", kind="file", name="log", path=f"{inside}-not/log")
    shown = text(
        scene(
            process(P, "p", None, {3: ("unix-socket-1", "rw"), 4: ("file-1", "w"), 5: ("file-2", "w")}),
            objects=(door, log, beside),
        )
    )
    monkeypatch.setenv("LABKIT_SCOPE", "1f2e3d4c5b6a")
    assert place("@/labkit-1f2e3d4c5b6a-ghost") == "@/labkit-…-ghost"
    assert "…/door" in shown
    assert "4 ▸ …/log" in shown
    assert f"{inside}/" not in shown
    assert f"{inside}-not/log"[:39] in shown


def test_a_process_says_what_it_does_and_what_it_has_open() -> None:
    stuck = judge(
        scene(
            process(P, "parent", waiting(C), {0: ("terminal-1", "rw"), 2: ("terminal-1", "rw")}),  # type: ignore[arg-type]
            process(C, "child", reading(3, "pipe-1"), {3: ("pipe-1", "r"), 4: ("pipe-1", "w")}, ppid=P),
            objects=(Other(id="terminal-1", kind="terminal", name="/dev/pts/4"),),
        )
    )
    assert text(stuck) == (
        "parent (10)  waiting in wait4 for child to end\n"
        "    0 2 terminal\n"
        "child (11)  waiting in read(3) on pipe-1 for 2.1 s\n"
        "    3 ◂ pipe-1   4 ▸ pipe-1\n"
        "\n"
        "pipe-1  ░░░░░░░░░░░░░░░░░░░░  empty, room for 65,536 bytes\n"
        "    child (4) ▸ pipe-1 ▸ child (3)\n"
        "\n"
        "parent waits for child\n"
        "child waits for itself (pipe-1)\n"
        "\n"
        "DEADLOCK  `child` waits in read(3) for pipe-1 to end, but holds its only write\n"
        "  end itself (descriptor 4). Call close(4) in `child` after fork. `parent` waits\n"
        "  in wait4 for `child`, so it waits for ever too."
    )


def test_no_word_of_a_scene_commands_the_terminal() -> None:
    odd = process(P, "a", Blocked("\x1b[31mread", 3), threads=(Thread(P, "sleeping"), Thread(7, "running")))
    drawn = text(Scene((odd,), limits=(Limit("\x1b[2J", "\x07"),)))
    assert "\x1b" not in drawn
    assert "\x07" not in drawn


def test_a_long_line_goes_on_below_and_where_it_ends_is_not_the_pids_business() -> None:
    children = [process(pid, f"table/child {pid}", waiting(pid + 1)) for pid in (C, C + 1, C + 2)]
    said = {}
    for pid in (5, 1234567):
        table = process(pid, "table", waiting(C, C + 1, C + 2))
        said[pid] = text(scene(table, *children)).replace(str(pid), "PID").splitlines()[:2]
    assert said[5] == said[1234567]
    assert " ".join(line.strip() for line in said[5]).startswith("table (PID)  waiting in wait4 for")
    note = "a sentence " * 9 + "to its end"
    noted = semaphores("sysv-sem-1", (1,), (P,))
    sleeper = process(P, "parent", taking("sysv-sem-1", (0, -1)))
    drawn = text(scene(sleeper, objects=(dataclasses.replace(noted, notes=(note,)),)))
    assert note in " ".join(line.strip() for line in drawn.splitlines())
    endless = dataclasses.replace(noted, notes=("word " * 400,))
    assert "      …" in text(scene(sleeper, objects=(endless,))).splitlines()


def test_a_time_is_not_torn_from_its_unit() -> None:
    names = listing([f"child {n}" for n in range(2, 6)])
    for ns in (2_100_000_000, 999_000_000, 200 * 10**9):
        lines = text(scene(process(P, names, reading(3, None, since_ns=ns)))).splitlines()
        assert not any(line.endswith(("2.1", "999", "20", "3 min 20", " 3")) for line in lines), lines


def test_limits_come_last() -> None:
    limited = dataclasses.replace(holding(blank("pipe")), limits=(Limit("levels", "the kernel says no"),))
    assert text(limited).splitlines()[-1] == "not visible here: levels: the kernel says no"


def test_text_without_times_does_not_change_with_the_clock() -> None:
    def at(ns: int) -> Scene:
        return scene(process(P, "a", reading(3, "pipe-1", since_ns=ns), {3: ("pipe-1", "r")}))

    assert text(at(5), times=False) == text(at(10**12), times=False)
    assert text(at(5)) != text(at(10**12))


def test_each_thread_of_several_is_listed() -> None:
    threads = (Thread(P, "sleeping", reading(3, "pipe-1")), Thread(77, "running"))
    drawn = text(scene(process(P, "a", reading(3, "pipe-1"), {3: ("pipe-1", "r")}, threads=threads)))
    assert "thread tid 77: running" in drawn
    assert "thread tid 10" not in drawn


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (process(P, "a", None, state="zombie", exit=3), "ended with status 3; its parent has not waited"),
        (process(P, "a", None, state="zombie", exit=-9), "ended by SIGKILL"),
        (process(P, "a", None, state="zombie"), "ended; its parent has not waited for it yet"),
        (process(P, "a", None, state="stopped"), "stopped"),
        (process(P, "a", None, state="running"), "running"),
        (process(P, "a", None, state="sleeping"), "asleep, in what is not visible here"),
    ],
)
def test_a_state_in_words(one: Process, words: str) -> None:
    assert words in text(Scene((one,)))


def test_tables_that_may_not_be_seen_are_said_to_be() -> None:
    def drawn(**hidden: None) -> str:
        return text(Scene((dataclasses.replace(process(P, "a"), **hidden),)))

    assert "its descriptors are not visible here" in drawn(descriptors=None)
    assert "its memory map is not visible here" in drawn(mappings=None)
    assert "what it has open and in memory is not visible here" in drawn(descriptors=None, mappings=None)


def test_an_offset_shared_through_one_description_is_told() -> None:
    file = File(id="file-1", kind="file", name="/tmp/log", path="/tmp/log", size=5)
    one = dataclasses.replace(process(P, "a"), descriptors=(Descriptor(3, "file-1", "rw", (), 5, 1),))
    other = dataclasses.replace(process(C, "b"), descriptors=(Descriptor(4, "file-1", "rw", (), 5, 1),))
    assert "3 ◂▸ /tmp/log at byte 5, one offset with b (4)" in text(Scene((one, other), (file,)))


def test_pages_are_drawn_one_by_one_while_they_are_few() -> None:
    def mapped(*pages: Any) -> str:
        shm = SysvShm(id="shm-1", kind="sysv-shm", name="")
        maps = (Mapping("shm-1", 4096, "rw-", True, pages),)
        return text(Scene((process(P, "a", mappings=maps),), (shm,)))

    assert "■■□·" in mapped((2, "shared"), (1, "private"), (1, "absent"))
    assert "pages: 3,000 shared, 9 absent" in mapped((3000, "shared"), (9, "absent"))


def test_signals_that_every_program_has_are_left_out() -> None:
    usual = Signals(caught=("SIGINT",), ignored=("SIGPIPE", "SIGXFSZ"))
    assert "signals" not in text(Scene((process(P, "a", signals=usual),)))
    odd = Signals(pending=("SIGUSR1",), blocked=("SIGUSR1",), caught=("SIGINT", "SIGTERM"))
    assert "signals pending SIGUSR1; blocked SIGUSR1; caught SIGTERM" in text(
        Scene((process(P, "a", signals=odd),))
    )


@pytest.mark.parametrize(
    ("blocked", "words"),
    [
        (reading(3, "pipe-1"), "waiting in read(3) on pipe-1 for 2.1 s"),
        (waiting(C), "waiting in wait4 for b to end"),
        (waiting(), "waiting in wait4 for a child to end"),
        (taking("sem-1", (2, -1)), "waiting in semop on semaphore 2 of sem-1"),
        (
            Blocked(
                "poll", timed=True, on=(WatchedFd(3, "readable", "pipe-1"), WatchedFd(9, "readable", None))
            ),
            "waiting in poll(3, 9) on pipe-1 or descriptor 9, with a time limit",
        ),
        (Blocked("clock_nanosleep", timed=True), "sleeping in clock_nanosleep"),
        (Blocked("pause"), "waiting in pause for a signal"),
        (Blocked("accept4", 3, "unix-socket-1"), "waiting in accept4(3) on unix-socket-1 for a connection"),
        (Blocked("futex"), "waiting in futex"),
    ],
)
def test_a_blocked_call_in_words(blocked: Blocked, words: str) -> None:
    assert describe(blocked, Scene((process(P, "a"), process(C, "b")))) == words


@given(st.integers(0, 100), st.integers(1, 100))
def test_a_bar_is_never_empty_or_full_unless_the_thing_is(part: int, whole: int) -> None:
    part = min(part, whole)
    drawn = bar(part, whole)
    assert len(drawn) == 20
    assert ("█" in drawn) == (part > 0)
    assert ("░" in drawn) == (part < whole)


# --- words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "0 µs"),
        (12_300, "12 µs"),
        (999_999_999, "1.0 s"),
        (2_100_000_000, "2.1 s"),
        (59_900_000_000, "59.9 s"),
        (60 * 10**9, "1 min 0 s"),
        (200 * 10**9, "3 min 20 s"),
        (7500 * 10**9, "2 h 5 min"),
    ],
)
def test_a_span_of_time_in_words(ns: int, words: str) -> None:
    assert duration(ns) == words


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"hi\n", '"hi\\n"'),
        (b"\x00\x01", "00 01"),
        ("Grüße".encode(), '"Grüße"'),
        (b"", '""'),
        ("Grü".encode()[:-1], '"Gr"'),
        (b"\xff\xfe", "ff fe"),
        (b"\x1b[1m", "1b 5b 31 6d"),
        (b"x" * 99, '"' + "x" * 37 + '…"'),
        (b"hello\0", '"hello\\0"'),
        (b"hello" + bytes(59), '"hello\\0…"'),
        (b"x" * 60 + bytes(4), '"' + "x" * 34 + '…"'),
        (b"A\0\0\0", "41 00 00 00"),
        (b"\1\2\3\4\5\0", "01 02 03 04 05 00"),
        (bytes(3), "00 00 00"),
    ],
)
def test_bytes_in_words(head: bytes, words: str) -> None:
    assert content(head) == words


def test_lists_in_words() -> None:
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"], "or") == "a, b or c"
    assert listing(list("abcdefg")) == "a, b, c, d and 3 more"
    assert (count(1, "byte"), count(2000, "byte")) == ("1 byte", "2,000 bytes")


@given(st.text())
def test_printable_text_is_one_line_without_commands_to_a_terminal(any_text: str) -> None:
    safe = printable(any_text)
    assert safe.isprintable()
    safe.encode()


# --- any scene ---


@given(any_scenes())
def test_text_stays_in_80_columns_whatever_the_names_are(any_scene: Scene) -> None:
    drawn = text(any_scene)
    assert all(cell_len(line) <= 80 for line in drawn.splitlines())
    assert all(line.isprintable() for line in drawn.split("\n"))
