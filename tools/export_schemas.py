"""Writes the JSON Schemas of the files that face3d reads and writes into data_schemas/."""

from __future__ import annotations

import json
from pathlib import Path

from face3d.io.calibration import CalibrationFile
from face3d.io.exam import ExamManifest
from face3d.report.compare_result import CompareResult
from face3d.report.exam_result import ExamResult
from face3d.report.scan_result import json_schema
from face3d.report.sequence_result import SequenceResult

FOLDER = Path(__file__).parents[1] / "data_schemas"

SCHEMAS = {
    "exam": ExamManifest.model_json_schema(),
    "calibration": CalibrationFile.model_json_schema(),
    "result": json_schema(),
    "exam_result": ExamResult.model_json_schema(mode="serialization"),
    "sequence_result": SequenceResult.model_json_schema(mode="serialization"),
    "compare_result": CompareResult.model_json_schema(mode="serialization"),
}


def main() -> None:
    for name, schema in SCHEMAS.items():
        path = FOLDER / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", "utf-8")
        print(path)


if __name__ == "__main__":
    main()
