# fails: lets nobody go on before both are there, in every order
# hears: In some order nobody can go on
def meet(gate, before, after):
    before()
    gate.value = gate.value - 1
    gate.Z()
    after()
