"""Commands that make scans of what cameras recorded: stereo pairs, depth pictures, plain videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from face3d.cli.common import Json, RequiredOut, check_writable, print_json


def calibrate(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder of pictures of the board for each camera.")
    ],
    columns: Annotated[int, typer.Option(help="Squares of the board from left to right.")],
    rows: Annotated[int, typer.Option(help="Squares of the board from top to bottom.")],
    square: Annotated[float, typer.Option(help="Side of a square, mm, as measured on the print.")],
    out: Annotated[Path, typer.Option(help="The calibration's file.")] = Path("calibration.json"),
    board: Annotated[Literal["charuco", "chessboard"], typer.Option(help="Kind of board.")] = "charuco",
    dictionary: Annotated[str, typer.Option(help="A ChArUco board's markers, as OpenCV calls them.")] = "4X4_250",
    marker: Annotated[float, typer.Option(help="A marker's side as a share of its square's.")] = 0.75,
    json: Json = False,
) -> int:
    """Calibrate a rig of cameras from pictures of a board.

    FOLDER holds a folder for each camera (left/, right/; with several pods 1_left/, 1_right/, 2_left/ ...), and in them
    pictures of the same instant have the same name. 12 or more views, the board tilted by up to 30 degrees and held
    into all corners, give 0.1 to 0.5 pixels.
    """
    from face3d.io.calibration import write_calibration
    from face3d.sequence.boards import Board
    from face3d.sequence.calibration import calibrate as calibrated

    check_writable(out.absolute().parent)
    found = calibrated(folder, Board(board, columns, rows, square, marker, dictionary))
    write_calibration(out, found)
    errors = {name: round(camera.reprojection_px, 4) for name, camera in found.cameras.items()}
    if json:
        print_json({"file": str(out), "reprojection_px": errors, "views": found.views, "notes": list(found.notes)})
    else:
        print(f"{out}: {len(errors)} cameras from {found.views} views of a {found.board}")
        print("\n".join([f"  {name}: corners miss by {error:.3f} pixels (RMS)" for name, error in errors.items()]))
        print("\n".join(found.notes), end="\n" if found.notes else "")
    return 0


def reconstruct(
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="LEFT RIGHT", help="Pictures in the order of the calibration's cameras, or a folder."),
    ],
    calibration: Annotated[Path, typer.Option(help="What `face3d calibrate` wrote.")],
    out: RequiredOut,
    json: Json = False,
) -> int:
    """Make a face scan of pictures that calibrated cameras took at one instant.

    Writes reconstruction.ply (colours and standard deviation a vertex) and reconstruction.json into --out. With several
    pods: all pictures in the order of the calibration's cameras, or one folder with a picture named like each camera.
    """
    from face3d.io.calibration import read_calibration
    from face3d.sequence.stereo import read_pictures
    from face3d.sequence.stereo import reconstruct as reconstructed

    check_writable(out)
    rig = read_calibration(calibration)
    made = reconstructed(read_pictures(pictures, rig), rig)
    made.write(out)
    facts = made.facts()
    if json:
        print_json(facts)
    else:
        print(f"{out / 'reconstruction.ply'}: {facts['vertices']:,} vertices, standard deviation {facts['sd_mm']}")
        print("\n".join(made.notes), end="\n" if made.notes else "")
    return 0


def fuse(
    folder: Annotated[Path, typer.Argument(metavar="DEPTH", help="A recording: depth/, perhaps color/, camera.json.")],
    out: RequiredOut,
    unit: Annotated[str, typer.Option(help="Millimetres in a step of depth, where camera.json does not say.")] = "auto",
    json: Json = False,
) -> int:
    """Make one scan at rest of a depth camera's recording of a head that turns slowly.

    Writes rest.ply and fuse.json (which frames were used, and why others were not) into --out. The face looks into the
    camera first, then turns to each side by up to 30 degrees within some seconds, without moving a muscle.
    """
    from face3d.io.depth_image import read_depth_images
    from face3d.sequence.fusion import fuse as fused

    check_writable(out)
    frames, lost = read_depth_images(folder, unit)
    made = fused(frames, str(folder), lost)
    made.write(out)
    facts = made.facts()
    if json:
        print_json(facts)
    else:
        print(f"{out / 'rest.ply'}: {len(made.scan.vertices):,} vertices of {made.used} frames", end="; ")
        print(f"the head turned by {made.turn_degrees:.0f} degrees, {len(made.left_out)} frames left out")
    return 0


def video(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A video of one face: MP4, AVI, MOV.")],
    out: RequiredOut,
    fps: Annotated[float | None, typer.Option(help="Frames a second, where the file's own number is wrong.")] = None,
    json: Json = False,
) -> int:
    """Estimate eye closure, blinks, smile and brow of both sides from a plain video. Not millimetres, not a 3D measure.

    Writes video.csv (a row a frame) and summary.json into --out. The face looks into the camera, at rest in the first
    half second; frames that are blurred, too small or turned too far are left out, and the table says why.
    """
    from face3d.sequence.video import measure_video

    check_writable(out)
    found = measure_video(file, fps)
    found.write(out)
    summary = found.summary()
    if json:
        print_json(summary)
    else:
        print(f"{out / 'video.csv'}: {summary['frames_used']} of {summary['frames']} frames used")
        print("\n".join(f"  {name}: {summary[name]}" for name in ("smile", "brow", "eyes")))
        print(summary["kind"])
    return 0
