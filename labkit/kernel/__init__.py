"""The only code that touches the Linux kernel; one file per interface."""
