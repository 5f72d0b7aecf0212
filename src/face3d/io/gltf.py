"""glTF 2.0 and its binary form GLB: triangles and points of the default scene, with its nodes' matrices applied.

After the Khronos specification 2.0. What changes geometry and is not supported (sparse accessors, Draco and meshopt
compression) is refused by name; skins and morph targets are left at rest.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.raw import RawMesh, check_counts, colors_from
from face3d.scan import Floats, Ints

_Id = Annotated[int, Field(ge=0, strict=True)]
_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
# Required extensions that leave the meaning of vertices and indices as it is.
_HARMLESS = ("KHR_mesh_quantization", "KHR_texture_transform", "KHR_lights_punctual", "KHR_materials_", "KHR_xmp")


_MAX_OBJECTS = 100_000  # of a scene's description; a scan's has some dozen


class _Accessor(BaseModel):
    bufferView: _Id | None = None
    byteOffset: _Id = 0
    componentType: _Id
    count: Annotated[int, Field(ge=1, strict=True)]
    type: str
    normalized: bool = False
    sparse: dict | None = None


class _BufferView(BaseModel):
    buffer: _Id
    byteOffset: _Id = 0
    byteLength: _Id
    byteStride: Annotated[int, Field(ge=4, le=252)] | None = None


class _Buffer(BaseModel):
    uri: str | None = None
    byteLength: _Id


class _Primitive(BaseModel):
    attributes: dict[str, _Id]
    indices: _Id | None = None
    material: _Id | None = None
    mode: _Id = _TRIANGLES
    extensions: dict = {}


class _Mesh(BaseModel):
    primitives: list[_Primitive]


class _Node(BaseModel):
    mesh: _Id | None = None
    children: list[_Id] = []
    matrix: Annotated[list[FiniteFloat], Field(min_length=16, max_length=16)] | None = None
    translation: Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)] = [0.0, 0.0, 0.0]
    rotation: Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)] = [0.0, 0.0, 0.0, 1.0]
    scale: Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)] = [1.0, 1.0, 1.0]

    def affine(self) -> Floats:
        """The node's own 4 x 4 matrix."""
        if self.matrix is not None:
            return np.array(self.matrix, np.float64).reshape(4, 4).T
        x, y, z, w = np.array(self.rotation) / max(float(np.linalg.norm(self.rotation)), 1e-12)
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        out = np.eye(4)
        out[:3, :3], out[:3, 3] = turn * np.array(self.scale), self.translation
        return out


class _Scene(BaseModel):
    nodes: list[_Id] = []


class _Picture(BaseModel):
    uri: str | None = None
    bufferView: _Id | None = None


class _Source(BaseModel):
    source: _Id | None = None


class _Info(BaseModel):
    index: _Id


class _Metallic(BaseModel):
    baseColorTexture: _Info | None = None


class _Material(BaseModel):
    pbrMetallicRoughness: _Metallic = _Metallic()


class _Asset(BaseModel):
    version: str


class _Document(BaseModel):
    asset: _Asset
    scene: _Id = 0
    scenes: list[_Scene] = []
    nodes: list[_Node] = []
    meshes: list[_Mesh] = []
    accessors: list[_Accessor] = []
    bufferViews: list[_BufferView] = []
    buffers: list[_Buffer] = []
    images: list[_Picture] = []
    textures: list[_Source] = []
    materials: list[_Material] = []
    extensionsRequired: list[str] = []


def read_gltf(name: str, data: bytes, path: Path) -> RawMesh:
    """Parse glTF or GLB; buffers beside it are opened only in the folder of `path`.

    Raises `ScanError` naming the field at fault.
    """
    text, binary = _chunks(name, data) if data[:4] == b"glTF" else (data, None)
    if text.count(b"{") > _MAX_OBJECTS or text.count(b",") > 10 * _MAX_OBJECTS:
        raise ScanError(f"{name}: a glTF scene of more than {_MAX_OBJECTS} objects; export the one mesh of the face")
    try:
        document = _Document.model_validate_json(text.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ScanError(f"{name}: no valid glTF: {place + ': ' if place else ''}{first['msg']}") from None
    if not document.asset.version.startswith("2."):
        raise ScanError(f"{name}: glTF version {document.asset.version[:20]!r}; 2.0 is read")
    odd = [e for e in document.extensionsRequired if not e.startswith(_HARMLESS)]
    if odd:
        raise ScanError(f"{name}: needs the extension {odd[0][:60]!r}; export it without, uncompressed")
    return _Reader(name, path, document, binary).mesh()


def _chunks(name: str, data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB."""
    if len(data) < 20 or int.from_bytes(data[4:8], "little") != 2:
        raise ScanError(f"{name}: a GLB file cut short, or not of version 2")
    declared = int.from_bytes(data[8:12], "little")
    if declared != len(data):
        raise ScanError(f"{name}: the GLB header declares {declared} bytes; the file has {len(data)}")
    found: dict[bytes, bytes] = {}
    at = 12
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "little"), data[at + 4 : at + 8]
        if at + 8 + size > len(data):
            raise ScanError(f"{name}: a chunk of the GLB file declares {size} bytes; {len(data) - at - 8} are left")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if b"JSON" not in found:
        raise ScanError(f"{name}: the GLB file has no JSON chunk")
    return found[b"JSON"], found.get(b"BIN\0")


class _Reader:
    """A document and its buffers while one file is read."""

    def __init__(self, name: str, path: Path, document: _Document, binary: bytes | None) -> None:
        self.name, self.path, self.document, self.binary = name, path, document, binary
        self.loaded: dict[int, bytes] = {}

    def item(self, kind: str, index: int):  # the type is that of the list's items
        items = getattr(self.document, kind)
        if index >= len(items):
            raise ScanError(f"{self.name}: refers to {kind}[{index}]; there are {len(items)}")
        return items[index]

    def mesh(self) -> RawMesh:
        """All primitives of the scene in one mesh, in the order of its nodes."""
        parts = self.placed()
        total = faces = 0
        for _, primitive in parts:  # counted before anything is read: many nodes may show one large mesh
            total += self.item("accessors", self.position(primitive)).count
            if primitive.indices is not None:
                faces += self.item("accessors", primitive.indices).count // 3
            check_counts(self.name, total, faces)
        if not parts:
            raise ScanError(f"{self.name}: the scene shows no triangles or points")
        vertices: list[Floats] = []
        triangles: list[Ints] = []
        colors: list[NDArray[np.uint8] | None] = []
        uvs: list[Floats | None] = []
        pictures: set[int | None] = set()
        first = 0
        for affine, primitive in parts:
            points = self.array(self.position(primitive), "VEC3")
            triangle = self.triangles(primitive, len(points))
            if np.linalg.det(affine[:3, :3]) < 0:
                triangle = triangle[:, ::-1]
            vertices.append(points @ affine[:3, :3].T + affine[:3, 3])
            triangles.append(triangle + first)
            colors.append(self.colors(primitive, len(points)))
            uvs.append(self.uv(primitive, triangle, len(points)))
            pictures.add(self.picture_of(primitive))
            first += len(points)
        mesh = RawMesh(np.concatenate(vertices), np.concatenate(triangles))
        if all(c is not None for c in colors):
            mesh.colors = np.concatenate([c for c in colors if c is not None])
        if all(u is not None for u in uvs) and pictures != {None}:
            mesh.uv = np.concatenate([u for u in uvs if u is not None])
            mesh.picture = self.picture(pictures)
        return mesh

    def placed(self) -> list[tuple[Floats, _Primitive]]:
        """Every primitive of triangles or points with the matrix of its place in the scene."""
        document = self.document
        if document.scenes:
            roots = self.item("scenes", document.scene).nodes
        else:
            children = {c for node in document.nodes for c in node.children}
            roots = [i for i in range(len(document.nodes)) if i not in children]
        out: list[tuple[Floats, _Primitive]] = []
        seen: set[int] = set()
        waiting = [(np.eye(4), i) for i in reversed(roots)]
        while waiting:
            above, index = waiting.pop()
            if index in seen:
                raise ScanError(f"{self.name}: nodes[{index}] stands in the scene twice; its nodes are no tree")
            seen.add(index)
            node = self.item("nodes", index)
            affine = above @ node.affine()
            if not np.isfinite(affine).all():
                raise ScanError(f"{self.name}: the matrix of nodes[{index}] is not finite")
            if node.mesh is not None:
                primitives = self.item("meshes", node.mesh).primitives
                out += [(affine, p) for p in primitives if p.mode in (_POINTS, _TRIANGLES, _STRIP, _FAN)]
            waiting += [(affine, child) for child in reversed(node.children)]
        return out

    def position(self, primitive: _Primitive) -> int:
        if "POSITION" not in primitive.attributes:
            raise ScanError(f"{self.name}: a primitive has no POSITION")
        packed = [e for e in primitive.extensions if "compression" in e]
        if packed:
            raise ScanError(f"{self.name}: compressed with {packed[0][:60]}; export it uncompressed")
        return primitive.attributes["POSITION"]

    def triangles(self, primitive: _Primitive, count: int) -> Ints:
        if primitive.mode == _POINTS:
            return np.empty((0, 3), np.int64)
        index = np.arange(count, dtype=np.int64)
        if primitive.indices is not None:
            raw = self.array(primitive.indices, "SCALAR", integers=True)[:, 0]
            index = raw.astype(np.int64)
            if index.max() >= count:
                raise ScanError(
                    f"{self.name}: a face refers to vertex {index.max()}; the primitive has {count}, from 0"
                )
        if primitive.mode == _TRIANGLES:
            if len(index) % 3:
                raise ScanError(f"{self.name}: {len(index)} corners of triangles; not a multiple of 3")
            return index.reshape(-1, 3)
        if len(index) < 3:
            raise ScanError(f"{self.name}: a strip or fan of {len(index)} corners")
        if primitive.mode == _FAN:
            return np.column_stack([np.full(len(index) - 2, index[0]), index[1:-1], index[2:]])
        strip = np.column_stack([index[:-2], index[1:-1], index[2:]])
        strip[1::2, 1:] = strip[1::2, :0:-1]
        return strip

    def array(self, index: int, kind: str, integers: bool = False) -> NDArray:
        """The accessor's values (N, K), normalised ones as fractions."""
        accessor: _Accessor = self.item("accessors", index)
        where = f"{self.name}: accessors[{index}]"
        component = _COMPONENTS.get(accessor.componentType)
        if component is None or accessor.type not in kind.split("|") or (integers and component[0] != "u"):
            raise ScanError(f"{where} holds {accessor.type[:20]} of {accessor.componentType}; expected {kind}")
        if accessor.sparse is not None or accessor.bufferView is None:
            raise ScanError(f"{where} is sparse; export it with plain accessors")
        view: _BufferView = self.item("bufferViews", accessor.bufferView)
        width = _WIDTHS[accessor.type]
        item = np.dtype(component).itemsize * width
        stride = view.byteStride or item
        needed = accessor.byteOffset + stride * (accessor.count - 1) + item
        if needed > view.byteLength or stride < item:
            raise ScanError(f"{where} needs {needed} bytes; its buffer view has {view.byteLength}")
        raw = np.frombuffer(self.view(accessor.bufferView), np.uint8)
        rows = np.lib.stride_tricks.as_strided(raw[accessor.byteOffset :], (accessor.count, item), (stride, 1))
        values = np.ascontiguousarray(rows).view("<" + component).reshape(accessor.count, width)
        if accessor.normalized and component[0] in "iu":
            return np.maximum(values / float(np.iinfo(component).max), -1.0)
        return values if integers else values.astype(np.float64)

    def view(self, index: int) -> bytes:
        view: _BufferView = self.item("bufferViews", index)
        data = self.buffer(view.buffer)
        if view.byteOffset + view.byteLength > len(data):
            raise ScanError(
                f"{self.name}: bufferViews[{index}] ends at byte {view.byteOffset + view.byteLength}; "
                f"buffers[{view.buffer}] has {len(data)}"
            )
        return data[view.byteOffset : view.byteOffset + view.byteLength]

    def buffer(self, index: int) -> bytes:
        if index not in self.loaded:
            buffer: _Buffer = self.item("buffers", index)
            if buffer.uri is None:
                data = self.binary if index == 0 else None
                if data is None:
                    raise ScanError(f"{self.name}: buffers[{index}] has no data")
            elif buffer.uri.startswith("data:"):
                data = self.inline(buffer.uri)
            else:
                data = guard.read_bytes(guard.beside(self.path, unquote(buffer.uri), "the buffer"))
            if buffer.byteLength > len(data):
                raise ScanError(f"{self.name}: buffers[{index}] declares {buffer.byteLength} bytes; it has {len(data)}")
            self.loaded[index] = data
        return self.loaded[index]

    def inline(self, uri: str) -> bytes:
        head, comma, body = uri.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ScanError(f"{self.name}: a data URI that is not base64: {head[:60]!r}")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ScanError(f"{self.name}: a data URI is damaged ({error})") from None

    def colors(self, primitive: _Primitive, count: int) -> NDArray[np.uint8] | None:
        if "COLOR_0" not in primitive.attributes:
            return None
        shade = self.array(primitive.attributes["COLOR_0"], "VEC3|VEC4")
        return colors_from(shade[:, :3], 1.0) if len(shade) == count else None

    def uv(self, primitive: _Primitive, triangles: Ints, count: int) -> Floats | None:
        if "TEXCOORD_0" not in primitive.attributes:
            return None
        uv = self.array(primitive.attributes["TEXCOORD_0"], "VEC2")
        if len(uv) != count:
            raise ScanError(f"{self.name}: {len(uv)} texture coordinates for {count} vertices")
        return (uv * (1.0, -1.0) + (0.0, 1.0))[triangles]  # glTF counts v downwards

    def picture_of(self, primitive: _Primitive) -> int | None:
        if primitive.material is None:
            return None
        info = self.item("materials", primitive.material).pbrMetallicRoughness.baseColorTexture
        return self.item("textures", info.index).source if info is not None else None

    def picture(self, used: set[int | None]) -> str | bytes | None:
        if len(used) != 1:
            return None  # several pictures over one scan: no single texture
        picture: _Picture = self.item("images", next(i for i in used if i is not None))
        if picture.bufferView is not None:
            return self.view(picture.bufferView)
        if picture.uri is not None and picture.uri.startswith("data:"):
            return self.inline(picture.uri)
        return unquote(picture.uri) if picture.uri is not None else None
