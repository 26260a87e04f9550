"""Makes `pytest --nbval` trustworthy for this course's notebooks, from whichever folder it is run."""

pytest_plugins = ["labkit.nbval_plugin"]
