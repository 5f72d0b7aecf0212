"""Anomaly of movement: healthy against ill, and where; and whether a grade over time is better than one of apexes.

    python benchmarks/temporal.py [--healthy 16] [--ill 24] [--seed 7300] [--work FOLDER]   anomaly, on fresh people
    python benchmarks/temporal.py --grade FOLDER    severity over time against apexes alone, left-out subjects

Simulated people (tools/moved_people.py) make the nine expressions in one recording, with noise of tracking.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.grading.temporal import AGAINST, HYPER, HYPO, judged, outside, shipped
from face3d.grading.ways import MADE, PLACES, ways_of
from face3d.scan import Floats
from face3d.threads import one_torch_thread
from moved_people import Moved, moved
from shown import Shown, number, numbers

#: region -> branches whose muscles move it (simulate.expressions.DRIVEN_BY)
BRANCHES = {
    **dict.fromkeys(("forehead", "brow"), ("temporal",)),
    **dict.fromkeys(("upper_lid", "lower_lid"), ("zygomatic",)),
    **dict.fromkeys(("cheek", "nasolabial", "commissure"), ("zygomatic", "buccal")),
    **dict.fromkeys(("nose", "upper_lip"), ("buccal",)),
    **dict.fromkeys(("lower_lip", "chin"), ("marginal", "buccal")),
}
#: A branch is called weak that has lost this share of what the weakest has lost.
WEAK = 0.75


def auc(healthy: Floats, ill: Floats) -> float:
    """Share of pairs in which the ill one is higher; equals count half."""
    return float((np.sign(ill[:, None] - healthy[None]) / 2 + 0.5).mean())


def interval(values: Sequence[float], statistic=np.mean) -> str:
    """95 % by resampling."""
    x, rng = np.asarray(values, float), np.random.default_rng(0)
    low, high = np.quantile([statistic(x[rng.integers(len(x), size=len(x))]) for _ in range(2000)], (0.025, 0.975))
    return f"{statistic(x):.3f} ({low:.3f} to {high:.3f})"


def anomalies(folder: Path, seed: int, healthy: int, ill: int) -> None:
    network = shipped()
    limits, spread = network.limits.double().numpy(), float(network.spread)
    totals: dict[int, list[float]] = {}
    sides, branches, weakest, strange, cover, off, severity = [], [], [], [], [], [], []
    for grade, count in ((1, healthy), (2, ill // 3), *((g, ill // 4) for g in (3, 4, 5, 6))):
        for k in range(count):
            person = moved(folder, seed, k, grade)
            times, ways = ways_of(person.names, person.times_s, person.away_mm)
            with one_torch_thread():
                predicted = network.predict(ways)
            apexes = [(i + 1, e, frame) for i, (e, frame) in enumerate(person.apexes.items())]
            out = outside(network, person.names, person.away_mm, apexes)
            one = judged(times, ways, predicted, limits, spread, out)
            totals.setdefault(grade, []).append(one.total)
            severity.append(float(np.nanmean(one.missing, axis=0).max()) - person.facts["severity"])
            if grade == 1:
                strange.append([sum(s.name == n for s in out) for n in (HYPO, HYPER, AGAINST)])
                off_se = np.abs(one.missing / one.missing_se)
                cover.append((off_se[np.isfinite(off_se)] < 1.96).mean())
            if grade >= 3:
                place, side = one.weakest or ("", "")
                lost = {b: 1 - f for b, f in person.facts["branches"].items()}
                here = [lost[b] for b in BRANCHES.get(place, ())]
                sides.append(float(side == person.facts["side"]))
                branches.append(sides[-1] * float(max(here, default=0.0) >= WEAK * max(lost.values())))
                weakest.append(sides[-1] * float(max(here, default=0.0) == max(lost.values())))
                own = [s.name for s in out if s.side == person.facts["side"]]
                off.append([own.count(n) for n in (HYPO, HYPER, AGAINST)])
    shown = Shown(f"Anomaly by grade, seed {seed}", "grade", "n", "median", "least", "most")
    for grade, found in totals.items():
        shown.row(grade, len(found), *numbers([float(np.median(found)), min(found), max(found)]))
    h, severe = np.array(totals[1]), np.array([t for g in (3, 4, 5, 6) for t in totals[g]])
    shown = Shown(f"Healthy against ill, seed {seed}, {len(h)} and {len(severe)} of grade III to VI", "what", "found")
    shown.row("healthy against III to VI, ROC-AUC", number(auc(h, severe), 3))
    shown.row("healthy against II, ROC-AUC", number(auc(h, np.array(totals[2])), 3))
    shown.row("beyond the limit: healthy", number(float(np.mean(h > 1)), 3))
    shown.row("beyond the limit: III to VI", number(float(np.mean(severe > 1)), 3))
    shown.row("III to VI: the ill side named", interval(sides))
    shown.row("and a weak branch", interval(branches))
    shown.row("and the very weakest branch", number(float(np.mean(weakest)), 3))
    envelope = f"outside the envelope, of {9 * 2 * len(PLACES)}: hypokinesia, hyperkinesia, against the direction"
    shown.row(f"{envelope}; healthy", ", ".join(numbers(np.mean(strange, axis=0), 1)))
    shown.row(f"{envelope}; III to VI, ill side", ", ".join(numbers(np.mean(off, axis=0), 1)))
    off_by = f"mean {np.mean(severity):+.3f}, SD {np.std(severity):.3f}"
    shown.row("missing share of the weaker side less severity", off_by)
    shown.row("missing share of the healthy within 1.96 standard errors of 0", number(float(np.mean(cover)), 3))


def graded(people: Sequence[Moved]) -> None:
    """Five folds by subject: a head on apexes, the same region encoder with recurrence over time."""
    import torch
    from torch import nn

    torch.set_num_threads(1)

    class Head(nn.Module):
        """Severity as the worse of both sides' by the same weights; `over_time`: recurrence, else one code an apex."""

        def __init__(self, over_time: bool) -> None:
            super().__init__()
            self.regions = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 6))
            self.frame = nn.Sequential(nn.Linear(6 * len(PLACES), 32), nn.GELU(), nn.Dropout(0.1))
            self.over = nn.GRU(32, 32, batch_first=True, bidirectional=True) if over_time else None
            self.end = nn.Linear(128 if over_time else 32 * len(MADE), 1)

        def forward(self, x):  # (B, T, 2, R, 3)
            said = []
            for own, other in ((0, 1), (1, 0)):
                pair = torch.cat([x[:, :, own], x[:, :, other]], dim=-1)
                code = self.frame(self.regions(pair).flatten(2))
                over = self.over
                if over is None:
                    code = code.flatten(1)
                else:
                    seen = over(code)[0]
                    code = torch.cat([seen.mean(dim=1), seen.amax(dim=1)], dim=1)
                said.append(self.end(code)[:, 0])
            return torch.sigmoid(torch.maximum(*said))

    apex, time = np.zeros((len(people), len(MADE), 2, len(PLACES), 3)), []
    for i, p in enumerate(people):
        times, ways = ways_of(p.names, p.times_s, p.away_mm)
        ways = np.nan_to_num(ways)
        for e, name in enumerate(MADE):
            if name in p.apexes:
                apex[i, e] = ways[int(np.abs(times - p.times_s[p.apexes[name]]).argmin())]
        time.append(ways[::4])
    longest = max(map(len, time))
    whole = np.stack([np.pad(t, ((0, longest - len(t)), (0, 0), (0, 0), (0, 0))) for t in time])
    truth = np.array([p.facts["severity"] for p in people])
    order = np.random.default_rng(0).permutation(len(people))
    said = {}
    for name, data in (("apexes", apex), ("over time", whole)):
        x, y = torch.from_numpy(data / 5.0).float(), torch.from_numpy(truth).float()
        said[name] = np.zeros(len(people))
        for fold in range(5):
            left_out = order[fold::5]
            kept = torch.from_numpy(np.setdiff1d(order, left_out))
            torch.manual_seed(fold)
            head = Head(name == "over time")
            optimizer = torch.optim.AdamW(head.parameters(), 3e-3, weight_decay=0.05)
            rounds = 30
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, rounds * (1 + len(kept) // 16))
            for _ in range(rounds):
                for batch in torch.randperm(len(kept)).split(16):
                    optimizer.zero_grad()
                    some = kept[batch]
                    grown = x[some] * torch.exp(0.15 * torch.randn(len(some), 1, 1, 1, 1))
                    nn.functional.smooth_l1_loss(head(grown), y[some], beta=0.05).backward()
                    optimizer.step()
                    if schedule.last_epoch < schedule.total_steps - 1:
                        schedule.step()
            head.eval()
            with torch.inference_mode():
                said[name][left_out] = head(x[torch.from_numpy(left_out)]).numpy()
    errors = {name: s - truth for name, s in said.items()}
    shown = Shown(f"Severity over time against apexes alone, {len(people)} people", "what", "SD", "MAE")
    for name, e in errors.items():
        shown.row(name, interval(list(e), np.std), number(float(np.abs(e).mean()), 3))
    rng, n = np.random.default_rng(1), len(people)
    picks = [rng.integers(n, size=n) for _ in range(2000)]
    apart = [np.std(errors["over time"][i]) - np.std(errors["apexes"][i]) for i in picks]
    low, high = np.quantile(apart, (0.025, 0.975))
    difference = np.std(errors["over time"]) - np.std(errors["apexes"])
    shown.row("over time less apexes", f"{difference:+.3f} ({low:+.3f} to {high:+.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--healthy", type=int, default=16)
    parser.add_argument("--ill", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7300)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--grade", type=Path, metavar="FOLDER", help="people of tools/moved_people.py")
    a = parser.parse_args()
    if a.grade is not None:
        files = [f.stem.split("-") for f in sorted(a.grade.glob("*.npz"))]
        graded([moved(a.grade, int(s), int(k), int(g)) for s, k, g in files])
        return
    with tempfile.TemporaryDirectory() as folder:
        anomalies(a.work or Path(folder), a.seed, a.healthy, a.ill)


if __name__ == "__main__":
    main()
