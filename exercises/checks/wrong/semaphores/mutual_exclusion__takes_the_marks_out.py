# fails: lets one process in at a time, and each of them once, in every order
# hears: were in `use` at the same time
import os

os.sched_yield = lambda: None


def work(gate, use):
    use()
