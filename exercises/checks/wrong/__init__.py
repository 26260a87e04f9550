"""Wrong answers that people really give, one file each: `TOPIC/EXERCISE__MISTAKE.py`.

Each begins with two comments: the criterion it must fail on first, and a part of the sentence it must
hear there. A test sees to it.
"""
