"""The Jupyter kernel *Linux IPC*: ipykernel in a room, or without one where none can be had."""
