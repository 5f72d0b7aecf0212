"""Eyelids: they slide over the eyeball, stop when they meet, and the ball closes the surface between them.

A linear model carries lids along straight lines, through the ball and past each other. This puts that right after the
linear shape is made; it is the one part of the head model that is not linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from face3d.scan import Floats, Ints
from face3d.values import Value, locked

# The lid's edge stands this far off the ball, as in the rest shape of the source mesh. mm.
MARGIN_GAP = 0.6
# Skin that is nearer to the ball than a lid is thick was pushed into it. Upper lid, skin to conjunctiva, about 1 mm.
LID_THICKNESS = 1.0
# What stays open between lids that touch, so that their edges do not cross. mm.
CLOSED_GAP = 0.1
# Edges are curved and slide sideways as they close, so how far each column may go is found in steps.
MEETING_STEPS = 5


@dataclass(frozen=True, eq=False, repr=False)
class Eyes(Value):
    """The left (0) and right (1) eye of a head model with V vertices, K identity and M asymmetry shapes.

    `centers` (2, 3) mm of the balls; `identity` (K, 2, 3), `asymmetry` (M, 2, 3) move them; `balls` vertices of the
    sealing surface between the lids; `margins` the vertices around it; `edges` (2, N, 2) upper and lower lid's edge
    vertex, column by column from the inner to the outer corner, where they are one; `held` (2, L) vertices of the lids,
    `hold` (2, L, N) how far each goes with a column;
    `cover` (2, L) 0..1, how strictly it stays out of the ball.
    """

    centers: Floats
    identity: Floats
    asymmetry: Floats
    balls: Ints
    margins: Ints
    edges: Ints
    held: Ints
    hold: Floats
    cover: Floats

    def __post_init__(self) -> None:
        for name in ("centers", "identity", "asymmetry", "hold", "cover"):
            object.__setattr__(self, name, locked(getattr(self, name)))
        for name in ("balls", "margins", "edges", "held"):
            object.__setattr__(self, name, locked(getattr(self, name), np.int64))


# Lid skin follows the edge fully within NEAR mm of it and not at all beyond FAR, which is the brow's.
NEAR, FAR = 4.0, 15.0


def lids_of(vertices: Floats, opposite: Ints, ball: Ints, margin: Ints, edges: Ints) -> dict[str, Any]:
    """`balls`, `margins`, `edges`, `held`, `hold` and `cover` of both eyes from the left one's vertex numbers."""
    to_edge = np.linalg.norm(vertices[:, None, None] - vertices[edges], axis=3).min(axis=2)
    gap = to_edge.min(axis=1)
    is_ball = np.isin(np.arange(len(vertices)), ball)
    held = np.flatnonzero(((gap < FAR) & (vertices[:, 0] > 0)) | is_ball)
    t = np.clip((FAR - gap[held]) / (FAR - NEAR), 0, 1)
    fade = np.where(is_ball[held], 1.0, t * t * (3 - 2 * t))
    cover = np.where(is_ball[held], 0.0, np.clip(1.5 * fade, 0, 1))
    # A vertex goes with the columns next to it: one on the edge itself, more of them the farther away.
    near = np.exp(-(to_edge[held] ** 2 - gap[held, None] ** 2) / (2 * (0.5 + 0.3 * gap[held, None]) ** 2))
    hold = near / near.sum(axis=1, keepdims=True) * fade[:, None]
    sides = {"balls": ball, "margins": margin, "edges": edges, "held": held}
    return {k: np.stack([ids, opposite[ids]]) for k, ids in sides.items()} | {
        "hold": np.stack([hold] * 2),
        "cover": np.stack([cover] * 2),
    }


def settle_lids(eyes: Eyes, rest: Floats, moved: Floats, centers: Floats) -> Floats:
    """`moved` (V, 3) with lids that meet but do not cross, outside the eyeballs, and the balls between them.

    `rest` (V, 3) the same head without movement, `centers` (2, 3) its eyeballs' centres; mm.
    """
    out = moved.copy()
    for side in (0, 1):
        c, ball, margin, lid = centers[side], eyes.balls[side], eyes.margins[side], eyes.held[side]
        opening = openings(rest, eyes.edges[side])
        kept = np.ones(len(lid))
        for _ in range(MEETING_STEPS):
            left_open = openings(out, eyes.edges[side])
            if (left_open > 0.5 * CLOSED_GAP).all():
                break
            # The share of its movement that a column of lid can make before its edges meet.
            share = np.where(left_open < CLOSED_GAP, (opening - CLOSED_GAP) / np.maximum(opening - left_open, 1e-9), 1)
            kept *= 1.0 - eyes.hold[side] @ (1.0 - np.clip(share, 0, 1))
            out[lid] = rest[lid] + (moved[lid] - rest[lid]) * kept[:, None]
        radius = float(np.linalg.norm(rest[margin] - c, axis=1).mean()) - MARGIN_GAP
        away = out[lid] - c
        distance = np.linalg.norm(away, axis=1)
        stand_off = np.minimum(np.linalg.norm(rest[lid] - c, axis=1), radius + LID_THICKNESS)
        out[lid] += away * (np.maximum(stand_off - distance, 0.0) * eyes.cover[side] / distance)[:, None]
        from_c = out[ball] - c
        out[ball] = c + from_c * (radius / np.linalg.norm(from_c, axis=1))[:, None]
    return out


def openings(at: Floats, edges: Ints) -> Floats:
    """How far the upper lid's edge is above the lower one's (N,), mm, by columns; 1 at the corners, never closed."""
    upper, lower = at[edges[:, 0], :2], at[edges[:, 1], :2]
    along = lower[-1] - lower[0]  # away from the midline, on either side of the face
    along = along / np.linalg.norm(along)
    up = np.array([-along[1], along[0]]) * np.sign(along[0])
    under = (lower - lower[0]) @ along
    height = (upper - lower[0]) @ up - np.interp((upper - lower[0]) @ along, under, (lower - lower[0]) @ up)
    height[[0, -1]] = 1.0
    return height
