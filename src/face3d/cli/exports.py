"""`face3d export`: results in other programs' formats, and without what names a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from face3d.cli.common import Fps, Json, Units, check_writable, print_json
from face3d.errors import SchemaError


def export(
    source: Annotated[
        Path, typer.Argument(metavar="RESULT", help="Folder of a command's --out; for --deidentify also scans, exams.")
    ],
    pdf: Annotated[bool, typer.Option("--pdf", help="report.pdf beside the result's report.html.")] = False,
    dicom: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The report, and an exam's faces as STL and OBJ, as DICOM.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(metavar="FILE", help='For --dicom: JSON, {"PatientID": "4711", "StudyDate": ...}.')
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEYWORD=VALUE", help="For --dicom: one tag; wins over the file's.")
    ] = None,
    redcap: Annotated[
        Path | None, typer.Option(metavar="DIR", help="REDCap's dictionary and data, of what `face3d batch` wrote.")
    ] = None,
    deidentify: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The same without names, dates, devices, notes, comments and colours."),
    ] = None,
    label: Annotated[str, typer.Option(help="For --deidentify: what the person is called there.")] = "anonymous",
    template: Annotated[
        bool, typer.Option("--template", help="For --deidentify: the shape of the face is replaced by the template's.")
    ] = False,
    json: Json = False,
) -> int:
    """Hand a result on: PDF for the record, DICOM, REDCap, or without what names the person.

    Tags of DICOM are never taken from a result: patient and study are what you say. A de-identified face is still the
    person's face; --template keeps its movement and asymmetry on a face that is nobody's.
    """
    for folder in (dicom, redcap, deidentify):
        if folder is not None:
            check_writable(folder)
    if not (pdf or dicom or redcap or deidentify):
        raise SchemaError("export into what? Give --pdf, --dicom DIR, --redcap DIR or --deidentify DIR")
    if (tags or tag) and dicom is None:
        raise SchemaError("--tags and --tag are DICOM's; give --dicom DIR too")
    made: dict[str, Any] = {}
    if pdf:
        from face3d.export.pdf import write_pdf

        made["pdf"] = str(write_pdf(source))
    if dicom is not None:
        from face3d.export.dicom import read_tags, write_dicom

        made["dicom"] = [str(file) for file in write_dicom(source, dicom, read_tags(tags, tag or []))]
    if redcap is not None:
        from face3d.export.redcap import write_redcap

        made["redcap"] = write_redcap(source, redcap) | {"folder": str(redcap)}
    if deidentify is not None:
        from face3d.export.deidentified import write_deidentified

        kept = write_deidentified(source, deidentify, label, template)
        made["deidentified"] = {"files": [str(file) for file in kept.files], "left_out": kept.left_out}
    if json:
        print_json(made)
    else:
        print(_text(made))
    return 0


def _text(made: dict[str, Any]) -> str:
    lines = []
    if "pdf" in made:
        lines.append(f"pdf: {made['pdf']}")
    if "dicom" in made:
        lines.append(f"dicom: {len(made['dicom'])} files in {Path(made['dicom'][0]).parent}")
    if "redcap" in made:
        r = made["redcap"]
        lines.append(
            f"redcap: {r['subjects']} subjects, {r['visits']} visits, {r['fields']} fields in {r['folder']}; import "
            "the dictionary, make face3d_exam a repeating instrument, then import the data"
        )
    if "deidentified" in made:
        files, left_out = made["deidentified"]["files"], made["deidentified"]["left_out"]
        lines += [
            f"de-identified: {len(files)} files in {Path(files[0]).parent}",
            *(f"left out: {w}" for w in left_out),
        ]
    return "\n".join(lines)


def view(
    result: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT", help="Folder that analyze, exam or sequence wrote, a scan file, or frames to --follow."
        ),
    ],
    after: Annotated[
        Path | None, typer.Argument(metavar="AFTER", help="A later visit's folder: both beside each other.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw into this PNG instead, without a display.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="RESULT is a folder that a camera writes frames to: draw the newest.")
    ] = False,
    fps: Fps = None,
    units: Units = "auto",
    rest: Annotated[
        Path | None, typer.Option(help="With --follow: the face at rest; else the first frame is taken for it.")
    ] = None,
    json: Json = False,
) -> int:
    """Look at a result in a window: turn it, go through expressions or frames, m for the next map.

    The same can be looked at, and read out in millimetres, in a browser: RESULT/report.html.
    """
    from face3d.viewing.shown import scene_of
    from face3d.viewing.window import Window, check_display

    if picture is None:
        check_display()
    if follow:
        return _live(result, fps, units, rest, picture, json)
    what = result
    if result.is_file():
        from face3d.io import read_scan

        what = read_scan(result)
    window = Window(scene_of(what, after), off_screen=picture is not None)
    if picture is None:
        window.show()
    return _drawn({} if picture is None else {"picture": str(window.picture(picture))}, json)


def _drawn(said: dict[str, Any], json: bool) -> int:
    if json:
        print_json(said)
    else:
        for name, value in said.items():
            print(f"{name}: {value}")
    return 0


def _live(frames: Path, fps: float | None, units: str, rest: Path | None, picture: Path | None, json: bool) -> int:
    """Draws frames until no more come or the window is closed; the picture is of the last."""
    from face3d.io import read_scan
    from face3d.io.sequence_read import read_sequence
    from face3d.viewing.live import Live

    recording = read_sequence(frames, fps, units, follow=True)
    live = Live(recording, None if rest is None else read_scan(rest, units), off_screen=picture is not None)
    said: dict[str, Any] = {"frames drawn": sum(1 for _ in live)}
    if picture is not None:
        said["picture"] = str(live.window.picture(picture))
    return _drawn(said, json)
