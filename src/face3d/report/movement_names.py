"""Movement units in words: a report speaks of what a face does, not of what an animation program calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS: Mapping[str, str] = {
    "browDown": "brow drawn down",
    "browInnerUp": "inner brow raised",
    "browOuterUp": "outer brow raised",
    "cheekPuff": "cheek puffed",
    "cheekSquint": "cheek raised",
    "eyeBlink": "eye closed",
    "eyeSquint": "eye narrowed",
    "eyeWide": "eye opened wide",
    "jawForward": "jaw forward",
    "jawSide": "jaw to this side",
    "jawOpen": "jaw opened",
    "mouthClose": "lips closed over the jaw",
    "mouthDimple": "mouth corner drawn in",
    "mouthFrown": "mouth corner drawn down",
    "mouthFunnel": "lips funnelled",
    "mouthSide": "mouth drawn to this side",
    "mouthLowerDown": "lower lip drawn down",
    "mouthPress": "lips pressed",
    "mouthPucker": "lips puckered",
    "mouthRollLower": "lower lip rolled in",
    "mouthRollUpper": "upper lip rolled in",
    "mouthShrugLower": "lower lip pushed up",
    "mouthShrugUpper": "upper lip pushed up",
    "mouthSmile": "mouth corner raised (smile)",
    "mouthStretch": "mouth corner drawn sideward",
    "mouthUpperUp": "upper lip raised",
    "noseSneer": "nose wrinkled (snarl)",
}


def movement_text(unit: str) -> str:
    """mouthSmile -> "mouth corner raised (smile)"; of units without words of their own the name, spelled out."""
    name = unit.split(":")[-1]
    return _WORDS.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])|-", " ", name).lower()
