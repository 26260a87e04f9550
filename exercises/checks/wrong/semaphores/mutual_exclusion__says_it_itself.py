# fails: lets one process in at a time, and each of them once, in every order
# hears: were in `use` at the same time
def work(gate, use):
    said = next(cell.cell_contents for cell in use.__closure__ if hasattr(cell.cell_contents, "send"))
    said.send(b"use in")
    said.send(b"use out")
