"""CITATION.cff is one, of this version."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

import face3d

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]

#: What of the Citation File Format 1.2.0 (10.5281/zenodo.5171937) this file uses; no other field is let in.
_TEXT = {"type": "string", "minLength": 1}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["cff-version", "title", "message", "authors"],
    "properties": {
        "cff-version": {"const": "1.2.0"},
        "title": _TEXT,
        "message": _TEXT,
        "type": {"enum": ["software", "dataset"]},
        "authors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "anyOf": [
                    {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
                    {"type": "object", "required": ["family-names"], "properties": {"family-names": _TEXT}},
                ]
            },
        },
        "version": _TEXT,
        "date-released": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
        "license": _TEXT,
        "abstract": _TEXT,
        "keywords": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
    },
}


def test_it_follows_the_format_and_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(cited)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (cited["version"], cited["license"]) == (face3d.__version__, project["license"])
    released = f"## [{cited['version']}] - {cited['date-released']}"
    assert released in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_schema_refuses_what_is_none() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"cff-version": "1.2.0", "title": "x", "message": "x", "authors": []}, SCHEMA)
