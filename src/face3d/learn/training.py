"""One plain loop that trains a grader: seeded, resumable, with subjects held out.

A folder holds all of a run: config.json, log.jsonl (one line an epoch), the checkpoint from which a killed run goes on
as if nothing had happened, and at the end grader.safetensors with its card.
"""

from __future__ import annotations

import json
import math
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from face3d.errors import SchemaError
from face3d.grading.example import FISSURE
from face3d.grading.heads import Grader, loss_of
from face3d.grading.networks.batch import Batch, to_device
from face3d.grading.weights import load_grader, read_card, save_grader
from face3d.io.write import write_bytes
from face3d.learn.architectures import build
from face3d.learn.augmentation import Augmentation, augmented
from face3d.learn.checkpoint import Progress, restore, store
from face3d.learn.dataset import ExampleSet
from face3d.learn.limits import check_limits
from face3d.learn.splits import ensure_disjoint, folds

#: What is done to examples before they are augmented: see `face3d.learn.pretraining`.
Spoil = Callable[[Batch, torch.Generator], Batch]
GRADER, LOG, CONFIG = "grader.safetensors", "log.jsonl", "config.json"
WARM_UP = 0.05  # of all steps, over which the rate rises
AVERAGE = 0.98  # share of the running mean of weights that stays, each step, less at first; the mean is tested and kept
CLIP = 2.0  # largest norm of a gradient


@dataclass(frozen=True)
class TrainConfig:
    """A run. `data` folders of examples, exams or benchmarks; `network` and `size` as `build` takes them; `folds` and
    `fold`: one of so many parts of the subjects is held out, for stopping and for the cut points; `seed`; `epochs` at
    most, stopped after `patience` without gain; `batch` exams a step; `rate` and `decay` of AdamW; `start_from` weights
    to go on from, "shipped" for those of face3d, then `network` and `size` are theirs; `device` "auto", "cpu", "cuda".
    """

    data: tuple[str, ...] = ()
    network: str = "correspondence"
    size: Mapping[str, Any] = field(default_factory=dict)
    folds: int = 5
    fold: int = 0
    seed: int = 0
    epochs: int = 60
    patience: int = 20
    batch: int = 16
    rate: float = 2e-3
    decay: float = 0.02
    start_from: str | None = None
    device: str = "auto"
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        some, any_size = (1, math.inf), (0, math.inf)
        check_limits(self, folds=(2, math.inf), seed=any_size, epochs=some, patience=some, batch=some)
        check_limits(self, fold=(0, self.folds - 1), rate=any_size, decay=any_size)
        if self.device not in ("auto", "cpu", "cuda"):
            raise SchemaError(f"device = {self.device!r}; expected auto, cpu or cuda")

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """From a JSON or TOML file; paths in it are relative to it. Raises `SchemaError` naming file and field."""
        try:
            text = path.read_text(encoding="utf-8")
            known = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        except (OSError, ValueError) as error:
            raise SchemaError(f"{path}: not a configuration ({error}); expected JSON or TOML") from error
        try:
            if isinstance(inner := known.get("augmentation"), dict):
                known["augmentation"] = Augmentation(**inner)
            data = known.get("data")
            if not isinstance(data, list) or not data:
                raise SchemaError("data: expected a list of folders")
            if (start := known.get("start_from")) not in (None, "shipped"):
                known["start_from"] = str(path.parent / str(start))
            return cls(**{**known, "data": tuple(str(path.parent / str(d)) for d in data)})
        except (TypeError, AttributeError, SchemaError) as error:
            names = ", ".join(f.name for f in fields(cls))
            raise SchemaError(f"{path}: {error}; a configuration has {names}") from error

    def to_json(self) -> str:
        """The configuration as JSON, as `read` takes it."""
        return json.dumps(asdict(self), indent=1) + "\n"


def train(
    config: TrainConfig,
    examples: ExampleSet,
    out: Path,
    step: Callable[[str], None] = lambda name: None,
    spoil: Spoil | None = None,
    held_out: ExampleSet | None = None,
) -> Path:
    """Trains, and returns the path of the grader. A run in `out` that was stopped goes on; one that is done is kept.

    Without `held_out`, a fold of `examples` by subject is. Raises `SchemaError` when `out` holds another run, or when a
    subject is both trained on and held out.
    """
    out.mkdir(parents=True, exist_ok=True)
    _claim(out / CONFIG, config.to_json())
    if (out / GRADER).exists() and (out / GRADER).with_suffix(".json").exists():
        return out / GRADER
    train_on, stop_on = _split(config, examples, held_out)
    device = torch.device(
        "cuda" if config.device == "auto" and torch.cuda.is_available() else config.device.replace("auto", "cpu")
    )
    torch.manual_seed(config.seed)
    network, architecture, size = _network(config)
    network.to(device)
    groups = [
        {"params": [p for p in network.parameters() if p.dim() > 1], "weight_decay": config.decay},
        {"params": [p for p in network.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.rate)
    mean = {k: v.detach().clone() for k, v in network.state_dict().items()}
    progress = restore(out, network, optimizer, mean) or Progress(best=dict(mean))
    weights = _grade_weights([examples.grades[k] for k in train_on])
    run = _Run(config, network, optimizer, mean, examples, train_on, weights.to(device), spoil)
    while progress.epoch < config.epochs and progress.since_best < config.patience:
        begun = time.perf_counter()
        step(f"epoch {progress.epoch + 1} of {config.epochs}, held out {progress.best_score:.3f}")
        lost = _epoch(run, progress.epoch)
        own = {k: v.clone() for k, v in network.state_dict().items()}
        network.load_state_dict(mean)
        score = _tested(network, stop_on, device, spoil, config.seed)
        network.load_state_dict(own)
        line = {"epoch": progress.epoch, "loss": lost, "held_out": score}
        progress = progress.after(score["loss"], mean)
        store(out, network, optimizer, mean, progress)
        with (out / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, "seconds": round(time.perf_counter() - begun, 2)}) + "\n")
    network.load_state_dict(progress.best)
    fit_cuts(network, stop_on, device, spoil, config.seed)
    card = {
        "architecture": architecture,
        "size": size,
        "eface_fissure": FISSURE,
        "config": asdict(config),
        "exams": len(train_on),
        "subjects": len({examples.subjects[k] for k in train_on}),
        "best_epoch": progress.epoch - progress.since_best - 1,
        "held_out": {"exams": len(stop_on[1]), **_tested(network, stop_on, device, spoil, config.seed)},
    }
    save_grader(out / GRADER, [network], card)
    return out / GRADER


@dataclass(frozen=True, eq=False)
class _Run:
    """What an epoch needs."""

    config: TrainConfig
    network: Grader
    optimizer: torch.optim.Optimizer
    mean: dict[str, Tensor]
    examples: ExampleSet
    train_on: list[int]
    grade_weights: Tensor
    spoil: Spoil | None


def _epoch(run: _Run, epoch: int) -> dict[str, float]:
    """Once through all exams in an order that follows from seed and epoch alone; returns the parts of the loss."""
    config, network = run.config, run.network
    device = run.grade_weights.device
    chance = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
    torch.manual_seed(config.seed * 100_003 + epoch)  # of dropout
    order = torch.tensor(run.train_on)[torch.randperm(len(run.train_on), generator=chance)].tolist()
    steps = math.ceil(len(order) / config.batch)
    network.train()
    sums: dict[str, float] = {}
    for k in range(steps):
        for group in run.optimizer.param_groups:
            group["lr"] = config.rate * _rate(epoch * steps + k, config.epochs * steps)
        inputs, targets = run.examples.batch(order[k * config.batch : (k + 1) * config.batch])
        inputs = inputs if run.spoil is None else run.spoil(inputs, chance)
        inputs = to_device(augmented(inputs, config.augmentation, chance), device)
        with torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext():
            seen = network.seen(inputs)
        # The heads work in single precision: the outer bands of grades are 3 % wide.
        said = network.heads(*(s.float() for s in seen))
        parts = loss_of(said, to_device(targets, device), run.grade_weights)
        loss = torch.stack(list(parts.values())).sum()
        run.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        run.optimizer.step()
        with torch.no_grad():
            done = epoch * steps + k
            for name, value in network.state_dict().items():
                run.mean[name].lerp_(value, 1 - min(AVERAGE, done / (done + 10)))
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value.item() / steps
    return sums


Held = tuple[ExampleSet, list[int]]


def _split(config: TrainConfig, examples: ExampleSet, held_out: ExampleSet | None) -> tuple[list[int], Held]:
    if held_out is None:
        fold = folds(examples.subjects, examples.grades, config.folds, config.seed)
        stop = np.flatnonzero(fold == config.fold).tolist()
        train_on, held = np.flatnonzero(fold != config.fold).tolist(), (examples, stop)
    else:
        train_on, held = list(range(len(examples))), (held_out, list(range(len(held_out))))
    ensure_disjoint([examples.subjects[k] for k in train_on], [held[0].subjects[k] for k in held[1]])
    return train_on, held


def architecture_of(config: TrainConfig) -> str:
    """The network that a run trains: the configuration's, or that of the weights that it goes on from."""
    return config.network if config.start_from is None else read_card(_weights(config))["architecture"]


def _weights(config: TrainConfig) -> Path | None:
    return None if config.start_from in (None, "shipped") else Path(config.start_from)


def _network(config: TrainConfig) -> tuple[Grader, str, Mapping[str, Any]]:
    if config.start_from is None:
        return build(config.network, config.size), config.network, config.size
    path = _weights(config)
    card = read_card(path)
    return load_grader(path, build)[config.fold % card["members"]], card["architecture"], card["size"]


def _batches(held: Held, device: torch.device, spoil: Spoil | None, seed: int) -> Any:
    chance = torch.Generator().manual_seed(seed)
    for k in range(0, len(held[1]), 32):
        inputs, targets = held[0].batch(held[1][k : k + 32])
        inputs = inputs if spoil is None else spoil(inputs, chance)
        yield to_device(inputs, device), to_device(targets, device)


@torch.no_grad()
def _tested(network: Grader, held: Held, device: torch.device, spoil: Spoil | None, seed: int) -> dict[str, float]:
    """The loss on the exams held out, and mean absolute errors of grade and severity, NaN where nothing is known."""
    network.eval()
    loss, grade_off, severity_off = [], [], []
    for inputs, targets in _batches(held, device, spoil, seed):
        said = network(inputs)
        loss.append(float(sum(loss_of(said, targets).values())) * len(said.severity))
        grade = 1 + (said.grade_probabilities.cumsum(1)[:, :-1] < 0.5).sum(1)
        known = targets["grade"] >= 0
        grade_off.append((grade - 1 - targets["grade"])[known].abs().float())
        severity_off.append((said.severity - targets["severity"])[torch.isfinite(targets["severity"])].abs())
    mae = {n: float(torch.cat(v).mean()) for n, v in (("grade_mae", grade_off), ("severity_mae", severity_off))}
    return {"loss": sum(loss) / len(held[1]), **mae}


def fit_cuts(network: Grader, held: Held, device: torch.device, spoil: Spoil | None, seed: int) -> None:
    """Cut points and spread of both grades anew from exams that were not trained on, drawn toward what they were."""
    heads = network.heads
    network.eval()
    seen: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for inputs, targets in _batches(held, device, spoil, seed):
            seen.append((*network.seen(inputs), targets["grade"], targets["descriptive"]))
    regions, whole, *grades = (torch.cat(s) for s in zip(*seen, strict=True))
    if not any((grade >= 0).any() for grade in grades):
        return
    cuts, spreads = [heads.cuts, heads.descriptive_cuts], [heads.spread_gain, heads.descriptive_spread]
    before = [p.detach().clone() for p in (*cuts, *spreads)]
    free = [*cuts, *spreads]
    optimizer = torch.optim.Adam(free, lr=0.003)
    for _ in range(300):
        said = heads(regions, whole)
        off = [
            -chances[grade >= 0].log().gather(1, grade[grade >= 0][:, None]).sum()
            for chances, grade in zip((said.grade_probabilities, said.descriptive), grades, strict=True)
        ]
        prior = [
            ((p - was) / sd).square().sum() / 2
            for p, was, sd in zip(free, before, (CUT_PRIOR, CUT_PRIOR, GAIN_PRIOR, GAIN_PRIOR), strict=True)
        ]
        loss = torch.stack([*off, *prior]).sum()
        optimizer.zero_grad()
        for p, g in zip(free, torch.autograd.grad(loss, free), strict=True):
            p.grad = g
        optimizer.step()


CUT_PRIOR, GAIN_PRIOR = 0.01, 0.5  # SD of the cut points, in severity, and of the logarithm of the spread's gain


def _grade_weights(grades: list[int]) -> Tensor:
    """(6,) how much an exam of each grade counts: by the root of how rare it is, 1 on average."""
    count = np.bincount([g - 1 for g in grades if g > 0], minlength=6)
    weight = np.where(count, 1 / np.sqrt(np.maximum(count, 1)), 0.0)
    total = (weight * count).sum()
    return torch.tensor(weight * count.sum() / total if total else np.ones(6), dtype=torch.float32)


def _rate(step: int, of: int) -> float:
    """Share of the full rate: a short rise, then half a cosine."""
    warm = max(1, round(WARM_UP * of))
    return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, of - warm))) + 0.01)


def _claim(file: Path, text: str) -> None:
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise SchemaError(f"{file}: this folder holds another run; give another --out, or delete it")
    if not file.exists():
        write_bytes(file, text.encode())
