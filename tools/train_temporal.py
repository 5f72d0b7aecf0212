"""Learns healthy movement (`grading/temporal.py`): predictors of one side by the other, and the healthy envelope.

    python tools/train_temporal.py --work FOLDER [--people 36]

Healthy simulated people only (tools/moved_people.py), made where they are not in FOLDER. Each of the four predictors
never sees one kind of people; limits come from what each says of the kind that it did not see.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from face3d.grading.healthy_motion import HealthyMotion, amplitude, inputs
from face3d.grading.temporal import HIGH, judged
from face3d.grading.ways import MADE, PLACES, ways_of
from face3d.grading.weights import save_grader
from face3d.landmarks import SIDES
from face3d.scan import Floats
from moved_people import Moved, moved
from training_people import EMBEDDED

DATA = Path(__file__).parents[1] / "src/face3d/data"
SEED = 31
SIZE = {"members": len(EMBEDDED), "width": 48}
STEPS, BATCH, CROP, RATE, DECAY = 300, 16, 96, 3e-3, 0.02
#: The envelope holds all but this share of healthy sides at either end.
BEYOND = 0.01
#: Share of healthy recordings below the limits.
BELOW = 0.99


def learned(people: Sequence[Moved]) -> tuple[HealthyMotion, Floats]:
    """The networks with limits and envelope; and of each person the highest of their places, in units of its limit,
    by the predictor that did not see their kind."""
    kinds = [p.facts["kind"] for p in people]
    network = HealthyMotion(**SIZE)
    seen = [ways_of(p.names, p.times_s, p.away_mm) for p in people]
    for k, kind in enumerate(EMBEDDED):
        torch.manual_seed(k)
        rng = np.random.default_rng(k)
        train(network.members[k], [w for (_, w), own in zip(seen, kinds, strict=True) if own != kind], rng)
    network.eval()
    high, off = np.zeros((len(people), len(PLACES))), []
    for i, (times, ways) in enumerate(seen):
        predicted = network.predict(ways, (EMBEDDED.index(kinds[i]),))
        one = judged(times, ways, predicted, np.ones(len(PLACES)), 1.0)
        off.append((one.missing / one.missing_se).ravel())
        high[i] = np.nanquantile(one.score, HIGH, axis=0).max(axis=1)
    usual = np.quantile(high, 0.9, axis=0)
    limits = usual * np.quantile((high / usual).max(axis=1), BELOW)
    network.limits.copy_(torch.from_numpy(limits))
    # Healthy people miss nothing: 95 of 100 instants shall lie within 1.96 standard errors of 0.
    network.spread.fill_(float(np.nanquantile(np.abs(np.concatenate(off)), 0.95)) / 1.96)
    for name, value in zip(("toward", "low", "high"), envelope(people), strict=True):
        getattr(network, name).copy_(torch.from_numpy(value))
    return network, (high / limits).max(axis=1)


def train(predictor: torch.nn.Module, ways: Sequence[Floats], rng: np.random.Generator) -> None:
    """On healthy ways (T, 2, R, 3), each side predicted from the other, in crops of some seconds."""
    both = [torch.from_numpy(inputs(w, amplitude(w))).float() for w in ways]
    optimizer = torch.optim.AdamW(predictor.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
    for _ in range(STEPS):
        given, asked = [], []
        for k in rng.integers(len(both), size=BATCH):
            start, side = int(rng.integers(both[k].shape[2] - CROP)), int(rng.integers(2))
            # How large a person's movements are, is known up to a tenth.
            part = both[k][:, :, start : start + CROP] * float(rng.lognormal(0, 0.1))
            given.append(part[side])
            asked.append(part[1 - side])
        mean, spread = predictor(torch.stack(given))
        loss = unlikely(mean, spread, torch.stack(asked))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(predictor.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def unlikely(mean: Tensor, log_sd: Tensor, asked: Tensor) -> Tensor:
    """Minus the logarithm of the likelihood under a normal distribution, but for a constant."""
    return (log_sd + 0.5 * ((asked - mean) * (-log_sd).exp()) ** 2).mean()


def envelope(people: Sequence[Moved]) -> tuple[Floats, Floats, Floats]:
    """`toward` (E, R, 3), `low`, `high` (E, R) mm of the healthy, both sides as one."""
    toward = np.zeros((len(MADE), len(PLACES), 3))
    low, high = np.zeros((2, len(MADE), len(PLACES)))
    for e, expression in enumerate(MADE):
        for r, place in enumerate(PLACES):
            found = []
            for p in people:
                if expression in p.apexes:
                    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
                        found.append(
                            p.away_mm[p.apexes[expression], p.names.index(f"{place}_{side}")] * (sign, 1.0, 1.0)
                        )
            ways = np.array(found)
            ways = ways[np.isfinite(ways).all(axis=1)]
            mean = ways.mean(axis=0)
            toward[e, r] = mean / max(float(np.linalg.norm(mean)), 1e-9)
            low[e, r] = np.quantile(ways @ toward[e, r], BEYOND)
            high[e, r] = np.quantile(np.linalg.norm(ways, axis=1), 1 - BEYOND)
    return toward, low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the people")
    parser.add_argument("--people", type=int, default=36)
    parser.add_argument("--out", type=Path, default=DATA / "temporal.safetensors")
    a = parser.parse_args()
    torch.set_num_threads(1)
    people = [moved(a.work, SEED, k, 1) for k in range(a.people)]
    network, highest = learned(people)
    card = {
        "name": "face3d healthy motion",
        "architecture": "healthy_motion",
        "size": SIZE,
        "intended_use": "Research on facial palsy from recorded movement. Not a medical device; no clinical decision.",
        "data": f"{a.people} healthy simulated people of kinds {', '.join(EMBEDDED)}, seed {SEED}, nine expressions "
        "each at 15 frames a second, with noise of tracking; no real person",
        "made_by": "tools/train_temporal.py",
        "training": {"steps": STEPS, "batch": BATCH, "crop": CROP, "rate": RATE, "decay": DECAY},
        "never_saw": [[kind] for kind in EMBEDDED],
        "unseen_kind": {
            "median": round(float(np.median(highest)), 3),
            "share_above_1": round(float((highest > 1).mean()), 3),
        },
        "limits": [
            "Learned on simulated movement only; never tested on patients.",
            "The two sides are compared: a palsy of both sides is seen by the envelope alone.",
        ],
    }
    save_grader(a.out, [network], card)
    print({k: card[k] for k in ("data", "unseen_kind")})


if __name__ == "__main__":
    main()
