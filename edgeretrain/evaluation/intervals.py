"""How far an accuracy that was measured on few photos may be from that on many."""

import math

_Z = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


def wilson(top1: float, photos: int) -> tuple[float, float]:
    """95 % interval of an accuracy measured on so many photos; (0, 1) for none.

    Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, pages 209 to 212), without continuity
    correction: unlike plus or minus 1.96 standard errors it stays sensible near 100 % and for few photos.
    """
    if photos == 0:
        return 0.0, 1.0
    spread = _Z * math.sqrt(top1 * (1 - top1) / photos + _Z**2 / (4 * photos**2))
    centre, scale = top1 + _Z**2 / (2 * photos), 1 + _Z**2 / photos
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
