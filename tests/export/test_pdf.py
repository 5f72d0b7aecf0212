"""PDF for the record: the page's own words and pictures, nothing asked of any network, the same bytes each time."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face3d import cli
from face3d.export.pdf import as_pdf, write_pdf
from face3d.geometry.colors import MOVEMENT
from face3d.report.drawings import gradient
from face3d.report.outputs import write_exam
from planted_results import exam_result, measures

weasyprint = pytest.importorskip("weasyprint")


def poppler(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program}: PDF is not looked at (tools/system_libraries.sh installs poppler-utils)")
    return found


def test_the_pdf_says_what_the_page_says(tmp_path: Path) -> None:
    file = write_pdf(exam_result(tmp_path / "r"))
    assert file == tmp_path / "r" / "report.pdf"
    assert as_pdf((tmp_path / "r" / "report.html").read_text("utf-8")) == file.read_bytes()
    text = subprocess.run([poppler("pdftotext"), "-layout", file, "-"], capture_output=True, text=True, check=True)
    page = " ".join(text.stdout.split())
    for words in (
        "For research use only; not a medical device.",
        "mouth corner excursion",
        "House-Brackmann, descriptive",
    ):
        assert words in page
    sheets = text.stdout.split("\f")[:-1]
    for number, sheet in enumerate(sheets, 1):
        assert f"{number} of {len(sheets)}" in sheet and "p017, pre" in sheet  # whose it is, on each


def test_a_scale_is_drawn_as_it_is(tmp_path: Path) -> None:
    style = f"<style>@page{{size:A4;margin:12mm}} div{{height:30px;background:{gradient(MOVEMENT)}}}</style>"
    html = f'<html lang="en">{style}<div></div>'
    (tmp_path / "a.pdf").write_bytes(as_pdf(html))
    subprocess.run([poppler("pdftoppm"), "-r", "100", "-singlefile", "-png", "a.pdf", "a"], cwd=tmp_path, check=True)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"), np.float64)
    row = picture[np.flatnonzero(np.any(np.all(picture < 250, axis=2), axis=1))[10]]
    left, right = np.flatnonzero(np.any(row < 252, axis=1))[[0, -1]]
    shown = row[np.linspace(left, right, len(MOVEMENT.stops)).round().astype(int)]
    # Of 255; a bar that misleads was off by 40. Its ends fade into the paper.
    assert np.abs(shown - np.asarray(MOVEMENT.stops))[1:-1].max() < 8


def test_nothing_is_asked_of_a_network(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for outside in ("http://127.0.0.1:9/x.png", secret.as_uri()):
        with pytest.raises(weasyprint.urls.FatalURLFetchingError, match="Error fetching"):
            as_pdf(f'<p>words<img src="{outside}">')


def test_a_new_result_takes_the_old_pdf_away(tmp_path: Path) -> None:
    folder = exam_result(tmp_path / "r")
    (folder / "faces.npz").unlink()
    write_pdf(folder)
    write_exam(measures(), folder)
    assert not (folder / "report.pdf").exists()


def test_pdf_needs_a_folder_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", "a", "b", "--pdf"]) == 2
    assert "give one with --out" in capsys.readouterr().err
    assert cli.run(["export", str(tmp_path), "--pdf"]) == 2
    assert "no page of a result" in capsys.readouterr().err
    assert cli.run(["export", str(exam_result(tmp_path / "r")), "--pdf", "--json"]) == 0
    assert "report.pdf" in capsys.readouterr().out
