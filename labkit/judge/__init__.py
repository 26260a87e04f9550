"""An answer -> a report, found out from outside.

    asking.py    starts the judge's process, and hears its results one by one
    judging.py   the judge's process: every criterion in turn, then what is left behind
    answers.py   what a criterion is handed; all waiting is done there
    running.py   one process of an answer, as its judge sees it
    crashes.py   what an answer raised, with its own lines only
    claims.py    what an answer's side says of itself, read with suspicion
    resting.py   who does nothing at this moment
    ends.py      an end of a pipe in the judge's hands
    sockets.py   a socket in the judge's hands
    hangs.py     an answer that does not end: who waits for whom
    cage.py      the answer's processes: started, seen and ended from outside
    folders.py   folders that an answer may fill, used without following its links
    watch.py     what an answer takes of the machine as a whole
    witness.py   a second pair of eyes, in the answer's IPC namespace
    sandbox.py   walls around an answer
    nursery.py   the process that answers are born from: on the other side of the wall, and not believed

What is on this side never runs, imports or unpickles anything of an answer's; what comes from the other
side is a claim, and counts when the Linux kernel bears it out.
"""
