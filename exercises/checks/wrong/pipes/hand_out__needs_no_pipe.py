# fails: has all children at once, and none of them holds an end that it does not use
# hears: Child 2 holds 0 ends of pipes, 0 of them for writing. It needs one
import os
import signal


def hand_out(texts, out):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    children = []
    for text in texts:
        pid = os.fork()
        if pid == 0:
            signal.sigwait({signal.SIGUSR1})
            os.write(out, text.upper())
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.kill(pid, signal.SIGUSR1)
        os.waitpid(pid, 0)
