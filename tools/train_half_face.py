"""Trains the landmark network of `landmarking.half_face` on pictures of `tools/half_face_data.py`. Build time only.

    python tools/train_half_face.py half_faces.npz --out src/face3d/data

Needs torch. One thread trains it in about 20 minutes; the result repeats for the same seed, also where a run was
stopped and went on from its --checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from face3d.landmarking.half_face import HOLE, MARKS, SIZE
from half_face_data import MARGIN, STEP

WIDTH, HEIGHT = SIZE
CELL = 2  # pixels a heat map cell
BATCH, EVERY = 16, 100  # half faces a step; steps from checkpoint to checkpoint


class Network(nn.Module):
    """The trainable twin of `half_face.HalfFaceNetwork`; its normalisation is folded away when stored."""

    def __init__(self) -> None:
        super().__init__()
        parts = {
            "stem1": (5, 16, 3, 2),
            "stem2": (16, 16, 3, 1),
            "down1": (16, 32, 3, 2),
            "down2": (32, 32, 3, 1),
            "deep1": (32, 64, 3, 2),
            "deep2": (64, 64, 3, 1),
            "deep3": (64, 64, 3, 1),
            "up1": (64, 32, 1, 1),
            "up2": (32, 32, 3, 1),
            "skip": (16, 24, 1, 1),
            "up3": (32, 24, 1, 1),
            "up4": (24, 24, 3, 1),
        }
        self.conv = nn.ModuleDict(
            {k: nn.Conv2d(i, o, size, stride, size // 2, bias=False) for k, (i, o, size, stride) in parts.items()}
        )
        self.norm = nn.ModuleDict({k: nn.BatchNorm2d(o) for k, (_, o, _, _) in parts.items()})
        self.out = nn.Conv2d(24, 2 * len(MARKS), 1)

    def part(self, name: str, x: Tensor, rectify: bool = True) -> Tensor:
        x = self.norm[name](self.conv[name](x))
        return torch.relu(x) if rectify else x

    def forward(self, x: Tensor) -> Tensor:
        fine = self.part("stem2", self.part("stem1", x))
        middle = self.part("down2", self.part("down1", fine))
        coarse = self.part("deep3", self.part("deep2", self.part("deep1", middle)))
        middle = self.part("up2", middle + _twice(self.part("up1", coarse, False)))
        fine = self.part("up4", self.part("skip", fine, False) + _twice(self.part("up3", middle, False)))
        return self.out(fine)

    def folded(self) -> dict[str, np.ndarray]:
        """Weights with the normalisation multiplied in."""
        arrays = {}
        for name, conv in self.conv.items():
            norm = self.norm[name]
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            arrays[f"{name}.weight"] = (conv.weight * gain[:, None, None, None]).detach().numpy()
            arrays[f"{name}.bias"] = (norm.bias - norm.running_mean * gain).detach().numpy()
        assert self.out.bias is not None
        arrays["out.weight"], arrays["out.bias"] = self.out.weight.detach().numpy(), self.out.bias.detach().numpy()
        return arrays


def _twice(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (B, C, H, W), zero outside, truncated at 3 sigma as in `face3d.geometry.views.smoothed`."""
    if sigma < 0.2:
        return x
    radius = int(3.0 * sigma + 0.5)
    k = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    k = (k / k.sum()).view(1, 1, 1, -1).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(x, k, padding=(0, radius), groups=x.shape[1])
    return F.conv2d(x, k.transpose(2, 3), padding=(radius, 0), groups=x.shape[1])


def filtered(depth: Tensor, known: Tensor, sigma: float) -> Tensor:
    """Blur over known pixels only; unknown ones take what their surroundings say."""
    return blurred(depth * known, sigma) / blurred(known, sigma).clamp_min(1e-6)


def bridged(depth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """`face3d.geometry.views.bridged` for a batch: (depth, known) with small holes filled."""
    filled, now = depth, known
    for width, needed in ((HOLE / 2.5, 0.3), (HOLE, 0.5)):
        weight = blurred(known, width)
        new = (now == 0) & (weight > needed)
        filled = torch.where(new, blurred(depth * known, width) / weight.clamp_min(1e-6), filled)
        now = torch.where(new, 1.0, now)
    return filled, now


def channels(depth: Tensor, measured: Tensor) -> Tensor:
    """`face3d.landmarking.half_face.channels` for a batch: (B, 1, H, W) twice -> (B, 5, H, W)."""
    depth, known = bridged(depth, measured)
    wide = torch.where(known > 0, filtered(depth, known, 3.0), 0.0)
    filled = torch.where(known > 0, filtered(depth, known, 0.7), wide)
    dy, dx = torch.gradient(filled, dim=(2, 3))
    cross = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    inside = F.pad(known, (1, 1, 1, 1), value=1.0)
    seen = (F.conv2d(inside, cross) > 4.5).float()
    length = torch.sqrt(1.0 + dx**2 + dy**2)
    bump = (filled - wide).clamp(-3.0, 3.0) / 3.0
    return torch.cat([-dx / length, dy / length, 1.0 / length, bump, measured], dim=1) * seen


def drawn(depth: Tensor, known: Tensor, marks: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A batch as other faces and other scanners might have given it: (depth, known, marks) of the network's size.

    `marks` (B, K, 3) come with their depth, and go with how far they stand out of the widely smoothed surface.
    """
    b, _, h, w = depth.shape
    wide = filtered(*bridged(depth, known), 3.0)
    look = torch.stack([2 * marks[..., 0] / (w - 1) - 1, 2 * marks[..., 1] / (h - 1) - 1], dim=-1)
    base = F.grid_sample(wide, look[:, :, None], mode="bilinear", padding_mode="border", align_corners=True)
    out, marks = (marks[..., 2] - base[:, 0, :, 0]).clamp(-8, 8), marks[..., :2]

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=rng)

    # Where each output pixel is read from: turned, scaled, shifted, and warped by a smooth random field.
    angle, scale = uniform(b, low=-0.1, high=0.1), uniform(b, 2, low=0.88, high=1.12)
    shift = uniform(b, 2, low=-5, high=5)
    bend = torch.randn(b, 2, 8, 5, generator=rng) * uniform(b, 1, 1, 1, high=1.6)
    bend = F.interpolate(bend, size=(HEIGHT, WIDTH), mode="bicubic", align_corners=True)
    yy, xx = torch.meshgrid(torch.arange(HEIGHT) + 0.0, torch.arange(WIDTH) + 0.0, indexing="ij")
    x, y = xx - (WIDTH - 1) / 2, yy - (HEIGHT - 1) / 2
    c, s = torch.cos(angle).view(b, 1, 1), torch.sin(angle).view(b, 1, 1)
    sx = (c * x - s * y) * scale[:, :1, None] + shift[:, :1, None] + (w - 1) / 2 + bend[:, 0]
    sy = (s * x + c * y) * scale[:, 1:, None] + shift[:, 1:, None] + (h - 1) / 2 + bend[:, 1]
    grid = torch.stack([2 * sx / (w - 1) - 1, 2 * sy / (h - 1) - 1], dim=-1)
    depth = F.grid_sample(depth, grid, mode="bilinear", padding_mode="border", align_corners=True)
    known = (F.grid_sample(known, grid, mode="bilinear", padding_mode="zeros", align_corners=True) > 0.99).float()
    # The marks go the other way: iterate to the output pixel that is read from where the mark lies.
    source = torch.stack([sx, sy], dim=1)
    at = marks - torch.tensor([(w - WIDTH) / 2, (h - HEIGHT) / 2])
    for _ in range(12):
        look = torch.stack([2 * at[..., 0] / (WIDTH - 1) - 1, 2 * at[..., 1] / (HEIGHT - 1) - 1], dim=-1)
        here = F.grid_sample(source, look[:, :, None], mode="bilinear", padding_mode="border", align_corners=True)
        at = at + (marks - here[..., 0].transpose(1, 2))
    # Coarser or finer features, deeper or shallower, as other artists and tissues have them; then the scanner.
    low = filtered(depth, known, 4.0)
    crisp = uniform(b, 1, 1, 1, low=0.4, high=1.4)
    depth = low * uniform(b, 1, 1, 1, low=0.85, high=1.15) + (depth - low) * crisp
    out = out * crisp[:, :, 0, 0]
    kind = float(torch.rand((), generator=rng))
    if kind < 0.7:
        depth = filtered(depth, known, float(uniform(1, high=2.2)))
    if kind > 0.5:  # a triangulation coarser than the pixels
        size = (int(HEIGHT / float(uniform(1, low=1.2, high=2.6))), int(WIDTH / float(uniform(1, low=1.2, high=2.6))))
        fine = {"size": (HEIGHT, WIDTH), "mode": "bilinear", "align_corners": True}
        depth = F.interpolate(F.interpolate(depth, size=size, mode="bilinear", align_corners=True), **fine)
    noise = torch.randn(b, 1, HEIGHT, WIDTH, generator=rng)
    wide = blurred(noise, 2.5) * 8.0
    depth = depth + noise * uniform(b, 1, 1, 1, high=0.15) + wide * uniform(b, 1, 1, 1, high=0.25)
    ragged = blurred(torch.randn(b, 1, HEIGHT, WIDTH, generator=rng), 2.0) * 7.0  # about unit variance
    for i in range(b):
        if float(torch.rand((), generator=rng)) < 0.6:  # lashes, brows, nostrils, teeth: holes with ragged edges
            for k in torch.randint(len(MARKS), (int(uniform(1, low=1, high=5)),), generator=rng).tolist():
                reach = float(uniform(1, low=4, high=14))
                disc = (xx - at[i, k, 0]) ** 2 + (yy - at[i, k, 1]) ** 2 < reach**2
                known[i, 0][disc & (ragged[i, 0] > float(uniform(1, low=-0.3, high=1.0)))] = 0
        if float(torch.rand((), generator=rng)) < 0.3:  # hair, or the end of the scan
            known[i, :, :, int(uniform(1, low=70, high=96)) :] = 0
        if float(torch.rand((), generator=rng)) < 0.3:
            known[i, :, : int(uniform(1, high=18))] = 0
    return depth, known, torch.cat([at, out[..., None]], dim=2)


def loss_of(heat: Tensor, marks: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy to a Gaussian of 1 cell about the mark, plus the mean's distance and the depth's error; and (B, K)
    distances in pixels."""
    heat, out = heat.chunk(2, dim=1)
    h, w = heat.shape[2:]
    yy, xx = torch.meshgrid(CELL * torch.arange(h) + 0.5, CELL * torch.arange(w) + 0.5, indexing="ij")
    away = (xx - marks[..., 0, None, None]) ** 2 + (yy - marks[..., 1, None, None]) ** 2
    target = torch.softmax((-away / (2 * (1.0 * CELL) ** 2)).flatten(2), dim=2)
    log = torch.log_softmax(heat.flatten(2), dim=2)
    p = log.exp()
    mean = torch.stack([(p * xx.flatten()).sum(2), (p * yy.flatten()).sum(2)], dim=-1)
    inside = ((marks[..., :2] >= 1) & (marks[..., :2] <= torch.tensor([WIDTH - 2.0, HEIGHT - 2.0]))).all(dim=-1).float()
    distance = torch.linalg.norm(mean - marks[..., :2], dim=-1)
    # The depth is learned around the true place, whatever the heat says yet.
    off = ((target * out.flatten(2)).sum(2) - marks[..., 2]).abs()
    per = -(target * log).sum(dim=2) + 0.5 * torch.sqrt(distance**2 + 0.01) + 0.5 * torch.sqrt(off**2 + 0.01)
    return (per * inside).sum() / inside.sum(), torch.where(inside > 0, distance, torch.nan)


class Drawn(torch.utils.data.IterableDataset):
    """Endless batches of (what the network sees, marks) from step `first` on; runs in a process of its own."""

    def __init__(self, depth: np.ndarray, marks: np.ndarray, batch: int, seed: int, first: int = 0) -> None:
        self.depth, self.marks, self.batch, self.seed = depth, torch.from_numpy(marks), batch, seed
        self.first = first

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        torch.set_num_threads(1)
        for step in count(self.first):
            # Of each step's own: a run that goes on draws what it would have drawn.
            rng = torch.Generator().manual_seed(1_000_000 * self.seed + step)
            pick = torch.randint(len(self.depth), (self.batch,), generator=rng)
            raw = torch.from_numpy(self.depth[pick.numpy()].astype(np.float32))[:, None]
            known = (raw > -32768).float()
            depth, known, marks = drawn(torch.where(known > 0, raw * STEP, 0.0), known, self.marks[pick], rng)
            yield channels(depth, known), marks


def trained(
    depth: np.ndarray, marks: np.ndarray, steps: int, seed: int, rate: float = 3e-3, checkpoint: Path | None = None
) -> Network:
    """The network after `steps`, from where `checkpoint` stands on; that is kept up to date every `EVERY` steps."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network, begun = Network(), 0
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    if checkpoint is not None and checkpoint.exists():
        stored = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(stored["network"])
        optimiser.load_state_dict(stored["optimiser"])
        begun = stored["steps"]
        print("going on from step", begun, flush=True)
    batches = iter(torch.utils.data.DataLoader(Drawn(depth, marks, BATCH, seed, begun), batch_size=None, num_workers=1))
    start, history = time.time(), []
    for step in range(begun, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
        picture, truth = next(batches)
        loss, distance = loss_of(network(picture), truth)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        history.append(distance.detach().nanmedian(dim=0).values.numpy())
        if (step + 1) % EVERY == 0:
            if checkpoint is not None:
                half = checkpoint.with_suffix(".half")
                state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "steps": step + 1}
                torch.save(state, half)
                half.replace(checkpoint)
            print(step + 1, f"{time.time() - start:.0f} s", f"{loss.item():.3f}", end=" ")
            print(dict(zip(MARKS, np.round(np.nanmedian(history[-100:], axis=0), 2).tolist(), strict=True)), flush=True)
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=3e-3, help="learning rate at its highest")
    parser.add_argument("--checkpoint", type=Path, help="go on from here if it exists; kept up to date")
    args = parser.parse_args()
    stored = [np.load(path) for path in args.data]
    depth = np.concatenate([d["depth"] for d in stored])
    marks = np.concatenate([d["marks"] for d in stored])
    print(len(depth), "half faces; margin", MARGIN)
    network = trained(depth, marks, args.steps, args.seed, args.rate, args.checkpoint)
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out / "half_face.npz", **network.folded())  # pyright: ignore[reportArgumentType] no weight is called allow_pickle
    note = {
        "what": "Marks landmarks on the depth of half a face; see face3d.landmarking.half_face",
        "made_by": "tools/half_face_data.py, tools/train_half_face.py",
        "trained_on": "simulated faces of face3d.simulate.HeadModel (MakeHuman, CC0)",
        "half_faces": len(depth),
        "steps": args.steps,
        "seed": args.seed,
        "licence": "Apache-2.0, as face3d",
        "sha256": hashlib.sha256((args.out / "half_face.npz").read_bytes()).hexdigest(),
    }
    (args.out / "half_face.json").write_text(json.dumps(note, indent=1) + "\n")


if __name__ == "__main__":
    main()
