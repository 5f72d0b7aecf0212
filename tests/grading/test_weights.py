"""Weights: what is loaded is what was saved, or it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from face3d.errors import WeightsError  # noqa: E402
from face3d.grading.weights import load_grader, read_card, save_grader  # noqa: E402
from face3d.learn.architectures import build  # noqa: E402

SIZE = {"width": 8, "layers": 1, "heads": 2}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    networks = [build("correspondence", SIZE) for _ in range(2)]
    save_grader(tmp_path / "g.safetensors", networks, {"architecture": "correspondence", "size": SIZE})
    return tmp_path / "g.safetensors"


def test_what_is_loaded_is_what_was_saved(tmp_path: Path):
    networks = [build("correspondence", SIZE) for _ in range(2)]
    save_grader(tmp_path / "g.safetensors", networks, {"architecture": "correspondence", "size": SIZE, "data": "none"})
    loaded = load_grader(tmp_path / "g.safetensors")
    assert len(loaded) == 2
    assert not any(n.training for n in loaded)
    for one, two in zip(networks, loaded, strict=True):
        for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
            assert torch.equal(a, b), name
    assert read_card(tmp_path / "g.safetensors")["data"] == "none"


def test_an_altered_file_is_refused_with_both_sums(stored: Path):
    data = bytearray(stored.read_bytes())
    data[-1] ^= 1
    stored.write_bytes(bytes(data))
    pinned = read_card(stored)["sha256"]
    with pytest.raises(WeightsError, match=rf"g\.safetensors: SHA-256 is [0-9a-f]{{64}}, its card says {pinned}"):
        load_grader(stored)


def test_a_missing_file_or_card_is_said(stored: Path, tmp_path: Path):
    with pytest.raises(WeightsError, match=r"none\.json"):
        load_grader(tmp_path / "none.safetensors")
    stored.unlink()
    with pytest.raises(WeightsError, match=r"g\.safetensors: cannot be read"):
        load_grader(stored)


@pytest.mark.parametrize("change", [{"size": {**SIZE, "width": 16}}, {"members": 3}, {"architecture": "resnet"}])
def test_a_card_that_does_not_fit_is_refused(stored: Path, change: dict[str, object]):
    card = json.loads(stored.with_suffix(".json").read_text())
    stored.with_suffix(".json").write_text(json.dumps(card | change))
    with pytest.raises(WeightsError, match="does not fit"):
        load_grader(stored)


def test_untrained_or_broken_numbers_are_refused(tmp_path: Path):
    network = build("correspondence", SIZE)
    with torch.no_grad():
        network.heads.cuts[0] = float("nan")
    save_grader(tmp_path / "g.safetensors", [network], {"architecture": "correspondence", "size": SIZE})
    with pytest.raises(WeightsError, match=r"heads\.cuts has values that are not finite"):
        load_grader(tmp_path / "g.safetensors")


def test_the_shipped_grader_is_whole_and_small():
    networks, card = load_grader(), read_card()
    assert len(networks) == card["members"] >= 1
    folder = Path(__import__("face3d").__file__).parent / "data"
    assert sum(f.stat().st_size for f in folder.glob("grader*")) < 10_000_000
