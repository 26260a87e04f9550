# fails: lets nobody go on before both are there, in every order
# hears: goes on and on while nobody else does anything. Does somebody look again and again
import os


def meet(gate, before, after):
    before()
    gate.acquire()
    while gate.value > 0:
        os.sched_yield()
    after()
