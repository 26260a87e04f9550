"""One module a topic: its exercises, their hints and their criteria (see CONTRIBUTING.md)."""
