"""What of a glTF document is read, as types: pydantic checks the numbers before anything is done with them.

After the Khronos specification 2.0.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from face3d.errors import ScanError
from face3d.scan import Floats

Id = Annotated[int, Field(ge=0, strict=True)]
POINTS, TRIANGLES, STRIP, FAN = 0, 4, 5, 6
# Required extensions that leave the meaning of vertices and indices as it is.
_HARMLESS = (
    "KHR_mesh_quantization",
    "KHR_texture_",
    "EXT_texture_",
    "MSFT_texture_",
    "KHR_lights_punctual",
    "KHR_materials_",
    "KHR_xmp",
    "KHR_animation_pointer",
)
_MAX_OBJECTS = 100_000  # of a scene's description; a scan's has some dozen


class SparsePart(BaseModel):
    """Where the indices, or the values, of what a sparse accessor changes are."""

    bufferView: Id
    byteOffset: Id = 0
    componentType: Id = 0


class Sparse(BaseModel):
    """Elements of an accessor that differ from its buffer view, or from zero."""

    count: Annotated[int, Field(ge=1, strict=True)]
    indices: SparsePart
    values: SparsePart


class Accessor(BaseModel):
    """How an array lies in a buffer view."""

    bufferView: Id | None = None
    byteOffset: Id = 0
    componentType: Id
    count: Annotated[int, Field(ge=1, strict=True)]
    type: str
    normalized: bool = False
    sparse: Sparse | None = None


class BufferView(BaseModel):
    """A part of a buffer."""

    buffer: Id
    byteOffset: Id = 0
    byteLength: Id
    byteStride: Annotated[int, Field(ge=4, le=252)] | None = None


class Buffer(BaseModel):
    """Bytes in the file, or beside it."""

    uri: str | None = None
    byteLength: Id


class Primitive(BaseModel):
    """Triangles or points with one material."""

    attributes: dict[str, Id]
    indices: Id | None = None
    material: Id | None = None
    mode: Id = TRIANGLES
    targets: list[dict[str, Id]] = []
    extensions: dict = {}


class Mesh(BaseModel):
    """Primitives, and how strongly each of their morph targets shows."""

    primitives: list[Primitive]
    weights: list[FiniteFloat] = []


class Node(BaseModel):
    """A place in the scene."""

    mesh: Id | None = None
    skin: Id | None = None
    children: list[Id] = []
    weights: list[FiniteFloat] | None = None
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


class Skin(BaseModel):
    """The nodes that carry a mesh, and the matrices that take it into each one's frame."""

    joints: Annotated[list[Id], Field(min_length=1)]
    inverseBindMatrices: Id | None = None


class Scene(BaseModel):
    """The nodes at the top of a scene."""

    nodes: list[Id] = []


class Picture(BaseModel):
    """An image in the file, or beside it."""

    uri: str | None = None
    bufferView: Id | None = None


class TextureSource(BaseModel):
    """The image of a texture; none where only an extension names one."""

    source: Id | None = None
    extensions: dict = {}


class TextureInfo(BaseModel):
    """Which texture a material shows."""

    index: Id


class Metallic(BaseModel):
    """The colour part of a material."""

    baseColorTexture: TextureInfo | None = None


class Material(BaseModel):
    """What a surface looks like."""

    pbrMetallicRoughness: Metallic = Metallic()


class Asset(BaseModel):
    """Which glTF this is."""

    version: str


class Document(BaseModel):
    """A glTF file's JSON."""

    asset: Asset
    scene: Id = 0
    scenes: list[Scene] = []
    nodes: list[Node] = []
    meshes: list[Mesh] = []
    skins: list[Skin] = []
    accessors: list[Accessor] = []
    bufferViews: list[BufferView] = []
    buffers: list[Buffer] = []
    images: list[Picture] = []
    textures: list[TextureSource] = []
    materials: list[Material] = []
    extensionsRequired: list[str] = []


def parse_document(name: str, text: bytes) -> Document:
    """The document of a glTF file's JSON. Raises `ScanError` naming the field at fault, or a required extension that
    changes what the numbers mean."""
    if text.count(b"{") > _MAX_OBJECTS or text.count(b",") > 10 * _MAX_OBJECTS:
        raise ScanError(f"{name}: a glTF scene of more than {_MAX_OBJECTS} objects; export the one mesh of the face")
    try:
        document = Document.model_validate_json(text.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ScanError(f"{name}: no valid glTF: {place + ': ' if place else ''}{first['msg']}") from None
    if not document.asset.version.startswith("2."):
        raise ScanError(f"{name}: glTF version {document.asset.version[:20]!r}; 2.0 is read")
    odd = [e for e in document.extensionsRequired if not e.startswith(_HARMLESS)]
    if odd:
        what = "is compressed with" if "compression" in odd[0] else "needs"
        raise ScanError(f"{name}: {what} the extension {odd[0][:60]!r}; export it without (no compression), or as PLY")
    return document
