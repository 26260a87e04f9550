# fails: lets nobody go on before both are there, in every order
# hears: Somebody went on when only one of the two was there
def meet(gate, before, after):
    before()
    gate.acquire()
    after()
