def write_all(fd, data):
    """Blocking, whatever the other descriptor says."""
    with open(f"/proc/self/fd/{fd}", "wb", buffering=0) as pipe:
        while data:
            data = data[pipe.write(data) :]
