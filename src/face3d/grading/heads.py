"""What every network says of an exam, made from its two halves in the same way, and the loss over what is known.

The two sides enter alike: exchanging them exchanges what is said of left and right, and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from face3d.grading.example import EFACE, LABELLED_SIDES, Example
from face3d.reference.scales import REGIONS, HouseBands, sunnybrook_scores

#: Severity above which House-Brackmann is at least II, III, IV, V, VI (`HouseBands`); where learning starts from.
CUTS = tuple(
    round(1.0 - low, 6)
    for low in (
        HouseBands.normal,
        HouseBands.mild,
        HouseBands.moderate,
        HouseBands.moderately_severe,
        HouseBands.severe,
    )
)
#: How much the lost share of each region counts, where learning starts: in the grade by movement House's brow and
#: mouth, with a trace of the others; in the descriptive grade all, the eye first, as the table's words have it.
HEARD: Mapping[str, Mapping[str, float]] = {
    "movement": {"brow": 0.47, "eye": 0.02, "midface": 0.02, "mouth": 0.47, "lower_lip": 0.02},
    "descriptive": {"brow": 0.2, "eye": 0.3, "midface": 0.1, "mouth": 0.3, "lower_lip": 0.1},
}
#: And how much of what is left the worst asymmetry at rest and the worst synkinesis take, there.
_TAKEN: Mapping[str, tuple[float, float]] = {"movement": (0.003, 0.003), "descriptive": (0.1, 0.1)}
_RESTING_TOP = (1.0, 2.0, 1.0)
_EFACE_TOP = tuple(200.0 if "rest" in name or "fold" in name else 100.0 for name in EFACE)
#: Least spread of severity, a part of its range: no exam is known better than this.
LEAST_SPREAD = 0.008


class Outputs(NamedTuple):
    """What is said of B exams. `grade_probabilities` (B, 6) House-Brackmann I..VI; `severity` (B,) 0..1, House's lost
    share on the weaker side; `side_logits` (B, 3) left, right, none; `function` (B, 2, 5) left and right, of `REGIONS`,
    0..1, a healthy side 1; Sunnybrook items `resting` (B, 3), `voluntary` (B, 5), `synkinesis` (B, 5); `eface` (B, 15)
    items in the order of `EFACE`; `descriptive` (B, 6) the probabilities of the table's grades."""

    grade_probabilities: Tensor
    severity: Tensor
    side_logits: Tensor
    function: Tensor
    resting: Tensor
    voluntary: Tensor
    synkinesis: Tensor
    eface: Tensor
    descriptive: Tensor

    @property
    def composite(self) -> Tensor:
        """(B,) Sunnybrook composite of the items, not rounded."""
        return sunnybrook_scores(self.resting.sum(1), self.voluntary.sum(1), self.synkinesis.sum(1)).composite


def mean_outputs(several: Sequence[Outputs]) -> Outputs:
    """What an ensemble says: means; of the side the mean probability, as its logarithm."""
    mean = Outputs(*(torch.stack(values).mean(dim=0) for values in zip(*several, strict=True)))
    chance = torch.stack([o.side_logits.softmax(dim=1) for o in several]).mean(dim=0)
    return mean._replace(side_logits=chance.clamp_min(1e-9).log())


class Heads(nn.Module):
    """From halves to `Outputs`.

    `forward` takes `regions` (B, 2, 5, D), what was seen of each region of the left and the right side, and `whole`
    (B, 2, D), what was seen of each side. Severity is a weighted mean of what the weaker side has lost in each region,
    and of what is left asymmetry at rest and synkinesis take a part: it never falls when a region loses function, and
    never contradicts what is said of the regions. Grades follow by a cumulative link (McCullagh 1980) with cut points
    and a spread that depends on the exam; the descriptive grade the same, with its own weights, cut points and spread.
    """

    resting_top: Tensor
    eface_top: Tensor

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.region = nn.Parameter(torch.randn(len(REGIONS), width) * width**-0.5)
        self.region_bias = nn.Parameter(torch.full((len(REGIONS),), 1.0))
        self.side = nn.Linear(width, 1)
        self.neither = nn.Linear(width, 1)
        self.side_gain = nn.Parameter(torch.tensor(8.0))
        self.weak_gain = nn.Parameter(torch.tensor(12.0))
        self.heard = nn.Parameter(torch.tensor([[HEARD[k][r] for r in REGIONS] for k in HEARD]).log())
        self.taken = nn.Parameter(torch.tensor([_TAKEN[k] for k in HEARD]).logit())
        self.cuts = nn.Parameter(torch.tensor(CUTS))
        self.descriptive_cuts = nn.Parameter(torch.tensor(CUTS))
        self.descriptive_spread = nn.Parameter(torch.tensor(0.06).log())
        self.spread_gain = nn.Parameter(torch.zeros(()))  # logarithm; learned on exams held out
        both = 2 * width + len(REGIONS)
        last = nn.Linear(32, 1)
        nn.init.constant_(last.bias, -3.0)  # softplus: 0.05
        self.spread = nn.Sequential(nn.Linear(both, 32), nn.GELU(), last)
        items = len(_RESTING_TOP) + 10 + len(EFACE)
        self.items = nn.Sequential(
            nn.Linear(both, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, items)
        )
        self.register_buffer("resting_top", torch.tensor(_RESTING_TOP), persistent=False)
        self.register_buffer("eface_top", torch.tensor(_EFACE_TOP), persistent=False)

    def forward(self, regions: Tensor, whole: Tensor) -> Outputs:
        """`regions` (B, 2, 5, D) of each side's regions, `whole` (B, 2, D) of each side -> what is said of B exams."""
        function = torch.sigmoid((regions * self.region).sum(-1) + self.region_bias)
        lost = (1.0 - function) @ self.heard.softmax(dim=1).T  # (B, 2, kinds of grade)
        ahead = self.side_gain * (lost[..., 0] - lost[..., 0].flip(1)) + self.side(whole).squeeze(-1)
        side = torch.cat([ahead, self.neither(whole.mean(dim=1))], dim=1)
        # The weaker side first, without a jump where the two change places.
        weak = torch.softmax(self.weak_gain * lost[..., 0], dim=1)
        weaker, stronger = (whole * weak[..., None]).sum(1), (whole * weak.flip(1)[..., None]).sum(1)
        both = torch.cat([weaker, stronger, (function * weak[..., None]).sum(1)], dim=1)
        items = torch.sigmoid(self.items(both))
        beside = torch.stack([items[:, :3].mean(1), items[:, 8:13].mean(1)], dim=1)  # (B, 2) at rest, synkinesis
        left_over = (1.0 - self.taken.sigmoid() * beside[:, None]).prod(dim=2)  # (B, kinds of grade)
        severity = 1.0 - (1.0 - lost.amax(dim=1)) * left_over
        spread = (LEAST_SPREAD + F.softplus(self.spread(both).squeeze(-1))) * self.spread_gain.exp()
        return Outputs(
            cumulative(severity[:, 0], self.cuts, spread),
            severity[:, 0],
            side,
            function,
            items[:, :3] * self.resting_top,
            1 + 4 * items[:, 3:8],
            3 * items[:, 8:13],
            items[:, 13:] * self.eface_top,
            cumulative(severity[:, 1], self.descriptive_cuts, self.descriptive_spread.exp() * torch.ones_like(spread)),
        )


def cumulative(severity: Tensor, cuts: Tensor, spread: Tensor) -> Tensor:
    """(B, 6) probabilities of grades by severity (B,), cut points (5,) and the logistic's scale `spread` (B,)."""
    above = torch.sigmoid((severity[:, None] - cuts.sort().values) / spread[:, None])
    edge = torch.ones_like(above[:, :1])
    return (torch.cat([edge, above], dim=1) - torch.cat([above, 0 * edge], dim=1)).clamp_min(1e-6)


class Grader(nn.Module):
    """What all networks share: `seen(batch)` looks at an exam and gives what `Heads.forward` takes; the heads say."""

    #: What of a batch it looks at.
    uses: tuple[str, ...] = ()

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.heads = Heads(width, dropout)

    def seen(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(B, 2, 5, D) of each region of the left and the right side, (B, 2, D) of each side."""
        raise NotImplementedError

    def forward(self, batch: Mapping[str, Tensor]) -> Outputs:
        """What is said of the B exams of a batch (`batch_of`)."""
        return self.heads(*self.seen(batch))


def targets_of(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Labels as tensors, NaN where not known; `grade` and `descriptive` 0..5 and `side` 0..2 are -1
    there. The function of both sides
    follows from that of the affected one: a healthy side has all of it."""
    whole = ("grade", "side", "descriptive")
    rows: dict[str, list[object]] = {k: [] for k in (*whole, "severity", "function", "resting", "voluntary")}
    rows |= {"synkinesis": [], "composite": [], "eface": []}
    for example in examples:
        label = example.labels
        rows["descriptive"].append(-1 if label.descriptive is None else label.descriptive - 1)
        rows["grade"].append(-1 if label.house_brackmann is None else label.house_brackmann - 1)
        rows["side"].append(LABELLED_SIDES.index(label.side) if label.side in LABELLED_SIDES else -1)
        rows["severity"].append(label.severity)
        one, healthy, unknown = label.region_function, (1.0,) * len(REGIONS), (float("nan"),) * len(REGIONS)
        by_side = {"left": (one, healthy), "right": (healthy, one), "none": (healthy, healthy)}
        rows["function"].append(by_side.get(label.side or "", (unknown, unknown)))
        for name in ("resting", "voluntary", "synkinesis", "composite", "eface"):
            rows[name].append(getattr(label, name))
    return {k: torch.tensor(v, dtype=torch.long if k in whole else torch.float32) for k, v in rows.items()}


#: How much each part counts. Function and grade are what is asked; the items are learned along.
WEIGHTS: Mapping[str, float] = {
    "function": 8.0,
    "severity": 4.0,
    "grade": 1.0,
    "descriptive": 0.3,
    "side": 0.3,
    "resting": 0.15,
    "voluntary": 0.15,
    "synkinesis": 0.15,
    "composite": 0.02,
    "eface": 0.02,
}


def loss_of(said: Outputs, known: Mapping[str, Tensor], grade_weights: Tensor | None = None) -> dict[str, Tensor]:
    """The parts of the loss, each a scalar, weighted; what is not known counts nothing. `grade_weights` (6,): how much
    an exam of each grade counts, against imbalance."""
    grade = known["grade"]
    graded = grade >= 0
    weight = torch.ones_like(said.severity)
    if grade_weights is not None:
        weight = torch.where(graded, grade_weights.to(weight)[grade.clamp_min(0)], weight)
    parts = {
        "grade": _unlikely(said.grade_probabilities, grade),
        "descriptive": _unlikely(said.descriptive, known["descriptive"]),
        "side": F.cross_entropy(said.side_logits, known["side"], ignore_index=-1, reduction="none"),
        "severity": _distance(said.severity[:, None], known["severity"][:, None], 0.03),
        "composite": _distance(said.composite[:, None], known["composite"][:, None], 3.0),
    }
    for name, bend in (("function", 0.03), ("resting", 0.2), ("voluntary", 0.3), ("synkinesis", 0.3), ("eface", 5.0)):
        parts[name] = _distance(getattr(said, name).flatten(1), known[name].flatten(1), bend)
    return {name: WEIGHTS[name] * (value * weight).mean() for name, value in parts.items()}


def _unlikely(probabilities: Tensor, grade: Tensor) -> Tensor:
    """(B,) minus the logarithm of the true grade's probability; 0 where nobody said it."""
    return -probabilities.log().gather(1, grade.clamp_min(0)[:, None]).squeeze(1) * (grade >= 0)


def _distance(said: Tensor, known: Tensor, bend: float) -> Tensor:
    """(B,) mean absolute difference, rounded off below `bend`, over what is known; 0 where nothing is."""
    there = torch.isfinite(known)
    off = F.smooth_l1_loss(said, torch.where(there, known, said.detach()), reduction="none", beta=bend)
    return off.sum(1) / there.sum(1).clamp_min(1)
