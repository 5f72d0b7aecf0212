"""Results as DICOM: the report as Encapsulated PDF, the faces as Encapsulated STL and OBJ.

Whose they are is what the user says, and nothing else: a result's own names and dates go nowhere. The same result with
the same tags gives the same bytes and identifiers, so that what is sent twice is stored once.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d.errors import SchemaError
from face3d.export.pdf import as_pdf, page_of
from face3d.extras import require
from face3d.io.write import write_bytes, write_scan
from face3d.report.faces import Faces, read_faces
from face3d.report.folder import FACES
from face3d.scan import FaceScan

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: What may be said of patient, study and device, by DICOM keyword; PatientID must be. Those marked True stand in every
#: file, empty where nothing is said (type 2 of the standard).
TAGS: Mapping[str, bool] = {
    "PatientID": True,
    "PatientName": True,
    "PatientBirthDate": True,
    "PatientSex": True,
    "PatientAge": False,
    "IssuerOfPatientID": False,
    "StudyInstanceUID": False,
    "StudyDate": True,
    "StudyTime": True,
    "StudyID": True,
    "StudyDescription": False,
    "AccessionNumber": True,
    "ReferringPhysicianName": True,
    "InstitutionName": False,
    "InstitutionalDepartmentName": False,
    "SeriesDescription": False,
    "OperatorsName": False,
    "StationName": False,
}
#: How the standard calls what is put in: SOP class, MIME type, modality; and the series that it stands in.
_PDF = ("1.2.840.10008.5.1.4.1.1.104.1", "application/pdf", "DOC", 1)
_STL = ("1.2.840.10008.5.1.4.1.1.104.3", "model/stl", "M3D", 2)
_OBJ = ("1.2.840.10008.5.1.4.1.1.104.4", "model/obj", "M3D", 3)
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Document:
    """What goes into one file: its `name` without ending, `title`, `kind` and `content`."""

    name: str
    title: str
    kind: tuple[str, str, str, int]
    content: bytes


def read_tags(file: Path | None, given: Sequence[str] = ()) -> dict[str, str]:
    """DICOM keyword -> value, from a JSON file and "KEYWORD=VALUE" texts, which win. Raises `SchemaError` for what is
    no keyword of `TAGS`, and without PatientID."""
    tags: dict[str, Any] = {}
    if file is not None:
        try:
            tags = json.loads(file.read_text("utf-8-sig"))
        except (OSError, ValueError) as error:
            raise SchemaError(f"{file}: no JSON of DICOM tags ({error}); expected an object of keywords") from None
        if not isinstance(tags, dict):
            raise SchemaError(f'{file}: holds a JSON {type(tags).__name__}; expected {{"PatientID": "...", ...}}')
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise SchemaError(f"--tag {text}: expected KEYWORD=VALUE, such as PatientID=4711")
        tags[key.strip()] = value
    if unknown := sorted(set(tags) - set(TAGS)):
        raise SchemaError(f"DICOM tag {unknown[0]}: not one that can be given; known are {', '.join(TAGS)}")
    wrong = next((key for key, value in tags.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise SchemaError(f"DICOM tag {wrong}: {tags[wrong]!r} is no text")
    if not tags.get("PatientID", "").strip():
        raise SchemaError("DICOM: no PatientID; give it by --tag PatientID=... or in the file of --tags")
    return tags


def write_dicom(result: Path, out: Path, tags: Mapping[str, str]) -> list[Path]:
    """Writes the report of a result's folder, and of an exam each face on the template as STL and OBJ, into `out`, made
    when it is not there; returns the files. Raises `SchemaError` for what is no result or no valid tag, `ScanError`
    where nothing can be written, `MissingExtraError` without pydicom or WeasyPrint."""
    require("pydicom")
    made = [(d, encapsulated(d, tags, number + 1)) for number, d in enumerate(_documents(result))]
    out.mkdir(parents=True, exist_ok=True)
    return [write_bytes(out / f"{document.name}.dcm", content) for document, content in made]


def encapsulated(document: Document, tags: Mapping[str, str], number: int) -> bytes:
    """One document as the bytes of a DICOM file; `number` counts those of a study. Raises `SchemaError` for values that
    the standard does not allow."""
    from pydicom import dcmwrite

    file = io.BytesIO()
    try:
        dcmwrite(file, _dataset(document, tags, number), enforce_file_format=True)
    except (ValueError, TypeError) as error:
        raise SchemaError(f"DICOM tags: {error}") from None
    return file.getvalue()


def _documents(result: Path) -> Iterator[Document]:
    yield Document("report", "Report of face3d", _PDF, as_pdf(page_of(result)))
    if (result / FACES).is_file():
        faces = read_faces(result / FACES)
        for expression in ("rest", *faces.displacements):
            for kind, ending in ((_STL, ".stl"), (_OBJ, ".obj")):
                title = f"Face surface, {expression.replace('_', ' ')}"
                yield Document(f"{expression}{ending}", title, kind, _mesh(faces, expression, ending))


def _mesh(faces: Faces, expression: str, ending: str) -> bytes:
    """The face on the template, mm, head frame: no colours, no hair, and in all people the same triangles."""
    scan = FaceScan(faces.whole(expression)[0], faces.template.faces)
    with tempfile.TemporaryDirectory() as folder:
        return write_scan(Path(folder, f"face{ending}"), scan).read_bytes()


def _dataset(document: Document, tags: Mapping[str, str], number: int) -> Dataset:
    from pydicom import config
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, generate_uid

    import face3d

    def uid(*of: str) -> UID:
        return generate_uid(entropy_srcs=["face3d", *of])

    sop_class, mime, modality, series_number = document.kind
    study = tags.get("StudyInstanceUID") or uid("study", *(f"{k}={v}" for k, v in sorted(tags.items())))
    series = uid("series", study, mime)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE_ENDIAN)
    meta.MediaStorageSOPClassUID = UID(sop_class)
    instance = uid("instance", series, document.name, hashlib.sha256(document.content).hexdigest())
    meta.MediaStorageSOPInstanceUID = instance
    ds = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom only warns of values that the standard does not allow
        before, config.settings.writing_validation_mode = config.settings.writing_validation_mode, config.RAISE
        try:
            for keyword, always in TAGS.items():
                if keyword in tags or always:
                    setattr(ds, keyword, tags.get(keyword, ""))
        except (ValueError, UserWarning) as error:
            raise SchemaError(f"DICOM tag {keyword}: {error}") from None
        finally:
            config.settings.writing_validation_mode = before
    ds.file_meta = meta
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, instance
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, series_number, number
    ds.setdefault("SeriesDescription", "Facial movement, research use only")
    ds.Manufacturer, ds.ManufacturerModelName = "face3d", "face3d"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", face3d.__version__
    ds.ContentDate, ds.ContentTime, ds.AcquisitionDateTime = ds.StudyDate, ds.StudyTime, ""
    # A page names its subject, and the shape of a face is a person's, whatever was taken off it.
    ds.BurnedInAnnotation = "YES" if modality == "DOC" else "NO"
    ds.RecognizableVisualFeatures = "YES"
    ds.DocumentTitle = document.title
    ds.ConceptNameCodeSequence = []
    if modality == "DOC":
        ds.ConversionType = "WSD"
    else:
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid("frame", study), ""
        ds.MeasurementUnitsCodeSequence = [_code("mm", "UCUM", "mm")]
    ds.MIMETypeOfEncapsulatedDocument = mime
    ds.EncapsulatedDocumentLength = len(document.content)
    ds.EncapsulatedDocument = document.content + b"\0" * (len(document.content) % 2)
    return ds


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
