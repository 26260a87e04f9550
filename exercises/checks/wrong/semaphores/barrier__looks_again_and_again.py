# fails: lets nobody go on before both are there, in every order
# hears: Does somebody look again and again, instead of sleeping until it is time?
import os


def meet(gate, before, after):
    before()
    gate.acquire()
    while gate.value > 0:
        os.sched_yield()
    after()
