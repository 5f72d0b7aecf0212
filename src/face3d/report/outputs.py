"""What `face3d analyze --out` leaves behind: asymmetry.ply, result.json, regions.csv, report.html."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from face3d.errors import LandmarkError, OutputError, ScanError
from face3d.extras import extra_of, missing
from face3d.report.scan_result import Result, result_of

if TYPE_CHECKING:
    from face3d.measuring.analysis import Analysis

RESULT, REGIONS, MESH, REPORT = "result.json", "regions.csv", "asymmetry.ply", "report.html"


def write_outputs(analysis: Analysis, folder: Path, step: Callable[[str], None] = lambda name: None) -> Result:
    """Write all four files into `folder`, made when it is not there; each appears whole or not at all.

    The PLY keeps the input's vertices in their order, in the canonical head frame, NaN where nothing was measured.
    `step` is called with the name of each part as it begins. Raises `OutputError` when the folder cannot be written.
    """
    from face3d.io import write_scan
    from face3d.io.write import write_bytes

    result = result_of(analysis)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}; give another folder with --out") from None
    try:
        step("writing")
        in_head = analysis.scan.moved(analysis.head)
        properties = {
            "asymmetry_mm": analysis.asymmetry_mm,
            "surface_distance_mm": analysis.surface_distance_mm,
            "signed_surface_distance_mm": analysis.signed_surface_distance_mm,
        }
        write_scan(folder / MESH, in_head, properties)
        write_bytes(folder / RESULT, result.to_json().encode())
        write_bytes(folder / REGIONS, analysis.regions.to_csv(index=False).encode())
        step("drawing the report")
        write_bytes(folder / REPORT, report_of(analysis, result).encode())
    except ScanError as error:
        raise OutputError(f"{error}; give another folder with --out") from None
    return result


def report_of(analysis: Analysis, result: Result) -> str:
    """The report as HTML; without pictures, and saying why, where there is nothing to draw or to draw with."""
    from face3d.report.pictures import pictures_of
    from face3d.report.scan_page import page

    try:
        pictures = pictures_of(analysis)
    except LandmarkError as error:  # a point cloud too sparse to be drawn as a surface
        return page(result, no_pictures=str(error))
    except ModuleNotFoundError as error:
        if extra_of(error.name or "") is None:
            raise
        return page(result, no_pictures=str(missing(error.name or "")))
    return page(result, pictures)
