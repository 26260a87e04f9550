"""The process that starts and owns every program of a notebook: `python -m labkit.supervisor`.

`loop` is its heart; `requests` what the notebook may ask; `spawn`, `program`, `stdin` and `output` are one
program; `marks` and `family` say whose a process is; `journal`, `belongings` and `inheriting` see to it that
nothing is left; `pictures` and `notebook` look, when `runs` says that somebody has run; `plumbing` knows
what of the notebook's is Jupyter's; `watchdog` frees an owner that a program
holds.
"""
