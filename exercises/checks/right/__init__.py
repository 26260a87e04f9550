"""Right answers that are not the master's, one file each: `TOPIC/EXERCISE__HOW.py`. Each must pass."""
