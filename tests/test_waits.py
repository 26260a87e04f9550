"""Which waits can never end: what is found, what is left in peace, and what is said."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import (
    catching,
    futex,
    lock,
    locking,
    mapping,
    pipe,
    posix_semaphore,
    process,
    reading,
    scene,
    semaphores,
    socket,
    taking,
    waiting,
    with_process,
    writing,
)

from labkit.scene import (
    Blocked,
    EventFd,
    File,
    InetSocket,
    Mapping,
    Memory,
    Other,
    PosixMq,
    Process,
    Scene,
    Signals,
    SysvMsg,
    Thread,
    TimerFd,
    WatchedFd,
)
from labkit.waits import deadlocks, judge, waits

P, C, D = 10, 11, 12
POLL = Blocked(
    "poll", timed=False, on=(WatchedFd(3, "readable", "pipe-1"), WatchedFd(5, "readable", "pipe-2"))
)


def found(scene: Scene) -> list[tuple[int, ...]]:
    return [finding.processes for finding in deadlocks(scene)]


def said(scene: Scene) -> str:
    return " / ".join(finding.because for finding in deadlocks(scene))


def both_ends(pid: int, name: str, **more: object) -> Process:
    """One who reads a pipe whose write end it forgot to close."""
    return process(pid, name, reading(3, "pipe-1"), {3: ("pipe-1", "r"), 4: ("pipe-1", "w")}, **more)


# --- pipes ------------------------------------------------------------------------------------------


def test_reader_that_holds_the_only_write_end_waits_for_ever() -> None:
    forgotten = scene(process(P, "parent", waiting(C)), both_ends(C, "child", ppid=P))
    assert found(forgotten) == [(C, P)]
    assert said(forgotten) == (
        "`child` waits in read(3) for pipe-1 to end, but holds its only write end itself (descriptor 4). "
        "Call close(4) in `child` after fork. `parent` waits in wait4 for `child`, so it waits for ever too."
    )


def test_parent_that_waits_for_its_reader_with_the_write_end_open() -> None:
    stuck = scene(
        process(P, "parent", waiting(C), {4: ("pipe-1", "w")}),
        process(C, "child", reading(3, "pipe-1"), {3: ("pipe-1", "r")}, ppid=P),
    )
    assert found(stuck) == [(P, C)]
    assert "close(4) in `parent` before it calls wait4" in said(stuck)


def test_parent_that_waits_for_its_writer_with_the_pipe_full() -> None:
    stuck = scene(
        process(P, "parent", waiting(C), {3: ("pipe-1", "r")}),
        process(C, "child", writing(4, "pipe-1"), {4: ("pipe-1", "w")}, ppid=P),
    )
    assert found(stuck) == [(P, C)]
    assert "Read pipe-1 to its end in `parent` before it calls wait4" in said(stuck)


def two_pipes(one: Blocked | None, other: Blocked | None, **more: object) -> Scene:
    """`a` writes pipe-1 and reads pipe-2, `b` the other way round."""
    return scene(
        process(P, "a", one, {4: ("pipe-1", "w"), 5: ("pipe-2", "r")}),
        process(C, "b", other, {3: ("pipe-1", "r"), 6: ("pipe-2", "w")}),
        **more,
    )


def test_both_sides_of_two_pipes_reading() -> None:
    stuck = two_pipes(reading(5, "pipe-2"), reading(3, "pipe-1"))
    assert found(stuck) == [(P, C)]
    assert "both read first" in said(stuck)
    assert "flush" in said(stuck)


def test_both_sides_of_two_pipes_writing() -> None:
    stuck = two_pipes(writing(4, "pipe-1"), writing(6, "pipe-2"))
    assert found(stuck) == [(P, C)]
    assert "both write first" in said(stuck)


@pytest.mark.parametrize("others", [True, None])
def test_nothing_is_said_of_a_pipe_that_somebody_unseen_may_hold(others: bool | None) -> None:
    assert found(two_pipes(reading(5, "pipe-2"), reading(3, "pipe-1"), others=others)) == []


def test_nothing_is_said_while_one_side_runs() -> None:
    assert found(two_pipes(reading(5, "pipe-2"), None)) == []


def test_nothing_is_said_of_a_pipe_with_bytes_for_its_reader() -> None:
    on_its_way = dataclasses.replace(pipe("pipe-1", both_ends(P, "a")), queued=5)
    assert found(scene(both_ends(P, "a"), objects=(on_its_way,))) == []


def test_nothing_is_said_of_a_reader_that_is_about_to_see_the_end() -> None:
    assert found(scene(process(P, "a", reading(3, "pipe-1"), {3: ("pipe-1", "r")}))) == []


def test_one_who_is_about_to_see_the_end_can_still_be_waited_for() -> None:
    stuck, ending = both_ends(C, "child"), process(D, "child 2", reading(5, "pipe-2"), {5: ("pipe-2", "r")})
    assert found(scene(process(P, "parent", waiting(C, D)), stuck, ending)) == [(C,)]


def test_nothing_is_said_of_a_shell_pipeline_that_runs() -> None:
    line = scene(
        process(P, "sh", waiting(C, D)),
        process(C, "yes", None, {1: ("pipe-1", "w")}, ppid=P),
        process(D, "wc", reading(0, "pipe-1"), {0: ("pipe-1", "r")}, ppid=P),
    )
    assert found(line) == []


def test_a_write_end_in_flight_may_still_be_received() -> None:
    carrying = socket("unix-socket-1", None, in_flight=1)
    assert found(scene(both_ends(P, "a"), objects=(carrying,))) == []


def test_a_process_may_be_woken_through_its_own_pipe_by_a_handler() -> None:
    assert found(scene(both_ends(P, "a", signals=catching("SIGTERM")))) == []
    assert found(scene(both_ends(P, "a", signals=catching("SIGINT")))) == []
    python = Signals(caught=("SIGINT",), ignored=("SIGPIPE", "SIGXFSZ"))
    assert found(scene(both_ends(P, "a", signals=python))) == [(P,)]


# --- FIFOs ------------------------------------------------------------------------------------------


def test_a_server_that_keeps_its_own_fifo_open_waits_for_strangers() -> None:
    server = process(P, "server", reading(3, "fifo-1"), {3: ("fifo-1", "rw")})
    assert found(scene(server)) == []


def test_such_a_server_is_not_stuck_because_a_client_waits_for_it() -> None:
    server = process(P, "server", reading(3, "fifo-1"), {3: ("fifo-1", "rw"), 4: ("fifo-2", "w")})
    client = process(C, "client", reading(5, "fifo-2"), {5: ("fifo-2", "r"), 6: ("fifo-1", "w")})
    assert found(scene(server, client)) == []


def test_both_sides_of_two_fifos_reading() -> None:
    stuck = scene(
        process(P, "a", reading(5, "fifo-2"), {4: ("fifo-1", "w"), 5: ("fifo-2", "r")}),
        process(C, "b", reading(3, "fifo-1"), {3: ("fifo-1", "r"), 6: ("fifo-2", "w")}),
    )
    assert found(stuck) == [(P, C)]


def test_nothing_is_said_of_a_fifo_being_opened() -> None:
    assert found(scene(process(P, "a", Blocked("openat", object="fifo-1", timed=False)))) == []


# --- children ---------------------------------------------------------------------------------------


def test_a_chain_of_waits_for_a_stuck_grandchild() -> None:
    chain = scene(
        process(P, "parent", waiting(C)),
        process(C, "child", waiting(D), ppid=P),
        both_ends(D, "grandchild", ppid=C),
    )
    assert found(chain) == [(D, P, C)]
    assert "`parent` and `child` wait for them" in said(chain)


@pytest.mark.parametrize("state", ["zombie", "dead", "stopped", "running"])
def test_nothing_is_said_of_waiting_for_a_child_that_can_end_or_has_ended(state: str) -> None:
    child = process(C, "child", None, state=state, ppid=P)
    assert found(scene(process(P, "parent", waiting(C)), child)) == []


def test_nothing_is_said_of_waiting_for_a_child_that_is_not_in_the_picture() -> None:
    assert found(scene(process(P, "parent", waiting(C, D)), both_ends(C, "child"))) == [(C,)]
    assert found(scene(process(P, "parent", Blocked("wait4", timed=False)))) == []


def test_waiting_for_any_of_two_children_ends_with_either() -> None:
    children = both_ends(C, "child", ppid=P), process(D, "child 2", None, ppid=P)
    assert found(scene(process(P, "parent", waiting(C, D)), *children)) == [(C,)]


# --- locks ------------------------------------------------------------------------------------------


def crossed_locks(**more: object) -> Scene:
    return scene(
        process(P, "a", locking(3, "lock-1")),
        process(C, "b", locking(4, "lock-2"), **more),
        objects=(lock("lock-1", C), lock("lock-2", P)),
    )


def test_crossed_flocks() -> None:
    assert found(crossed_locks()) == [(P, C)]
    assert "`a` waits in flock(3) for the lock on file-1, which `b` holds" in said(crossed_locks())
    assert "in the same order" in said(crossed_locks())


def test_a_lock_taken_twice_through_two_descriptors() -> None:
    twice = scene(process(P, "a", locking(4, "lock-1")), objects=(lock("lock-1", P),))
    assert "which it holds itself through another descriptor" in said(twice)


def test_the_locked_file_may_stand_for_its_lock() -> None:
    file = File(id="file-1", kind="file", name="f", path="/tmp/f")
    stuck = scene(process(P, "a", locking(4, "file-1")), objects=(lock("lock-1", P, waiting=(P,)), file))
    assert found(stuck) == [(P,)]
    assert "the lock on /tmp/f" in said(stuck)


def test_nothing_is_said_of_a_lock_whose_holder_is_not_known_or_not_seen() -> None:
    waiter = process(P, "a", locking(3, "lock-1"))
    assert found(scene(waiter, objects=(dataclasses.replace(lock("lock-1"), holders=None),))) == []
    assert found(scene(waiter, objects=(lock("lock-1", 77),))) == []


@pytest.mark.parametrize("others", [True, None])
def test_nothing_is_said_of_a_lock_whose_description_somebody_unseen_may_have(others: bool | None) -> None:
    def held(type: str) -> Scene:
        waiter = process(P, "a", locking(4, "lock-1"))
        return scene(waiter, objects=(lock("lock-1", P, type=type, others=others),))

    assert found(held("flock")) == found(held("ofd")) == []
    crossed = crossed_locks()
    locks = [dataclasses.replace(o, type="posix", others=others) for o in crossed.objects]  # type: ignore[call-arg]
    assert found(dataclasses.replace(crossed, objects=tuple(locks))) == [(P, C)], "its process's own"


def test_one_who_shares_the_holders_descriptor_could_unlock() -> None:
    stuck = crossed_locks()
    held = stuck.processes[1].descriptors
    assert held == ()
    row = dataclasses.replace(both_ends(C, "x").descriptors[0], object="file-1", description=7)  # type: ignore[index]
    holder = dataclasses.replace(stuck.processes[1], descriptors=(row,))
    friend = dataclasses.replace(process(D, "friend"), descriptors=(row,))
    shared = dataclasses.replace(stuck, processes=(stuck.processes[0], holder, friend))
    assert found(shared) == []


def test_who_wants_a_lock_alone_needs_each_of_its_holders() -> None:
    def shared(*rest: Process) -> Scene:
        wanting = process(P, "a", locking(3, "lock-1"), {4: ("pipe-1", "w")})
        holder = process(C, "b", reading(5, "pipe-1"), {5: ("pipe-1", "r")})
        return scene(wanting, holder, *rest, objects=(lock("lock-1", C, *(p.pid for p in rest)),))

    assert found(shared(process(D, "c"))) == found(shared()) == [(P, C)]
    assert "which `b` and `c` hold" in said(shared(process(D, "c")))
    waiter = process(P, "a", locking(3, "lock-1"))
    assert found(scene(waiter, process(C, "b"), objects=(lock("lock-1", C),))) == []


@pytest.mark.parametrize("type", ["posix", "ofd"])
def test_ones_own_share_of_a_lock_is_not_in_ones_way(type: str) -> None:
    def widening(*blocked: Blocked | None) -> Scene:
        both = [process(P + i, "ab"[i], one) for i, one in enumerate(blocked)]
        return scene(*both, objects=(lock("lock-1", P, C, type=type),))

    wide = locking(3, "lock-1")
    assert found(widening(wide, None)) == []
    assert found(widening(wide, wide)) == [(P, C)]
    assert "They both share it and want it alone" in said(widening(wide, wide))
    alone = scene(process(P, "a", locking(3, "lock-1")), objects=(lock("lock-1", P, type="posix"),))
    assert found(alone) == [], "a record lock never blocks its own process: somebody unseen has it too"


# --- semaphores -------------------------------------------------------------------------------------


def crossed_semaphores(
    *more: Process, key: int = 0x4C, last: tuple[int, int] = (P, C), **facts: bool | None
) -> Scene:
    return scene(
        process(P, "a", taking("sysv-sem-1", (1, -1))),
        process(C, "b", taking("sysv-sem-1", (0, -1))),
        *more,
        objects=(semaphores("sysv-sem-1", (0, 0), last, key, **facts),),
    )


def test_crossed_semaphores() -> None:
    assert found(crossed_semaphores()) == [(P, C)]
    assert "`a` waits in semop for semaphore 1 of sysv-sem-1, last used by `b`" in said(crossed_semaphores())


def test_anybody_in_the_picture_might_post_a_semaphore() -> None:
    assert found(crossed_semaphores(process(D, "c"))) == []
    ended = process(D, "c", None, state="zombie")
    assert found(crossed_semaphores(ended)) == [(P, C)]


def test_somebody_outside_the_picture_who_uses_a_semaphore_might_post_it() -> None:
    assert found(crossed_semaphores(others=True)) == []
    assert found(crossed_semaphores(key=0)) == [(P, C)]
    assert found(crossed_semaphores(key=0, others=None)) == [], "who knows a private one is not known"


@pytest.mark.parametrize(("others", "expected"), [(False, [(P, C)]), (None, []), (True, [])])
def test_a_private_queue_is_its_family_s(others: bool | None, expected: list[tuple[int, ...]]) -> None:
    queue = SysvMsg(id="sysv-msg-1", kind="sysv-msg", name="q", key=0, others=others)
    receiving = Blocked("msgrcv", object="sysv-msg-1", timed=False)
    family = process(P, "a", receiving), process(C, "b", receiving)
    assert found(scene(*family, objects=(queue,))) == expected


def test_nothing_is_said_when_the_holder_is_not_in_the_picture() -> None:
    assert found(crossed_semaphores(last=(77, C))) == []
    assert found(crossed_semaphores(last=(0, C))) == []


def test_a_consumer_that_made_its_semaphore_waits_for_a_producer_to_be_started() -> None:
    made = semaphores("sysv-sem-1", (0,), (P,))
    assert found(scene(process(P, "consumer", taking("sysv-sem-1", (0, -1))), objects=(made,))) == []


def test_a_parent_that_waits_for_the_child_that_needs_its_post() -> None:
    def family(key: int) -> Scene:
        return scene(
            process(P, "parent", waiting(C)),
            process(C, "child", taking("sysv-sem-1", (0, -1)), ppid=P),
            objects=(semaphores("sysv-sem-1", (0,), (P,), key),),
        )

    assert found(family(key=0)) == [(P, C)]
    assert found(family(key=5)) == [], "somebody who knows the key may come and post"


def test_the_operation_that_blocks_is_the_first_that_the_values_do_not_allow() -> None:
    def stuck(*operations: tuple[int, int]) -> Scene:
        one = process(P, "a", taking("sysv-sem-1", *operations))
        other = process(C, "b", taking("sysv-sem-1", (0, -1)))
        return scene(one, other, objects=(semaphores("sysv-sem-1", (0, 1, 0), (P, P, C)),))

    assert found(stuck((1, -1), (2, -1))) == [(P, C)]
    assert found(stuck((1, 0))) == [], "semaphore 1 is awaited at zero, and was last used by the waiter"
    assert found(stuck((1, -1))) == [], "the values allow it: it is about to go on"
    assert found(stuck((9, -1))) == []
    assert found(stuck()) == []


def test_waiting_for_zero_is_waiting_too() -> None:
    one = process(P, "a", taking("sysv-sem-1", (1, 0)))
    other = process(C, "b", taking("sysv-sem-1", (0, -1)))
    assert found(scene(one, other, objects=(semaphores("sysv-sem-1", (0, 1), (P, C)),))) == [(P, C)]


def test_crossed_posix_semaphores() -> None:
    maps = (mapping("posix-sem-1"), mapping("posix-sem-2"))
    crossed = scene(
        process(P, "a", futex("posix-sem-1"), mappings=maps),
        process(C, "b", futex("posix-sem-2"), mappings=maps),
        objects=(posix_semaphore("posix-sem-1"), posix_semaphore("posix-sem-2")),
    )
    assert found(crossed) == [(P, C)]
    assert found(with_process(crossed, process(D, "c", mappings=maps))) == []
    parent = with_process(crossed, process(D, "c", waiting(P, C), mappings=maps))
    assert found(parent) == [(P, C, D)]
    assert "Let both of them take these in the same order" in said(parent), "not the parent's doing"


def test_those_who_wait_for_one_semaphore_are_not_told_to_mind_the_order() -> None:
    maps = (mapping("posix-sem-1"),)
    both = [process(pid, str(pid), futex("posix-sem-1"), mappings=maps) for pid in (P, C)]
    words = said(scene(*both, objects=(posix_semaphore("posix-sem-1", unlinked=True, others=False),)))
    assert "They both wait for the same one: let one of them post it before it waits" in words


def test_a_posix_semaphore_taken_twice() -> None:
    def twice(**more: object) -> Scene:
        one = process(P, "a", futex("posix-sem-1"), mappings=(mapping("posix-sem-1"),))
        return scene(one, objects=(posix_semaphore("posix-sem-1", **more),))

    assert found(twice(others=False, unlinked=True)) == [(P,)]
    assert "Release it before taking it again" in said(twice(others=False, unlinked=True))
    assert found(twice(others=False, unlinked=False)) == [], "a producer may open it by its name"
    assert found(twice(others=None, unlinked=True)) == []
    assert found(twice(others=False, unlinked=True, value=1)) == []


# --- futexes and threads ----------------------------------------------------------------------------


def test_a_mutex_locked_twice() -> None:
    assert found(scene(process(P, "a", futex()))) == [(P,)]
    assert "no other thread" in said(scene(process(P, "a", futex())))


def threaded(*blocked: Blocked | None, **more: object) -> Scene:
    threads = tuple(Thread(P + i, "sleeping" if b else "running", b) for i, b in enumerate(blocked))
    return scene(process(P, "a", blocked[0], threads=threads, **more))


def test_a_thread_is_to_take_out_what_another_puts_in() -> None:
    threads = (Thread(P, "sleeping", futex()), Thread(P + 1, "sleeping", writing(4, "pipe-1")))
    both = {3: ("pipe-1", "r"), 4: ("pipe-1", "w")}
    one = process(P, "a", futex(), both, threads=threads)
    words = said(scene(one, objects=(pipe("pipe-1", one, queued=65536),)))
    assert "Let one thread take out what another puts in, before it waits for that one." in words


def test_a_process_can_act_while_one_of_its_threads_can() -> None:
    assert found(threaded(futex(), futex())) == [(P,)]
    assert "same order in every thread" in said(threaded(futex(), futex()))
    assert found(threaded(futex(), None)) == []
    assert found(threaded(futex(), Blocked("accept", 3, timed=False))) == []


def test_a_thread_asleep_in_what_is_not_visible_can_act() -> None:
    unknown = Thread(P + 1, "sleeping", None)
    one = process(P, "a", futex(), threads=(Thread(P, "sleeping", futex()), unknown))
    assert found(scene(one)) == []


def test_a_main_thread_that_ended_does_not_count() -> None:
    threads = (Thread(P, "zombie"), Thread(P + 1, "sleeping", futex()))
    assert found(scene(process(P, "a", None, state="zombie", threads=threads))) == [(P,)]


def test_nothing_is_said_of_a_futex_when_the_memory_map_is_not_visible() -> None:
    assert found(scene(process(P, "a", futex(), mappings=None))) == []


def test_a_word_in_shared_memory_is_everybodys_who_has_it() -> None:
    hidden = Memory(id="memfd-1", kind="memfd", name="m", others=False)
    one = process(P, "a", futex("memfd-1"), mappings=(Mapping("memfd-1", 4096, "rw-", True),))
    other = process(C, "b", mappings=(Mapping("memfd-1", 4096, "rw-", True),))
    assert found(scene(one, objects=(hidden,))) == [(P,)]
    assert found(scene(one, other, objects=(hidden,))) == []


# --- sockets, eventfds, choices ---------------------------------------------------------------------


def talking(**more: object) -> Scene:
    return scene(
        process(P, "a", reading(3, "unix-socket-1"), {3: ("unix-socket-1", "rw")}),
        process(C, "b", reading(4, "unix-socket-2"), {4: ("unix-socket-2", "rw")}),
        objects=(
            socket("unix-socket-1", "unix-socket-2", **more),
            socket("unix-socket-2", "unix-socket-1", **more),
        ),
    )


def test_both_ends_of_a_socket_pair_reading() -> None:
    assert found(talking()) == [(P, C)]
    assert "`a` waits in read(3) on unix-socket-1, and only `b` (descriptor 4) could send" in said(talking())


@pytest.mark.parametrize(
    "more", [{"others": None}, {"others": True}, {"queued": 3}, {"type": "dgram", "path": "/x"}]
)
def test_nothing_is_said_of_a_socket_that_may_yet_be_served(more: dict[str, object]) -> None:
    assert found(talking(**more)) == []


def test_nothing_is_said_of_a_socket_when_a_table_in_the_picture_is_hidden() -> None:
    talk = talking()
    secret = dataclasses.replace(both_ends(D, "secret"), descriptors=None)
    assert found(dataclasses.replace(talk, processes=(*talk.processes, secret))) == []


def test_nothing_is_said_of_a_socket_whose_other_end_somebody_unseen_may_have() -> None:
    talk = talking()
    shared = dataclasses.replace(talk.objects[1], others=None)  # type: ignore[call-arg]
    assert found(dataclasses.replace(talk, objects=(talk.objects[0], shared))) == []


def connection(*blocked: Blocked, **more: int | None) -> Scene:
    """Two processes at the ends of one TCP connection; the facts are the second end's."""
    facts = {"receive_queue": 0, "send_queue": 0, "in_transit": 0}
    ends = [
        InetSocket(id=id, kind="inet-socket", name=id, protocol="tcp", others=False, peer=peer, **known)  # type: ignore[arg-type]
        for id, peer, known in (
            ("inet-socket-1", "inet-socket-2", facts),
            ("inet-socket-2", "inet-socket-1", {**facts, **more}),
        )
    ]
    one = process(P, "a", blocked[0], {3: ("inet-socket-1", "rw")})
    two = process(C, "b", blocked[1], {4: ("inet-socket-2", "rw")})
    return scene(one, two, objects=tuple(ends))


BOTH_READ = reading(3, "inet-socket-1"), reading(4, "inet-socket-2")
BOTH_WRITE = writing(3, "inet-socket-1"), writing(4, "inet-socket-2")


def test_both_ends_of_a_tcp_connection() -> None:
    assert found(connection(*BOTH_READ)) == [(P, C)]
    assert found(connection(*BOTH_WRITE, send_queue=9)) == [(P, C)]


def test_what_the_kernels_still_send_and_acknowledge_is_on_its_way() -> None:
    assert found(connection(*BOTH_READ, send_queue=4)) == [], "kept back for 40 ms by Nagle's rule, say"
    assert found(connection(*BOTH_READ, send_queue=None)) == []
    assert found(connection(*BOTH_WRITE, send_queue=9, in_transit=1)) == [], "about to be acknowledged"
    assert found(connection(*BOTH_WRITE, send_queue=9, in_transit=None)) == []


def test_what_a_child_sends_is_to_be_received_before_its_end_is_waited_for() -> None:
    ends = socket("unix-socket-1", "unix-socket-2"), socket("unix-socket-2", "unix-socket-1")
    parent = process(P, "parent", waiting(C), {3: ("unix-socket-1", "rw")})
    child = process(C, "child", writing(4, "unix-socket-2"), {4: ("unix-socket-2", "rw")}, ppid=P)
    words = said(scene(parent, child, objects=ends))
    assert "Receive what `child` sends in `parent` before it calls wait4" in words


def test_one_who_holds_both_ends_of_a_socket_pair_alone() -> None:
    def alone(others: bool | None) -> Scene:
        one, two = (
            socket("unix-socket-1", "unix-socket-2"),
            socket("unix-socket-2", "unix-socket-1", others=others),
        )
        fds = {3: ("unix-socket-1", "rw"), 4: ("unix-socket-2", "rw")}
        return scene(process(P, "a", reading(3, "unix-socket-1"), fds), objects=(one, two))  # type: ignore[arg-type]

    assert found(alone(False)) == [(P,)]
    assert found(alone(None)) == []


def test_a_server_in_accept_is_idle() -> None:
    listener = socket("unix-socket-1", None, state="listening", path="/tmp/s")
    server = process(
        P, "server", Blocked("accept4", 3, "unix-socket-1", timed=False), {3: ("unix-socket-1", "rw")}
    )
    assert found(scene(server, objects=(listener,))) == []
    assert found(scene(dataclasses.replace(server, blocked=None), objects=(listener,))) == []


def test_an_eventfd_is_counted_up_by_who_has_it() -> None:
    event = EventFd(id="eventfd-1", kind="eventfd", name="e", count=0, others=False)
    one = process(P, "a", reading(3, "eventfd-1"), {3: ("eventfd-1", "rw")})
    assert found(scene(one, objects=(event,))) == [(P,)]
    assert found(scene(one, process(C, "b", None, {3: ("eventfd-1", "rw")}), objects=(event,))) == []
    full = dataclasses.replace(event, count=2**64 - 2)
    writer = process(P, "a", writing(3, "eventfd-1"), {3: ("eventfd-1", "rw")})
    assert "eventfd-1 has no room, and only it itself could read it" in said(scene(writer, objects=(full,)))
    assert found(scene(writer, objects=(event,))) == []


def polling(poll: Blocked, *more: Process) -> Scene:
    fds = {3: ("pipe-1", "r"), 4: ("pipe-1", "w"), 5: ("pipe-2", "r")}
    return scene(process(P, "a", poll, fds), *more)  # type: ignore[arg-type]


def test_a_poll_ends_when_any_of_its_descriptors_is_ready() -> None:
    writer = process(
        C, "b", reading(9, "pipe-3"), {6: ("pipe-2", "w"), 9: ("pipe-3", "r"), 8: ("pipe-3", "w")}
    )
    assert found(polling(POLL, writer)) == [(C, P)]
    running = dataclasses.replace(writer, state="running", blocked=None, threads=())
    assert found(polling(POLL, running)) == []


def test_a_write_end_that_is_watched_for_reading_tells_of_its_readers_end() -> None:
    def watching(events: str, reader: Process) -> Scene:
        poll = Blocked("poll", timed=False, on=(WatchedFd(4, events, "pipe-1"),))
        return scene(process(P, "a", poll, {4: ("pipe-1", "w")}), reader)

    read_end, own = {3: ("pipe-1", "r")}, {3: ("pipe-1", "r"), 5: ("pipe-2", "r"), 6: ("pipe-2", "w")}
    assert found(watching("readable", process(C, "b", None, read_end))) == []  # type: ignore[arg-type]
    stuck = process(C, "b", reading(5, "pipe-2"), own)  # type: ignore[arg-type]
    assert found(watching("readable", stuck)) == [(C, P)]


@pytest.mark.parametrize(
    "poll",
    [
        dataclasses.replace(POLL, timed=True),
        dataclasses.replace(POLL, timed=None),
        dataclasses.replace(POLL, on=()),
        dataclasses.replace(POLL, on=(*POLL.on, WatchedFd(0, "readable", "terminal-1"))),
        dataclasses.replace(POLL, on=(*POLL.on, WatchedFd(7, "", "pipe-1"))),
        dataclasses.replace(POLL, on=(*POLL.on, WatchedFd(7, "readable", None))),
    ],
)
def test_nothing_is_said_of_a_poll_that_may_end(poll: Blocked) -> None:
    writer = process(
        C, "b", reading(9, "pipe-3"), {6: ("pipe-2", "w"), 9: ("pipe-3", "r"), 8: ("pipe-3", "w")}
    )
    with_terminal = polling(poll, writer)
    terminal = Other(id="terminal-1", kind="terminal", name="/dev/pts/0")
    with_terminal = dataclasses.replace(with_terminal, objects=(*with_terminal.objects, terminal))
    assert (P,) not in found(with_terminal)
    assert not any(P in group for group in found(with_terminal))


# --- those who can always act -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "blocked",
    [
        Blocked("clock_nanosleep", timed=True),
        Blocked("pause", timed=False),
        Blocked("rt_sigsuspend", timed=False),
        Blocked("rt_sigtimedwait", timed=False),
        Blocked("io_uring_enter", timed=False),
        Blocked("read", 0, "terminal-1", timed=False),
        Blocked("read", 0, None, timed=False),
        Blocked("msgrcv", object="sysv-msg-1", timed=False),
        Blocked("mq_timedreceive", 3, "posix-mq-1", timed=False),
        Blocked("read", 3, "pipe-1"),
        None,
    ],
)
def test_such_a_process_is_left_in_peace_and_so_is_who_waits_for_it(blocked: Blocked | None) -> None:
    fds = {0: ("terminal-1", "rw"), 3: ("pipe-1", "r"), 4: ("pipe-1", "w"), 5: ("posix-mq-1", "rw")}
    child = process(C, "child", blocked, fds, ppid=P)  # type: ignore[arg-type]
    objects = (
        Other(id="terminal-1", kind="terminal", name="/dev/pts/0"),
        SysvMsg(id="sysv-msg-1", kind="sysv-msg", name="q"),
        PosixMq(id="posix-mq-1", kind="posix-mq", name="/q"),
    )
    assert found(scene(process(P, "parent", waiting(C)), child, objects=objects)) == []


def test_one_who_will_be_told_of_the_end_of_a_child_can_act() -> None:
    def family(*children: Process) -> Scene:
        ends = {3: ("pipe-1", "r"), 6: ("pipe-2", "w")}
        parent = process(P, "a", reading(3, "pipe-1"), ends, signals=catching("SIGCHLD"))  # type: ignore[arg-type]
        other = {4: ("pipe-2", "r"), 5: ("pipe-1", "w")}
        return scene(parent, process(C, "b", reading(4, "pipe-2"), other, ppid=P), *children)  # type: ignore[arg-type]

    assert found(family()) == [(P, C)]
    assert found(family(process(D, "busy", ppid=P))) == []
    assert found(family(process(D, "busy", ppid=C))) == [(P, C)], "another's child"
    assert found(family(process(D, "ended", state="zombie", ppid=P))) == [(P, C)]


def test_who_waits_for_sigchld_alone_waits_for_its_children() -> None:
    def shell(*caught: str, call: str = "sigsuspend", **more: tuple[str, ...]) -> Scene:
        signals = dataclasses.replace(catching("SIGCHLD", *caught), **more)
        parent = process(P, "sh", Blocked(call, timed=False), {4: ("pipe-1", "w")}, signals=signals)
        return scene(parent, process(C, "cat", reading(3, "pipe-1"), {3: ("pipe-1", "r")}, ppid=P))

    assert found(shell()) == found(shell("SIGINT")) == found(shell(call="pause")) == [(P, C)]
    assert "`sh` waits in sigsuspend for `cat` to end" in said(shell())
    assert found(shell("SIGUSR1")) == found(shell(call="sigwait")) == found(shell(blocked=("SIGCHLD",))) == []


def test_a_stopped_process_may_be_continued() -> None:
    assert found(scene(both_ends(P, "a", state="stopped"))) == []


def test_one_with_an_io_uring_can_act_while_it_sleeps() -> None:
    ring = Other(id="other-1", kind="other", name="io_uring")
    fds = {3: ("pipe-1", "r"), 4: ("pipe-1", "w"), 5: ("other-1", "rw")}
    reader = process(P, "a", reading(3, "pipe-1"), fds)
    assert found(scene(reader, objects=(ring,))) == []
    assert found(scene(reader)) == [(P,)]


@pytest.mark.parametrize("name", ["SIGALRM", "SIGIO", "SIGRTMIN"])
def test_one_with_a_handler_for_an_alarm_can_act(name: str) -> None:
    alarmed = process(P, "a", futex(), signals=catching(name))
    assert found(scene(alarmed)) == []
    assert found(scene(process(P, "a", futex(), signals=catching("SIGUSR1")))) == [(P,)]


def test_one_with_a_timer_that_runs_can_act() -> None:
    def one(remaining: int | None) -> Scene:
        timer = TimerFd(id="timerfd-1", kind="timerfd", name="t", remaining_ns=remaining)
        return scene(process(P, "a", futex(), {3: ("timerfd-1", "r")}), objects=(timer,))

    assert found(one(10**9)) == []
    assert found(one(None)) == []
    assert found(one(0)) == [(P,)]


# --- the whole --------------------------------------------------------------------------------------


def test_two_knots_are_two_findings_and_a_follower_is_told_once() -> None:
    knots = scene(
        process(P, "parent", waiting(C, D)),
        both_ends(C, "one", ppid=P),
        process(D, "two", futex(), ppid=P),
    )
    assert found(knots) == [(C, P), (D,)]


def test_a_wait_names_its_object_and_who_could_end_it() -> None:
    line = two_pipes(reading(5, "pipe-2"), None)
    assert [(w.pid, w.tid, w.object, w.for_) for w in waits(line)] == [(P, P, "pipe-2", (C,))]


def test_judge_fills_in_both() -> None:
    stuck = two_pipes(reading(5, "pipe-2"), reading(3, "pipe-1"))
    judged = judge(stuck)
    assert judged.waits == waits(stuck)
    assert judged.deadlocks == deadlocks(stuck)
    assert judge(judged) == judged


# --- any scene of pipes -----------------------------------------------------------------------------


@st.composite
def pipe_scenes(draw: st.DrawFn) -> Scene:
    """A few processes that hold ends of a few pipes, and sleep on them or on each other, or run."""
    pids = range(P, P + draw(st.integers(1, 5)))
    pipes = [f"pipe-{i}" for i in range(1, draw(st.integers(2, 4)))]
    end = st.tuples(st.sampled_from(pipes), st.sampled_from(["r", "w"]))
    made = []
    for pid in pids:
        fds = dict(enumerate(draw(st.lists(end, min_size=1, max_size=5)), start=3))
        fd = draw(st.sampled_from(sorted(fds)))
        on_pipe = (reading if fds[fd][1] == "r" else writing)(fd, fds[fd][0])
        others = [other for other in pids if other != pid]
        on_child = (
            waiting(*draw(st.lists(st.sampled_from(others), min_size=1, unique=True))) if others else on_pipe
        )
        blocked = draw(st.sampled_from([on_pipe, on_pipe, on_pipe, on_child, None]))
        made.append(process(pid, f"p{pid}", blocked, fds))  # type: ignore[arg-type]
    # Several may sleep on either side of one pipe here; no level is then right for all, so none is known.
    return scene(*made, objects=tuple(pipe(id, *made, queued=None) for id in pipes))


def enders(scene: Scene, process: Process) -> set[int] | None:
    """Said anew, without the module under test: who could end this process's wait; None: it runs."""
    blocked = process.blocked
    if blocked is None:
        return None
    if blocked.children is not None:
        return set(blocked.children)
    on = scene.object(blocked.object)
    return {end.pid for end in (on.writers if blocked.call == "read" else on.readers)}  # type: ignore[union-attr]


def dead(scene: Scene) -> set[int]:
    """The union of all sets that nobody outside could wake: by trying every set there is."""
    who = {p.pid: enders(scene, p) for p in scene.processes}
    asleep = [pid for pid, by in who.items() if by]
    groups = (set(g) for n in range(len(asleep) + 1) for g in itertools.combinations(asleep, n))
    return set().union(*(g for g in groups if all(who[pid] <= g for pid in g)))  # type: ignore[operator]


@given(pipe_scenes())
def test_exactly_those_are_found_whom_trying_every_set_finds(any_scene: Scene) -> None:
    assert {pid for group in found(any_scene) for pid in group} == dead(any_scene)


@given(pipe_scenes())
def test_one_running_process_that_holds_every_end_removes_every_finding_about_pipes(any_scene: Scene) -> None:
    ids = [o.id for o in any_scene.objects]
    ends = {10 + i: (id, "rw") for i, id in enumerate(ids)}
    helper = process(99, "helper", None, ends)  # type: ignore[arg-type]
    helped = [*any_scene.processes, helper]
    with_helper = scene(*helped, objects=tuple(pipe(id, *helped, queued=None) for id in ids))
    on_pipes = {p.pid for p in any_scene.processes if p.blocked and p.blocked.object}
    assert not {pid for group in found(with_helper) for pid in group} & on_pipes


@given(pipe_scenes(), st.randoms())
def test_the_order_of_a_scene_does_not_matter(any_scene: Scene, chance: random.Random) -> None:
    shuffled = dataclasses.replace(
        any_scene,
        processes=tuple(chance.sample(any_scene.processes, len(any_scene.processes))),
        objects=tuple(chance.sample(any_scene.objects, len(any_scene.objects))),
    )
    assert deadlocks(shuffled) == deadlocks(any_scene)


@given(pipe_scenes())
def test_judging_twice_says_the_same(any_scene: Scene) -> None:
    judged = judge(any_scene)
    assert judge(judged) == judged


@given(pipe_scenes())
def test_every_finding_is_a_sentence_that_names_who_is_in_it(any_scene: Scene) -> None:
    for finding in deadlocks(any_scene):
        assert finding.because.endswith(".")
        named = [pid for pid in finding.processes if f"`p{pid}`" in finding.because]
        assert len(named) >= min(len(finding.processes), 4)
