"""Train the generator of palsied expressions on simulated patients, measure it, and write its weights.

    python tools/train_generator.py --out src/face3d/data/generator.safetensors --report src/face3d/data/generator.json

Subjects 0.. train; those from 300,000 on are held out: every figure is from them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d.simulate.draw import draw_patient
from face3d.simulate.generator import MOVEMENTS, Condition, Generator
from face3d.simulate.head import HeadModel, reflected

COMPONENTS, LATENT, WIDTH, EPOCHS, BATCH, BETA = 64, 8, 192, 80, 256, 1.0
# The decoder's standard deviation, mm RMS over the face: about the repeat error of an expression.
NOISE_MM = 0.5
HELD_OUT = 300_000  # settings were chosen on others, from 100,000 on


@dataclass(frozen=True, eq=False)
class Sample:
    """`fields` (N, 3 V) mm, affected side left; `conditions` (N, C); `severity` (subjects,)
    by the branches of brow and mouth. The nine expressions of one subject follow each other: N = 9 subjects."""

    fields: np.ndarray
    conditions: np.ndarray
    severity: np.ndarray


def fit_basis(fields: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and orthonormal components (K, D) by a randomised singular value decomposition (Halko 2011)."""
    some = fields[rng.permutation(len(fields))[:5000]].astype(np.float64)
    mean = some.mean(axis=0)
    some -= mean
    sketch = some @ rng.normal(size=(some.shape[1], COMPONENTS + 16))
    for _ in range(2):
        sketch = some @ (some.T @ np.linalg.qr(sketch)[0])
    q = np.linalg.qr(sketch)[0]
    return mean, np.linalg.svd(q.T @ some, full_matrices=False)[2][:COMPONENTS]


def train(z: np.ndarray, conditions: np.ndarray, vertices: int, seed: int) -> dict[str, np.ndarray]:
    """Decoder and encoder weights of the conditional autoencoder on coordinates `z` (N, K), mm."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    k, c = z.shape[1], conditions.shape[1]
    # A field's squared error over the face is that of its coordinates over the number of vertices.
    unit = float(np.sqrt((z**2).sum(axis=1).mean() / k))
    noise = NOISE_MM * np.sqrt(vertices / k) / unit
    encoder = nn.Sequential(
        nn.Linear(k + c, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 2 * LATENT)
    )
    decoder = nn.Sequential(
        nn.Linear(LATENT + c, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, k)
    )
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-5)
    steps = EPOCHS * (len(z) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    x, y = torch.tensor(z / unit, dtype=torch.float32), torch.tensor(conditions, dtype=torch.float32)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(EPOCHS):
        shuffled = torch.randperm(len(x), generator=order)
        # The prior's weight rises over the first fifth, so that the latent numbers are used at all (Bowman 2016).
        beta = BETA * min(1.0, (epoch + 1) / (0.2 * EPOCHS))
        total = 0.0
        for begin in range(0, len(x) - BATCH + 1, BATCH):
            pick = shuffled[begin : begin + BATCH]
            mu, log_var = encoder(torch.cat([x[pick], y[pick]], dim=1)).chunk(2, dim=1)
            latent = mu + torch.exp(0.5 * log_var) * torch.randn(mu.shape, generator=order)
            error = ((decoder(torch.cat([latent, y[pick]], dim=1)) - x[pick]) ** 2).sum(dim=1) / (2 * noise**2)
            prior = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1)
            loss = (error + beta * prior).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {total / (len(x) // BATCH):.2f}", flush=True)
    tensors = {}
    for name, net in (("decoder", decoder), ("encoder", encoder)):
        for i, layer in enumerate(m for m in net if isinstance(m, nn.Linear)):
            last = name == "decoder" and i == 2
            tensors[f"{name}.{i}.weight"] = layer.weight.detach().numpy() * (unit if last else 1.0)
            tensors[f"{name}.{i}.bias"] = layer.bias.detach().numpy() * (unit if last else 1.0)
    tensors["encoder.0.weight"][:, :k] /= unit
    # Where the training set lies among the latent numbers is a Gaussian, but not quite the prior: it becomes part of
    # the decoder's first layer (density estimation after training, Ghosh 2020).
    with torch.no_grad():
        mu, log_var = encoder(torch.cat([x, y], dim=1)).double().chunk(2, dim=1)
    center = mu.mean(dim=0).numpy()
    spread = np.linalg.cholesky(np.cov(mu.numpy().T) + np.diag(log_var.exp().mean(dim=0).numpy()))
    first = tensors["decoder.0.weight"]
    tensors["decoder.0.bias"] = tensors["decoder.0.bias"] + first[:, :LATENT] @ center
    tensors["decoder.0.weight"] = np.concatenate([first[:, :LATENT] @ spread, first[:, LATENT:]], axis=1)
    last = tensors["encoder.2.weight"], tensors["encoder.2.bias"]
    back = np.linalg.inv(spread)
    tensors["encoder.2.weight"] = back @ last[0][:LATENT]
    tensors["encoder.2.bias"] = back @ (last[1][:LATENT] - center)
    return tensors


def encode(tensors: dict[str, np.ndarray], z: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """Mean latent numbers (N, L)."""
    x = np.concatenate([z, conditions], axis=1)
    for i in range(3):
        x = x @ tensors[f"encoder.{i}.weight"].T + tensors[f"encoder.{i}.bias"]
        if i < 2:
            x = x / (1 + np.exp(-x))
    return x


def nearest(a: np.ndarray, b: np.ndarray, same: bool = False) -> np.ndarray:
    """Distance (mm RMS over the vertices) from each field of `a` to its nearest in `b`; `same`: not to itself."""
    d2 = (a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1)
    if same:
        np.fill_diagonal(d2, np.inf)
    return np.sqrt(np.maximum(d2.min(axis=1), 0.0) / (a.shape[1] / 3))


def draw(first: int, count: int, movement: str = "a") -> Sample:
    """Patients number `first` and on, and all that they do."""
    model = HeadModel.load(movement)
    fields, conditions, severity = [], [], []
    for number in range(first, first + count):
        patient = draw_patient(np.random.default_rng([7, number]), model)
        rest = patient.vertices("rest")
        s = patient.synkinesis
        strength = (s.ocular + s.oral + s.mentalis + s.platysmal) / 4
        for expression in MOVEMENTS:
            moved = patient.vertices(expression) - rest
            if patient.side == "right":
                moved = reflected(moved, model.opposite)
            fields.append(moved.ravel().astype(np.float32))
            conditions.append(Condition(expression, "left", patient.branches, strength).vector())
        severity.append(severity_of(conditions[-1][None])[0])
    return Sample(np.stack(fields), np.stack(conditions), np.array(severity))


def severity_of(conditions: np.ndarray) -> np.ndarray:
    """House's lost share (N,) by the branches: brow from the temporal, mouth from zygomatic and buccal."""
    temporal, zygomatic, buccal = (conditions[:, len(MOVEMENTS) + k] for k in range(3))
    return 1 - (temporal + (zygomatic + buccal) / 2) / 2


def measure(generator: Generator, tensors: dict[str, np.ndarray], seen: Sample, new: Sample) -> dict[str, float]:
    """Generalisation, specificity, coverage and fidelity, on subjects that were held out. Distances: mm RMS over all
    vertices; neighbours are looked for within one expression."""
    vertices = new.fields.shape[1] / 3

    def coordinates(sample: np.ndarray) -> np.ndarray:
        return (sample - generator.mean) @ generator.basis.T

    z_seen, z_new = coordinates(seen.fields), coordinates(new.fields)
    again = generator.decode(encode(tensors, z_new, new.conditions), new.conditions).reshape(len(new.fields), -1)
    mean = generator.decode(np.zeros((len(new.fields), generator.latent)), new.conditions).reshape(len(new.fields), -1)
    rng = np.random.default_rng(0)
    made = generator.decode(rng.normal(size=(len(new.fields), generator.latent)), new.conditions)
    z_made = coordinates(made.reshape(len(made), -1))
    rms = np.sqrt((new.fields**2).sum(axis=1) / vertices)
    specific, ceiling, covered, covered_by_real = [], [], [], []
    for k in range(len(MOVEMENTS)):
        pick = slice(k, None, len(MOVEMENTS))
        # As many real training fields as made ones, so that numbers don't favour either.
        real = z_seen[pick][: len(z_new[pick])]
        specific.append(nearest(z_made[pick], z_seen[pick]))
        ceiling.append(nearest(z_new[pick], z_seen[pick]))
        radius = nearest(z_new[pick], z_new[pick], same=True)
        covered.append(nearest(z_new[pick], z_made[pick]) <= radius)
        covered_by_real.append(nearest(z_new[pick], real) <= radius)
    return {
        "movement_rms_mm": float(rms.mean()),
        "generalisation_mm": float(np.sqrt(((again - new.fields) ** 2).sum(axis=1) / vertices).mean()),
        "mean_prediction_error_mm": float(np.sqrt(((mean - new.fields) ** 2).sum(axis=1) / vertices).mean()),
        "specificity_mm": float(np.concatenate(specific).mean()),
        "specificity_of_held_out_patients_mm": float(np.concatenate(ceiling).mean()),
        "coverage": float(np.concatenate(covered).mean()),
        "coverage_by_real_patients": float(np.concatenate(covered_by_real).mean()),
        "fidelity_r_mouth_corner": fidelity(made, new, "ch_left"),
        "fidelity_r_brow": fidelity(made, new, "sci_left"),
    }


def fidelity(made: np.ndarray, new: Sample, mark: str) -> float:
    """Correlation, over conditions, of how far the affected side's landmark goes: generated against simulated."""
    ids, w = HeadModel.load().landmarks[mark]
    real = new.fields.reshape(len(new.fields), -1, 3)[:, list(ids)]
    way = [np.linalg.norm(np.einsum("k,nkd->nd", np.asarray(w), f), axis=1) for f in (made[:, list(ids)], real)]
    return float(np.corrcoef(*way)[0, 1])


def help_a_grader(generator: Generator, seen: Sample, tests: dict[str, Sample], few: int = 40) -> dict[str, float]:
    """Mean absolute error of severity of a ridge regression on the coordinates of nine expressions: trained on `few`
    patients, on those and ten times as many generated ones, and on as many simulated ones."""
    from sklearn.linear_model import RidgeCV

    def features(fields: np.ndarray) -> np.ndarray:
        z = (fields - generator.mean) @ generator.basis[:24].T
        return z.reshape(-1, len(MOVEMENTS) * 24)

    rng = np.random.default_rng(1)
    n = len(MOVEMENTS)
    # New people: one latent vector each, the conditions of patients nobody has measured.
    asked = seen.conditions[few * n : 11 * few * n]
    latent = np.repeat(rng.normal(size=(len(asked) // n, generator.latent)), n, axis=0)
    made = generator.decode(latent, asked).reshape(len(asked), -1)
    real, more = seen.fields[: few * n], seen.fields[few * n : 11 * few * n]
    sets = {
        "few": (features(real), seen.severity[:few]),
        "few_and_generated": (features(np.concatenate([real, made])), seen.severity[: 11 * few]),
        "many_simulated": (features(np.concatenate([real, more])), seen.severity[: 11 * few]),
    }
    found = {}
    for name, (x, y) in sets.items():
        model = RidgeCV(np.logspace(-1, 6, 15)).fit(x, y)
        for test, sample in tests.items():
            error = np.abs(np.clip(model.predict(features(sample.fields)), 0, 1) - sample.severity)
            found[f"severity_mae_{test}_{name}"] = float(error.mean())
    return found


def main() -> None:
    """Draw, train, measure, write."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=900)
    parser.add_argument("--held-out", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin = time.perf_counter()
    seen = draw(0, options.subjects)
    new = draw(HELD_OUT, options.held_out)
    other = draw(2 * HELD_OUT, options.held_out, "b")
    print(f"drawn in {time.perf_counter() - begin:.0f} s", flush=True)
    mean, basis = fit_basis(seen.fields, np.random.default_rng(options.seed))
    step = float(np.abs(basis).max() / 32767)
    tensors = train((seen.fields - mean) @ basis.T, seen.conditions, basis.shape[1] // 3, options.seed)
    stored = {k: v.astype(np.float32) for k, v in tensors.items() if k.startswith("decoder")}
    stored |= {
        "mean": mean.astype(np.float32),
        "basis": np.rint(basis / step).astype(np.int16),
        "basis_step": np.array([step]),
    }
    generator = Generator.of(stored)
    report = {
        "what": "Conditional variational autoencoder of palsied expressions; trained on simulated patients, set a",
        "made_by": "tools/train_generator.py",
        "licence": "CC0-1.0",
        "subjects": options.subjects,
        "held_out": options.held_out,
        "seed": options.seed,
        **measure(generator, tensors, seen, new),
        **help_a_grader(generator, seen, {"a": new, "b": other}),
    }
    save_file(stored, options.out)
    report["bytes"] = options.out.stat().st_size
    report["sha256"] = hashlib.sha256(options.out.read_bytes()).hexdigest()
    report = {k: round(v, 4) if isinstance(v, float) else v for k, v in report.items()}
    options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
