"""Colours as people see them: contrast, and how far apart two are, also for the colour-blind.

The three matrices are those of Machado, Oliveira and Fernandes (2009) for a full deficiency; they turn
linear RGB into the linear RGB that looks the same to such a person. Distances are CIE76: the length of
the difference in L*a*b*, in which about 2 can just be noticed side by side.
"""

from __future__ import annotations

import math

Colour = tuple[float, float, float]

SEEN_BY = {
    "everybody": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> Colour:
    """`#rrggbb` or `#rgb` as linear RGB from 0 to 1."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return _straight(red), _straight(green), _straight(blue)


def _straight(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def seen(colour: str, by: str) -> Colour:
    """The colour as such a person sees it, as linear RGB."""
    rgb = linear(colour)
    made = [sum(m * c for m, c in zip(row, rgb, strict=True)) for row in SEEN_BY[by]]
    red, green, blue = (min(max(part, 0.0), 1.0) for part in made)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG, from 1 to 21."""
    lighter, darker = sorted((_luminance(linear(one)), _luminance(linear(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Colour) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def distance(one: str, other: str, by: str = "everybody") -> float:
    """How different two colours look to such a person."""
    return math.dist(_lab(seen(one, by)), _lab(seen(other, by)))


def _lab(rgb: Colour) -> Colour:
    r, g, b = rgb
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (_root(part) for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _root(part: float) -> float:
    return part ** (1 / 3) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116
