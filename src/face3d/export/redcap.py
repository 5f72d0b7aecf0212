"""A study's tables as REDCap imports them: a data dictionary, and the data that fit it.

Records are subjects; each visit is an instance of the repeating instrument `face3d_exam`. Each measure is a field of
its own, named from what it measures alone, so that studies measured later have the same names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d.errors import SchemaError
from face3d.exam import EXPRESSIONS
from face3d.io.write import write_bytes
from face3d.measuring.definitions import DEFINITIONS
from face3d.reference.scales import ROMAN

if TYPE_CHECKING:
    import pandas as pd

DICTIONARY, DATA = "redcap_dictionary.csv", "redcap_data.csv"
#: What `face3d batch` writes of exams: one row each, and one row a measure.
EXAMS, MEASURES = "exams.csv", "measures.csv"
RECORD, SUBJECT_FORM, EXAM_FORM = "record_id", "face3d_subject", "face3d_exam"
#: Columns of a data dictionary, as REDCap's own export has them.
COLUMNS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
#: Longest name of a field that REDCap takes without a warning.
LONGEST = 26
_SIDES = " | ".join(f"{side}, {side}" for side in ("left", "right", "both", "none"))
_GRADES = " | ".join(f"{k + 1}, {numeral}" for k, numeral in enumerate(ROMAN))
#: Column of exams.csv -> (field, type, label, choices, validation). Dates are identifiers, and so are free words.
_EXAM: Mapping[str, tuple[str, str, str, str, str]] = {
    "visit": ("visit", "text", "Visit", "", ""),
    "date": ("exam_date", "text", "Date of the examination", "", "date_ymd"),
    "affected_side": ("affected_side", "radio", "Affected side, the subject's own", _SIDES, ""),
    "side_source": ("side_source", "radio", "Where the side is from", "given, given | measured, measured", ""),
    "rule_house_brackmann_by_movement": (
        "rule_hb_movement",
        "dropdown",
        "House-Brackmann by movement, by rule",
        _GRADES,
        "",
    ),
    "rule_house_brackmann_descriptive": (
        "rule_hb_descriptive",
        "dropdown",
        "House-Brackmann, descriptive, by rule",
        _GRADES,
        "",
    ),
    "rule_sunnybrook_low": ("rule_sunnybrook_low", "text", "Sunnybrook by rule, least", "", "number"),
    "rule_sunnybrook_high": ("rule_sunnybrook_high", "text", "Sunnybrook by rule, most", "", "number"),
    "rule_fngs2": ("rule_fngs2", "dropdown", "FNGS 2.0 by rule", _GRADES, ""),
    "rule_severity": ("rule_severity", "text", "Movement lost, share, by rule", "", "number"),
    "network_house_brackmann_by_movement": (
        "network_hb_movement",
        "dropdown",
        "House-Brackmann by movement, by networks",
        _GRADES,
        "",
    ),
    "network_confidence": ("network_confidence", "text", "Probability of that grade", "", "number"),
    "network_severity": ("network_severity", "text", "Movement lost, share, by networks", "", "number"),
    "network_sunnybrook": ("network_sunnybrook", "text", "Sunnybrook by networks", "", "number"),
    "network_side": ("network_side", "radio", "Weaker side, by networks", _SIDES, ""),
    "network_abstained": ("network_abstained", "yesno", "The networks abstained: don't believe their grade", "", ""),
    "clinician_house_brackmann": ("clinician_hb", "dropdown", "House-Brackmann, clinician's", _GRADES, ""),
    "clinician_sunnybrook": ("clinician_sunnybrook", "text", "Sunnybrook, clinician's", "", "number"),
    "expressions": ("expressions", "text", "Expressions measured, rest included", "", "integer"),
    "stable_rms_mm": ("stable_rms_mm", "text", "Movement left where nothing should move, mm", "", "number"),
    "notes": ("exam_notes", "notes", "What was left out or doubtful", "", ""),
}
_IDENTIFIERS = ("visit", "exam_date", "exam_notes")
#: expression -> how it stands in a field's name.
_SHORT: Mapping[str, str] = dict(
    zip(EXPRESSIONS, ("rest", "brow", "gec", "tec", "csm", "osm", "snr", "puck", "lld", "puff"), strict=True)
)


def write_redcap(study: Path, out: Path) -> dict[str, Any]:
    """Writes redcap_dictionary.csv and redcap_data.csv into `out` from the tables of a study that `face3d batch` wrote;
    returns how many subjects, visits and fields there are. Raises `SchemaError` where the tables are not there or are
    something else, `ScanError` where nothing can be written."""
    exams, measures = _table(study / EXAMS, _EXAM), _table(study / MEASURES, ("measure", "expression", "value"))
    fields = _fields(measures)
    lines = [(RECORD, SUBJECT_FORM, "text", "Subject", "", "", True)]
    for field, kind, label, choices, rule in _EXAM.values():
        lines.append((field, EXAM_FORM, kind, label, choices, rule, field in _IDENTIFIERS))
    lines += [(name, EXAM_FORM, "text", label, "", "number", False) for name, label in fields.values()]
    rows = list(_rows(exams, measures, fields))
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / DICTIONARY, _csv(COLUMNS, (_line(*line) for line in lines)))
    write_bytes(out / DATA, _csv(tuple(rows[0]) if rows else (RECORD,), (row.values() for row in rows)))
    return {"subjects": exams["subject"].nunique(), "visits": len(rows), "fields": len(lines)}


def field_name(measure: str, expression: str, region: str, side: str) -> str:
    """The field of a measure: begins with what can be read, ends with six letters that make it one of a kind."""
    whole = hashlib.sha256("/".join((measure, expression, region, side)).encode()).hexdigest()[:6]
    readable = re.sub("[^a-z0-9]+", "_", measure.lower())[:12].strip("_")
    return f"{readable}_{_SHORT.get(expression, 'all')}_{side[:1]}_{whole}"


def _table(file: Path, needed: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise SchemaError(f"{file}: no table of a study ({error}); give the folder of face3d batch --out") from None
    if missing := {"subject", *needed} - set(table.columns):
        raise SchemaError(f"{file}: columns {', '.join(sorted(missing))} are missing; give the folder of face3d batch")
    return table


def _fields(measures: pd.DataFrame) -> dict[tuple[str, ...], tuple[str, str]]:
    """(measure, expression, region, side) -> its field's name and label, in the order of the table."""
    found = {}
    for row in measures.loc[measures["measure"] != "exam"].to_dict("records"):
        key = tuple(row[k] for k in ("measure", "expression", "region", "side"))
        if key not in found:
            said = [part.replace("_", " ") for part in key if part not in ("all", "both")]
            what = DEFINITIONS[key[0]].text if key[0] in DEFINITIONS else ""
            unit = "" if row["unit"] == "1" else f" [{row['unit']}]"
            found[key] = (field_name(*key), f"{', '.join(said)}{unit}{': ' if what else ''}{what}")
    return found


def _rows(
    exams: pd.DataFrame, measures: pd.DataFrame, fields: Mapping[tuple[str, ...], tuple[str, str]]
) -> Iterable[dict[str, str]]:
    values: dict[tuple[str, str], dict[str, str]] = {}
    for row in measures.to_dict("records"):
        key = tuple(row[k] for k in ("measure", "expression", "region", "side"))
        if key in fields:
            values.setdefault((row["subject"], row["visit"]), {})[fields[key][0]] = row["value"]
    seen: dict[str, int] = {}
    for row in exams.to_dict("records"):
        subject = row["subject"]
        seen[subject] = seen.get(subject, 0) + 1
        measured = values.get((subject, row["visit"]), {})
        yield {
            RECORD: subject,
            "redcap_repeat_instrument": EXAM_FORM,
            "redcap_repeat_instance": str(seen[subject]),
            **{field: _value(row[column], kind, rule) for column, (field, kind, _, _, rule) in _EXAM.items()},
            **{name: measured.get(name, "") for name, _ in fields.values()},
            f"{EXAM_FORM}_complete": "2",
        }


def _value(text: str, kind: str, rule: str) -> str:
    """As REDCap codes it: whole numbers without a point, truth as 1 and 0."""
    if kind == "yesno":
        return {"True": "1", "False": "0"}.get(text, "")
    if (kind == "dropdown" or rule == "integer") and text:
        return str(round(float(text)))
    return text


def _line(name: str, form: str, kind: str, label: str, choices: str, rule: str, identifier: bool) -> tuple[str, ...]:
    known = {
        "Variable / Field Name": name,
        "Form Name": form,
        "Field Type": kind,
        "Field Label": label,
        "Choices, Calculations, OR Slider Labels": choices,
        "Text Validation Type OR Show Slider Number": rule,
        "Identifier?": "y" if identifier else "",
    }
    return tuple(known.get(column, "") for column in COLUMNS)


def _csv(header: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")
