"""The part of a picture that was asked for, and its numbers."""

import pytest

from labkit.errors import LabError
from labkit.focus import focus, renumbered
from labkit.scene import Blocked, Deadlock, Descriptor, End, Pipe, Process, Scene


def picture():
    def pipe(number, pid):
        return Pipe(
            id=f"pipe-{number}",
            kind="pipe",
            name=f"pipe {number}",
            head=b"pipe-7",
            readers=(End(pid, 3),),
            notes=(f"pipe-{number} is full",),
        )

    def process(pid, name, object):
        return Process(
            pid=pid,
            ppid=1,
            name=name,
            command="x",
            state="sleeping",
            blocked=Blocked("read", 3, object),
            descriptors=(Descriptor(3, object, "r"),),
        )

    return Scene(
        processes=(
            process(7, "reader", "pipe-9"),
            process(8, "reader/child", "pipe-7"),
            process(9, "other", "pipe-1"),
        ),
        objects=(pipe(1, 9), pipe(7, 8), pipe(9, 7)),
        deadlocks=(Deadlock((7,), "`reader` waits in read(3) for pipe-9, and pipe-70 is no name here."),),
    )


def test_a_program_brings_its_children_and_what_they_reach():
    seen = focus(picture(), ["reader"])
    assert [p.name for p in seen.processes] == ["reader", "reader/child"]
    assert [o.id for o in seen.objects] == ["pipe-7", "pipe-9"]
    assert len(seen.deadlocks) == 1


def test_an_object_brings_those_who_reach_it():
    seen = focus(picture(), ["pipe-1"])
    assert [p.name for p in seen.processes] == ["other"]
    assert seen.deadlocks == ()


def test_what_is_not_there_is_named_with_what_is():
    with pytest.raises(LabError, match=r"'ghost' here \(there is: reader, reader/child, other, pipe-1"):
        focus(picture(), ["ghost"])
    with pytest.raises(LabError, match=r"'ghost' here: nothing runs\."):
        focus(Scene(), ["ghost"])


def test_a_still_counts_its_objects_from_one_as_its_processes_reach_them():
    seen = renumbered(picture())
    assert [p.descriptors[0].object for p in seen.processes] == ["pipe-1", "pipe-2", "pipe-3"]
    assert [p.blocked.object for p in seen.processes] == ["pipe-1", "pipe-2", "pipe-3"]
    assert [(o.id, o.name, o.notes) for o in seen.objects] == [
        (f"pipe-{n}", f"pipe {n}", (f"pipe-{n} is full",)) for n in (1, 2, 3)
    ]
    assert seen.deadlocks[0].because == "`reader` waits in read(3) for pipe-1, and pipe-70 is no name here."


def test_renumbering_leaves_what_programs_wrote_as_it_is():
    assert {o.head for o in renumbered(picture()).objects} == {b"pipe-7"}
    assert renumbered(renumbered(picture())) == renumbered(picture())
