"""Training: it learns, it can be killed and gone on with, and no subject is on both sides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from simple_exams import simple_exams

torch = pytest.importorskip("torch")

from face3d.errors import SchemaError, WeightsError  # noqa: E402
from face3d.grading.weights import load_grader, read_card  # noqa: E402
from face3d.learn import checkpoint  # noqa: E402
from face3d.learn.augmentation import Augmentation  # noqa: E402
from face3d.learn.dataset import ExampleSet  # noqa: E402
from face3d.learn.example_files import write_example  # noqa: E402
from face3d.learn.training import GRADER, LOG, TrainConfig, _grade_weights, train  # noqa: E402

SMALL = TrainConfig(data=("x",), size={"width": 8, "layers": 1, "heads": 2}, epochs=3, batch=4, folds=3)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("examples")
    paths = []
    for k, example in enumerate(simple_exams(18)):
        paths.append(folder / f"{k:03d}.npz")
        write_example(paths[-1], example)
    return paths


class Killed(Exception):
    pass


def test_a_killed_run_goes_on_as_if_nothing_had_happened(stored: list[Path], tmp_path: Path):
    examples = ExampleSet(stored)
    whole = train(SMALL, examples, tmp_path / "whole")

    def kill(text: str) -> None:
        if text.startswith("epoch 3"):
            raise Killed

    with pytest.raises(Killed):
        train(SMALL, examples, tmp_path / "killed", kill)
    begun = []
    again = train(SMALL, examples, tmp_path / "killed", begun.append)
    assert [text[:7] for text in begun] == ["epoch 3"]
    assert again.read_bytes() == whole.read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "killed" / LOG).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    # Done is done: nothing is trained a second time.
    train(SMALL, examples, tmp_path / "killed", begun.append)
    assert len(begun) == 1


def test_a_damaged_checkpoint_is_refused(stored: list[Path], tmp_path: Path):
    once = replace(SMALL, epochs=1)
    train(once, ExampleSet(stored), tmp_path)
    (tmp_path / GRADER).unlink()
    file = tmp_path / checkpoint.FILE
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors.*delete the folder"):
        train(once, ExampleSet(stored), tmp_path)


def test_a_folder_of_another_run_is_refused(stored: list[Path], tmp_path: Path):
    train(replace(SMALL, epochs=1), ExampleSet(stored), tmp_path)
    with pytest.raises(SchemaError, match="another run"):
        train(SMALL, ExampleSet(stored), tmp_path)


def test_no_subject_is_trained_on_and_held_out(stored: list[Path], tmp_path: Path):
    with pytest.raises(SchemaError, match="subjects on both sides, training and held out: s000, s001"):
        train(SMALL, ExampleSet(stored), tmp_path, held_out=ExampleSet(stored[:2]))


def test_it_learns_severity_and_side(stored: list[Path], tmp_path: Path):
    config = replace(SMALL, epochs=25, patience=25, rate=0.02, augmentation=Augmentation(0, 0, 0.1, 0, 0, 0.05, 0))
    grader = train(config, ExampleSet(stored), tmp_path)
    card = read_card(grader)
    assert card["architecture"] == "correspondence"
    assert card["held_out"]["severity_mae"] < 0.12  # guessing the middle: 0.3
    exams = simple_exams(6, first=500)
    from face3d.grading.networks import batch_of, mean_outputs

    with torch.no_grad():
        said = mean_outputs([n(batch_of(exams)) for n in load_grader(grader)])
    assert said.side_logits.argmax(dim=1).tolist() == [0, 1, 2, 0, 1, 2]


def test_fine_tuning_starts_from_the_weights_given(stored: list[Path], tmp_path: Path):
    first = train(replace(SMALL, epochs=1), ExampleSet(stored), tmp_path / "first")
    still = replace(SMALL, start_from=str(first), epochs=1, rate=1e-9, decay=0.0)
    second = train(still, ExampleSet(stored), tmp_path / "second")
    one, two = load_grader(first)[0].state_dict(), load_grader(second)[0].state_dict()
    for name in one:
        if "cuts" not in name and "gain" not in name:  # fitted anew
            torch.testing.assert_close(one[name], two[name], atol=1e-6, rtol=0)


def test_rare_grades_count_more():
    weights = _grade_weights([1] * 16 + [2] * 4 + [0] * 5)
    assert float(weights[1] / weights[0]) == pytest.approx(2.0)
    assert float(16 * weights[0] + 4 * weights[1]) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"data": []}', "data: expected a list of folders"),
        ('{"data": ["a"], "epoch": 3}', "epoch"),
        ('{"data": ["a"], "epochs": 0}', "epochs = 0; expected a whole number, 1 or more"),
        ('{"data": ["a"], "fold": 7}', "fold = 7; expected a whole number, 0 to 4"),
        ('{"data": ["a"], "epochs": 1.5}', "epochs = 1.5; expected a whole number"),
        ('{"data": ["a"], "rate": "fast"}', "rate = 'fast'; expected a number, 0 or more"),
        ('{"data": ["a"], "augmentation": {"drop": 1.2}}', "drop = 1.2; expected a number, 0 to 1"),
        ('{"data": ["a"], "augmentation": {"mark_mm": -1}}', "mark_mm = -1; expected a number, 0 or more"),
        ('{"data": ["a"], "augmentation": {"blur": 1}}', "blur"),
        ("nonsense", "not a configuration"),
    ],
)
def test_configurations_that_cannot_be(text: str, said: str, tmp_path: Path):
    file = tmp_path / "run.json"
    file.write_text(text)
    with pytest.raises(SchemaError, match=r"run\.json.*" + said):
        TrainConfig.read(file)


def test_a_configuration_in_toml(tmp_path: Path):
    file = tmp_path / "run.toml"
    file.write_text('data = ["exams"]\nepochs = 4\n[augmentation]\ndrop = 0.0\n')
    config = TrainConfig.read(file)
    assert config == TrainConfig(data=(str(tmp_path / "exams"),), epochs=4, augmentation=Augmentation(drop=0.0))
