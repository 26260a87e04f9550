# fails: writes the five bytes of hello into the pipe
# hears: Nothing came out at the other end of the pipe.
def hello(w):
    print("hello", end="")
