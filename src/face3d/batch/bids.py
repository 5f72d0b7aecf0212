"""What the command of a BIDS App needs besides: whose items are meant, and what says what the results are.

BIDS-like: there is no modality for surfaces of faces. Ours are sub-LABEL[/ses-LABEL]/face/.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import face3d
from face3d.batch.discover import Found
from face3d.errors import SchemaError
from face3d.io.write import write_bytes
from face3d.visits import entity

#: Version of BIDS whose description of derivatives is followed.
BIDS = "1.9.0"
DESCRIPTION = "dataset_description.json"


def chosen(found: Found, participants: Sequence[str], sessions: Sequence[str], study: Path) -> tuple[Found, str]:
    """The items of these participants and sessions (all where none is named), and what a run on them claims of the
    output. Raises `SchemaError` for a label that nobody has."""
    if not participants and not sessions:
        return found, "all"
    wanted = {"sub": _plain(participants, "sub-"), "ses": _plain(sessions, "ses-")}
    items = found.items
    for key, labels in wanted.items():
        there = {entity(Path(item.name), key) for item in items}
        if unknown := sorted(labels - there):
            known = ", ".join(sorted(label for label in there if label)[:10]) or "none"
            raise SchemaError(f"{study}: no {key}-{unknown[0]}; there are {known}")
        items = tuple(i for i in items if not labels or entity(Path(i.name), key) in labels)
    told = json.dumps([sorted(wanted["sub"]), sorted(wanted["ses"])])
    return Found(items, {}), f"participants-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def describe(out: Path) -> None:
    """Writes dataset_description.json, where there is none yet."""
    if (out / DESCRIPTION).exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    said = {
        "Name": "face3d measurements",
        "BIDSVersion": BIDS,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "face3d", "Version": face3d.__version__, "Description": "not a medical device"}],
    }
    write_bytes(out / DESCRIPTION, (json.dumps(said, indent=2) + "\n").encode())


def _plain(labels: Sequence[str], prefix: str) -> set[str]:
    return {label.removeprefix(prefix) for each in labels for label in each.replace(",", " ").split()}
