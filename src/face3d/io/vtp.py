"""VTK XML PolyData (.vtp), read without VTK, which damaged files crash: ascii, base64 and appended data, zlib or lzma.

After the VTK file formats page of the VTK book: a data array is a header of sizes and then the bytes, packed in blocks
when the file names a compressor.
"""

from __future__ import annotations

import base64
import binascii
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.guard import MAX_BYTES
from face3d.io.raw import RawMesh, check_counts, colors_from, fan, strips, without_small
from face3d.io.text import PADDING, parse
from face3d.scan import Floats, Ints

_TYPES = {
    "Int8": "i1",
    "UInt8": "u1",
    "Int16": "i2",
    "UInt16": "u2",
    "Int32": "i4",
    "UInt32": "u4",
    "Int64": "i8",
    "UInt64": "u8",
    "Float32": "f4",
    "Float64": "f8",
}
_APPENDED = re.compile(rb"<AppendedData\s+encoding\s*=\s*[\"'](raw|base64)[\"']\s*>\s*_")


def read_vtp(name: str, data: bytes) -> RawMesh:
    """Parse a VTP file: points, polygons as fans, vertex colours. Raises `ScanError` naming the array at fault."""
    appended = _APPENDED.search(data)
    head = data[: appended.start()] + b"</VTKFile>" if appended else data.rstrip(PADDING)
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", head, re.IGNORECASE):
        raise ScanError(f"{name}: declares XML entities, which are not expanded; save the file without them")
    try:
        root = ElementTree.fromstring(head)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise ScanError(f"{name}: no valid XML ({error})") from None
    kind = root.get("type", "")
    if root.tag != "VTKFile" or kind != "PolyData":
        raise ScanError(f"{name}: holds {root.tag[:30]} {kind[:30]}; a VTKFile of PolyData is read")
    body = data[appended.end() :] if appended else b""
    arrays = _Arrays.of(name, root, body, bool(appended) and appended.group(1) == b"base64")
    pieces = root.findall("./PolyData/Piece")
    if not pieces:
        raise ScanError(f"{name}: no piece of data in it")
    total = 0
    for piece in pieces:
        total += _count(name, piece, "NumberOfPoints")
        check_counts(name, total, _count(name, piece, "NumberOfPolys"))
    if total == 0:
        raise ScanError(f"{name}: declares no points")
    vertices: list[Floats] = []
    faces: list[Ints] = []
    colors: list[NDArray[np.uint8] | None] = []
    notes: list[str] = []
    first = 0
    for piece in pieces:
        count = _count(name, piece, "NumberOfPoints")
        if count == 0:
            continue
        points = arrays.read(piece.find("./Points/DataArray"), "Points", 3 * count).reshape(-1, 3)
        vertices.append(points.astype(np.float64))
        sizes, corner = _cells(arrays, piece, "Polys", count)
        sizes, corner = without_small(sizes, notes, corner)
        faces.append(fan(name, corner, sizes) + first)
        sizes, corner = _cells(arrays, piece, "Strips", count)
        faces.append(strips(corner, sizes) + first)
        colors.append(_colors(arrays, piece, count))
        first += count
    mesh = RawMesh(np.concatenate(vertices), np.concatenate(faces), notes=notes)
    check_counts(name, first, len(mesh.faces))
    known = [c for c in colors if c is not None]
    if len(known) == len(colors):
        mesh.colors = np.concatenate(known)
    elif known:
        notes.append(f"colours are given for {len(known)} of {len(colors)} pieces only, and were left out")
    return mesh


def _count(name: str, piece: ElementTree.Element, key: str) -> int:
    text = piece.get(key, "0")
    if not text.isdecimal() or len(text) > 18:
        raise ScanError(f"{name}: {key} is {text[:40]!r}; expected a number")
    return int(text)


def _cells(arrays: _Arrays, piece: ElementTree.Element, kind: str, points: int) -> tuple[Ints, Ints]:
    """Corner counts and all corners of a piece's "Polys" or "Strips"."""
    name = arrays.name
    count = _count(name, piece, f"NumberOf{kind}")
    if count == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    by_name = {a.get("Name"): a for a in piece.findall(f"./{kind}/DataArray")}
    ends = arrays.read(by_name.get("offsets"), "offsets", count)
    # uint64 values beyond int64 turn negative here, and are then refused as such
    ends = ends.astype(np.int64)
    sizes = np.diff(ends, prepend=0)
    if (sizes < 1).any():
        bad = int(np.flatnonzero(sizes < 1)[0])
        raise ScanError(f"{name}: number {bad} of {kind} has {sizes[bad]} corners; a face needs 3")
    if ends[-1] > 2 * MAX_BYTES:
        raise ScanError(f"{name}: the offsets end at {ends[-1]}, more than any file holds")
    corner = arrays.read(by_name.get("connectivity"), "connectivity", int(ends[-1])).astype(np.int64)
    outside = (corner < 0) | (corner >= points)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        bad = int(np.searchsorted(ends, at, "right"))
        raise ScanError(f"{name}: number {bad} of {kind} refers to point {corner[at]}; there are {points}, from 0")
    return sizes, corner


def _colors(arrays: _Arrays, piece: ElementTree.Element, count: int) -> NDArray[np.uint8] | None:
    """The first point array of 3 or 4 bytes a point, as VTK itself shows colours."""
    for array in piece.findall("./PointData/DataArray"):
        width = array.get("NumberOfComponents", "1")
        if array.get("type") == "UInt8" and width in ("3", "4"):
            return colors_from(arrays.read(array, "colours", int(width) * count).reshape(count, -1)[:, :3], 255.0)
    return None


@dataclass(frozen=True, eq=False)
class _Arrays:
    """How the file's data arrays are stored."""

    name: str
    order: str
    header: np.dtype
    unpack: Callable[[bytes, int], bytes] | None
    appended: bytes
    appended_base64: bool

    @classmethod
    def of(cls, name: str, root: ElementTree.Element, appended: bytes, appended_base64: bool) -> _Arrays:
        order = {"LittleEndian": "<", "BigEndian": ">"}.get(root.get("byte_order", "LittleEndian"))
        header = {"UInt32": "u4", "UInt64": "u8"}.get(root.get("header_type", "UInt32"))
        compressor = root.get("compressor", "")
        known = {"": None, "vtkZLibDataCompressor": _inflate, "vtkLZMADataCompressor": _unlzma}
        if order is None or header is None:
            raise ScanError(f"{name}: unknown byte_order or header_type in the VTKFile element")
        if compressor not in known:
            raise ScanError(f"{name}: compressed with {compressor[:40]}; export it with zlib, or uncompressed")
        return cls(name, order, np.dtype(order + header), known[compressor], appended, appended_base64)

    def read(self, array: ElementTree.Element | None, what: str, count: int) -> NDArray:
        """The `count` numbers of a DataArray element."""
        where = f"{self.name}: the array {what}"
        if array is None:
            raise ScanError(f"{where} is missing")
        code = _TYPES.get(array.get("type", ""))
        if code is None:
            raise ScanError(f"{where} is of type {array.get('type', '')[:30]!r}")
        form = array.get("format", "ascii")
        if form == "ascii":
            values = parse((array.text or "").encode(), np.int64 if code[0] in "iu" else np.float64)
            if values is None or len(values) != count:
                raise ScanError(f"{where} holds {'no' if values is None else len(values)} numbers; expected {count}")
            return values
        dtype = np.dtype(self.order + code)
        if form == "binary":
            source, coded = b"".join((array.text or "").encode().split()), True
        elif form == "appended":
            offset = array.get("offset", "")
            if not offset.isdecimal() or len(offset) > 18 or int(offset) > len(self.appended):
                raise ScanError(f"{where} starts at {offset[:30]!r} of {len(self.appended)} appended bytes")
            source, coded = self.appended[int(offset) :], self.appended_base64
        else:
            raise ScanError(f"{where} has the unknown format {form[:30]!r}")
        raw = self._bytes(where, source, coded, count * dtype.itemsize)
        return np.frombuffer(raw, dtype, count)

    def _bytes(self, where: str, source: bytes, coded: bool, size: int) -> bytes:
        """The `size` bytes of an array, from `source`, which may run on behind them."""
        item = self.header.itemsize

        def take(start: int, length: int) -> bytes:
            """`length` bytes of the base64 stream, or of the bytes, that starts at `start` of the source."""
            piece = source[start : start + (_coded(length) if coded else length)]
            if coded:
                try:
                    piece = base64.b64decode(piece, validate=True)[:length]
                except (binascii.Error, ValueError) as error:
                    raise ScanError(f"{where} is damaged base64 ({error})") from None
            if len(piece) < length:
                raise ScanError(f"{where} needs {length} bytes; {len(piece)} are there: cut short?")
            return piece

        if self.unpack is None:
            declared = int(np.frombuffer(take(0, item), self.header)[0])
            if declared != size:
                raise ScanError(f"{where} declares {declared} bytes; expected {size}")
            # Some programs encode the size by itself, which ends in padding then.
            apart = coded and source[: _coded(item)].endswith(b"=")
            return take(_coded(item), size) if apart else take(0, item + size)[item:]
        blocks, block, last = (int(n) for n in np.frombuffer(take(0, 3 * item), self.header))
        whole = blocks * block if last == 0 else (blocks - 1) * block + last
        if whole != size or blocks * item > len(source) or size > MAX_BYTES:
            raise ScanError(f"{where} declares {blocks} blocks of {block} bytes; expected {size} bytes in all")
        head = take(0, (3 + blocks) * item)
        packed = [int(n) for n in np.frombuffer(head, self.header)[3:]]
        if sum(packed) > len(source):
            raise ScanError(f"{where} declares {sum(packed)} packed bytes; {len(source)} are there: cut short?")
        body = take(_coded(len(head)) if coded else len(head), sum(packed))
        out, at = [], 0
        for i, length in enumerate(packed):
            expected = last if last and i == blocks - 1 else block
            try:
                piece = self.unpack(body[at : at + length], expected + 1)
            except (zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
                raise ScanError(f"{where}: block {i} is damaged ({error})") from None
            if len(piece) != expected:
                raise ScanError(f"{where}: block {i} does not unpack to the {expected} bytes declared")
            out.append(piece)
            at += length
        return b"".join(out)


def _coded(length: int) -> int:
    return 4 * ((length + 2) // 3)


def _inflate(data: bytes, limit: int) -> bytes:
    return zlib.decompressobj().decompress(data, limit)


def _unlzma(data: bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor(memlimit=256 << 20).decompress(data, limit)
