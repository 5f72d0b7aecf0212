"""What a benchmark is made from, and who of it trains, validates and tests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from face3d.errors import SchemaError
from face3d.simulate.scanners import SCANNERS

FROZEN = ("face3d-bench-v1", "face3d-bench-v2")


#: Movement sets of `HeadModel`, Waters' muscles, and "transfer": "a" to train and validate, the two others in turn to
#: test, so that nothing is tested on the movements that it was built on.
MOVEMENTS = ("a", "b", "waters", "transfer")


#: What patients can be examined before and after; "" for a single examination.
TREATMENTS = ("", "reanimation", "botulinum")

# Of twenty subjects in a row, 14 train, 3 validate and 3 test: the split needs no list and no total.
_SPLIT = ("train",) * 14 + ("val",) * 3 + ("test",) * 3


@dataclass(frozen=True)
class Definition:
    """All that a benchmark is made from. `movement` one of `MOVEMENTS`; `points` a scan's vertices (surface
    scanners); `color` vertex colours; `sequences` each expression in time as well; `treatment` one of `TREATMENTS`:
    patients only, each before and after it; `people` 1: as they were drawn for face3d-bench-v1, 2: as they are now."""

    name: str = "simulated"
    seed: int = 0
    subjects: int = 20
    scanner: str = "stereophotogrammetry"
    points: int = 20_000
    movement: str = "a"
    color: bool = False
    sequences: bool = False
    treatment: str = ""
    people: int = 2

    def __post_init__(self) -> None:
        if self.subjects < 1 or self.points < 200 or self.seed < 0:
            raise SchemaError(
                f"benchmark {self.name}: subjects {self.subjects}, points {self.points}, seed {self.seed}; expected at "
                "least 1, 200 and 0"
            )
        if self.scanner not in SCANNERS:
            raise SchemaError(f"benchmark {self.name}: scanner {self.scanner!r}; known are {', '.join(SCANNERS)}")
        if self.movement not in MOVEMENTS:
            raise SchemaError(f"benchmark {self.name}: movement {self.movement!r}; known are {', '.join(MOVEMENTS)}")

        if self.treatment not in TREATMENTS:
            known = ", ".join(t for t in TREATMENTS if t)
            raise SchemaError(f"benchmark {self.name}: treatment {self.treatment!r}; known are {known}")
        if self.people not in (1, 2):
            raise SchemaError(f"benchmark {self.name}: people {self.people}; known are 1 and 2")

    @classmethod
    def of(cls, content: dict[str, Any]) -> Definition:
        """From what `to_json` wrote. What does not say which people it has is older than the second ones."""
        return cls(**{"people": 1, **content})

    @classmethod
    def frozen(cls, name: str) -> Definition:
        """A definition that will not change any more, by name (`FROZEN`)."""
        if name not in FROZEN:
            raise SchemaError(f"no frozen benchmark {name!r}; known are {', '.join(FROZEN)}")
        return cls.of(_frozen(name)["definition"])

    def subject(self, number: int) -> str:
        """Pseudonym of a subject."""
        return f"p{number:04d}"

    def split(self, number: int) -> str:
        """ "train", "val" or "test": by subject, the same for every benchmark of whatever size."""
        return _SPLIT[number % len(_SPLIT)]

    def movement_of(self, number: int) -> str:
        """The movement set of a subject: "a", "b" or "waters"."""
        if self.movement != "transfer":
            return self.movement
        return "a" if self.split(number) != "test" else ("b", "waters")[number % 2]

    def stream(self, number: int, purpose: str) -> np.random.Generator:
        """The random stream of one subject for one purpose. Adding a purpose never changes another's numbers."""
        key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "little")
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, key)))

    def to_json(self) -> str:
        """As written beside the exams; of the first people, to the byte as it was written then."""
        content = asdict(self)
        if self.people == 1:
            del content["people"]
        if not self.treatment:
            del content["treatment"]
        return json.dumps(content, indent=1, sort_keys=True) + "\n"


@lru_cache(maxsize=4)
def _frozen(name: str) -> dict[str, Any]:
    return json.loads(files("face3d").joinpath(f"data/{name}.json").read_text(encoding="utf-8"))


def frozen_rules(name: str) -> dict[str, dict[str, Any]]:
    """Rules of the scales that a frozen benchmark keeps where today's are others; empty for what is not frozen."""
    return _frozen(name).get("scale_rules", {}) if name in FROZEN else {}
