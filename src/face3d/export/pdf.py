"""A page as PDF, for the record: what a browser prints of it, with whose it is and a number on every sheet."""

from __future__ import annotations

from pathlib import Path

from face3d.errors import SchemaError
from face3d.extras import require
from face3d.io.write import write_bytes
from face3d.report.folder import REPORT, REPORT_PDF

#: On every sheet, since sheets get separated: the page's heading, whose it is, and how many sheets there are. Tables
#: beside each other stand below each other: they would be wider than the sheet.
_SHEETS = """
@page { margin: 12mm 12mm 16mm;
  @bottom-left { content: string(what) " · " string(who); font: 8px "Liberation Sans", sans-serif; color: #5b6670; }
  @bottom-right { content: counter(page) " of " counter(pages); font: 8px "Liberation Sans", sans-serif;
    color: #5b6670; }
}
h1 { string-set: what content(); } header .sub { string-set: who content(); }
.pair { display: block !important; } .pair > * + * { margin-top: 14px; } .pair td.bars { width: 20% !important; }
.pair td.name { width: 26%; }
"""


def as_pdf(page: str) -> bytes:
    """A page of ours, HTML, as the bytes of a PDF, the same for the same page; pictures stand for what can be turned by
    hand. Nothing outside the page is asked for. Raises `MissingExtraError` without WeasyPrint."""
    weasyprint = require("weasyprint")
    only_its_own = weasyprint.URLFetcher(allowed_protocols={"data"}, fail_on_errors=True)
    # WeasyPrint knows no weights between 600 and 700, and would take the regular one.
    page = page.replace("font-weight: 650", "font-weight: 700")
    whole = weasyprint.HTML(string=page, url_fetcher=only_its_own)
    sheets = weasyprint.CSS(string=_SHEETS)
    return whole.write_pdf(stylesheets=[sheets], pdf_identifier=b"face3d", pdf_tags=True)


def page_of(result: Path) -> str:
    """The page of a result's folder. Raises `SchemaError` where there is none."""
    try:
        return (result / REPORT).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SchemaError(f"{result / REPORT}: no page of a result; give the folder of a command's --out") from None


def write_pdf(result: Path) -> Path:
    """report.pdf beside a result's report.html; returns its path. Raises `SchemaError` where there is no page,
    `ScanError` where nothing can be written, `MissingExtraError` without WeasyPrint."""
    return write_bytes(result / REPORT_PDF, as_pdf(page_of(result)))
