"""The exported network says what the network says."""

from pathlib import Path

import numpy as np
import pytest

from face3d.learn.export import export_onnx
from simple_exams import simple_exam

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def test_onnx_says_what_torch_says(tmp_path: Path) -> None:
    from face3d.grading.networks import Outputs, batch_of, mean_outputs
    from face3d.learn.architectures import build

    torch.manual_seed(0)
    networks = [build("correspondence").eval() for _ in range(2)]
    path = export_onnx(networks, tmp_path / "grader.onnx")
    # Another number of exams than it was exported with, one of them incomplete.
    examples = [simple_exam(0), simple_exam(1).without(["snarl", "cheek_puff"]), simple_exam(2, "right")]
    batch = batch_of(examples, points=False)
    with torch.inference_mode():
        said = mean_outputs([network(batch) for network in networks])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {i.name: batch[i.name].numpy() for i in session.get_inputs()}
    for name, value in zip(Outputs._fields, session.run(list(Outputs._fields), inputs), strict=True):
        np.testing.assert_allclose(value, getattr(said, name).numpy(), atol=1e-4, err_msg=name)
