"""The arrays of a glTF file: accessors over buffers in the file or beside it, sparse ones included."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.gltf_document import Accessor, Document
from face3d.io.raw import check_counts

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Buffers:
    """A document's arrays while one file is read; what lies beside it is opened only in the folder of `path`."""

    def __init__(self, name: str, path: Path, document: Document, binary: bytes | None) -> None:
        self.name, self.path, self.document, self.binary = name, path, document, binary
        self.loaded: dict[int, bytes] = {}

    def item(self, kind: str, index: int):  # the type is that of the list's items
        """The document's list `kind` at `index`. Raises `ScanError` where there is none."""
        items = getattr(self.document, kind)
        if index >= len(items):
            raise ScanError(f"{self.name}: refers to {kind}[{index}]; there are {len(items)}")
        return items[index]

    def array(self, index: int, kind: str, integers: bool = False, empty: bool = False) -> NDArray:
        """The accessor's values (N, K), normalised ones as fractions; `kind`: the types that fit, apart by |.

        `integers`: they must be whole and not negative; `empty`: no data at all stands for zeros. Raises `ScanError`.
        """
        accessor: Accessor = self.item("accessors", index)
        where = f"{self.name}: accessors[{index}]"
        component = _COMPONENTS.get(accessor.componentType)
        if component is None or accessor.type not in kind.split("|") or (integers and component[0] != "u"):
            raise ScanError(f"{where} holds {accessor.type[:20]} of {accessor.componentType}; expected {kind}")
        check_counts(self.name, 0 if integers else accessor.count)
        width = _WIDTHS[accessor.type]
        if accessor.bufferView is not None:
            values = self.rows(where, accessor.bufferView, accessor.byteOffset, accessor.count, component, width)
        elif accessor.sparse is not None or empty:
            values = np.zeros((accessor.count, width), component)
        else:
            raise ScanError(f"{where} has no data; was it compressed? export it uncompressed")
        if accessor.sparse is not None:
            values = self.changed(where, accessor, values)
        if accessor.normalized and component[0] in "iu":
            return np.maximum(values / float(np.iinfo(component).max), -1.0)
        return values if integers else values.astype(np.float64)

    def rows(self, where: str, view_index: int, offset: int, count: int, component: str, width: int) -> NDArray:
        """(count, width) numbers from byte `offset` of a buffer view."""
        view = self.item("bufferViews", view_index)
        item = np.dtype(component).itemsize * width
        stride = view.byteStride or item
        needed = offset + stride * (count - 1) + item
        if needed > view.byteLength or stride < item:
            raise ScanError(f"{where} needs {needed} bytes; its buffer view has {view.byteLength}")
        raw = np.frombuffer(self.view(view_index), np.uint8)
        rows = np.lib.stride_tricks.as_strided(raw[offset:], (count, item), (stride, 1))
        return np.ascontiguousarray(rows).view("<" + component).reshape(count, width)

    def changed(self, where: str, accessor: Accessor, values: NDArray) -> NDArray:
        """`values` with what a sparse accessor puts in their place."""
        sparse = accessor.sparse
        assert sparse is not None
        index_type = _COMPONENTS.get(sparse.indices.componentType, "")
        if index_type[:1] != "u" or sparse.count > accessor.count:
            raise ScanError(f"{where}: its sparse part has {sparse.count} values, or indices that are no whole numbers")
        at = self.rows(where, sparse.indices.bufferView, sparse.indices.byteOffset, sparse.count, index_type, 1)[:, 0]
        if at.max() >= accessor.count:
            raise ScanError(f"{where}: its sparse part changes element {at.max()}; there are {accessor.count}, from 0")
        new = sparse.values
        component, width = _COMPONENTS[accessor.componentType], values.shape[1]
        values = values.copy()
        values[at] = self.rows(where, new.bufferView, new.byteOffset, sparse.count, component, width)
        return values

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.item("bufferViews", index)
        data = self.buffer(view.buffer)
        if view.byteOffset + view.byteLength > len(data):
            raise ScanError(
                f"{self.name}: bufferViews[{index}] ends at byte {view.byteOffset + view.byteLength}; "
                f"buffers[{view.buffer}] has {len(data)}"
            )
        return data[view.byteOffset : view.byteOffset + view.byteLength]

    def buffer(self, index: int) -> bytes:
        """The bytes of a buffer, read once."""
        if index not in self.loaded:
            buffer = self.item("buffers", index)
            if buffer.uri is None:
                data = self.binary if index == 0 else None
                if data is None:
                    raise ScanError(
                        f"{self.name}: buffers[{index}] has no data; was it compressed? export it uncompressed"
                    )
            elif buffer.uri.startswith("data:"):
                data = self.inline(buffer.uri)
            else:
                data = guard.read_bytes(guard.beside(self.path, unquote(buffer.uri), "the buffer"))
            if buffer.byteLength > len(data):
                raise ScanError(f"{self.name}: buffers[{index}] declares {buffer.byteLength} bytes; it has {len(data)}")
            self.loaded[index] = data
        return self.loaded[index]

    def inline(self, uri: str) -> bytes:
        """The content of a data URI."""
        head, comma, body = uri.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ScanError(f"{self.name}: a data URI that is not base64: {head[:60]!r}")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ScanError(f"{self.name}: a data URI is damaged ({error})") from None
