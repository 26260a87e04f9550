"""Many answers -> a gradebook.

    collecting.py  a folder of submissions -> the answers in it, and a sentence for whatever is not right
    marks.py       what is kept of one learner's exercise; pure
    journal.py     marks on disk: a line each, never lost, never doubled
    worker.py      a process that has one answer after the other judged, each by a judge of its own
    marking.py     answers -> marks, by several workers at a time
    gradebook.py   marks -> gradebook.csv, results.json, pages for learners, a summary

A submission is never trusted: only the text of its answer cells is taken from it, and that text runs
nowhere but behind the strict wall of `labkit.judge.sandbox`.
"""
