"""Leads programs so that one process runs at a time, and knows when each is asleep.

A conductor seizes the programs it starts and all their descendants, and stops each before every call
that matters. Who asks decides who goes next:

    conductor.ready()       tasks that could go on
    conductor.approach(t)   t goes on to its next call that matters (or a signal, or its end)
    conductor.perform(t)    t makes that call; whoever this wakes stands at the end of its own call

After both, everything stands still: each task is at a stop, or proven to be asleep. Everything is
pinned to one processor, so that whom a call wakes is seen awake at once.

It lives in a process of its own with one thread (a tracer is a thread), and with it die all it leads.

What a program can notice of being led, if it looks:

- it has one processor (`sched_getaffinity`), its memory lies at the same addresses every time, and its
  output goes to a terminal of ours;
- `TracerPid` and `Seccomp` in /proc/self/status are not 0, and a debugger of its own cannot attach
  (PTRACE_TRACEME fails with EPERM);
- programs with set-user-id bits gain no rights (PR_SET_NO_NEW_PRIVS);
- orphans get the conductor for a parent, not init;
- calls take longer, while timers and clocks run on. Signals that it ignores wake its sleeping calls for an
  instant, but no call ends by that: those the kernel would end with EINTR are started again.
- Being stopped and continued is as it always is: `semop`, `msgrcv`, `epoll_wait` then give EINTR.
"""

from __future__ import annotations

from labkit.conductor.leading import Conductor
from labkit.conductor.standing import TimeUp, TooMuchOutput
from labkit.conductor.start import find_program

__all__ = ["Conductor", "TimeUp", "TooMuchOutput", "find_program"]
