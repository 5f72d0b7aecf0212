"""glTF 2.0 and its binary form GLB: triangles and points of the default scene, placed and shaped as the file says.

After the Khronos specification 2.0: the matrices of nodes, morph targets at their default weights, skins in the pose of
their joints. What changes geometry and is not supported (Draco and meshopt compression without the plain data beside
it, instances) is refused by name. Animations are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.gltf_buffers import Buffers
from face3d.io.gltf_document import FAN, POINTS, STRIP, TRIANGLES, Node, Primitive, Skin, parse_document
from face3d.io.raw import RawMesh, check_counts, color_unit, colors_from, strips
from face3d.io.text import PADDING
from face3d.scan import Floats, Ints

_CHUNK = 1 << 16  # vertices whose joints' matrices are held at once
# Vertices, each for every morph target and joint that moves it. A face is rigged with some 50 targets and 4 joints a
# vertex; without a limit, arrays of zeros, which take no room in a file, would take hours.
_MOST_SHIFTS = 10_000_000


def read_gltf(name: str, data: bytes, path: Path, texture: bool = False) -> RawMesh:
    """Parse glTF or GLB, with `texture` also uv and picture; buffers beside it are opened only in the folder of `path`.

    Raises `ScanError` naming the field at fault.
    """
    notes: list[str] = []
    text, binary = _chunks(name, data, notes) if data[:4] == b"glTF" else (data, None)
    document = parse_document(name, text.rstrip(PADDING))
    return _Scene(Buffers(name, path, document, binary), notes).mesh(texture)


def _chunks(name: str, data: bytes, notes: list[str]) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB."""
    if len(data) < 20 or int.from_bytes(data[4:8], "little") != 2:
        raise ScanError(f"{name}: a GLB file cut short, or not of version 2")
    declared = int.from_bytes(data[8:12], "little")
    if declared > len(data):
        raise ScanError(f"{name}: the GLB header declares {declared} bytes; the file has {len(data)}: cut short?")
    if declared < len(data):
        notes.append(f"{len(data) - declared} bytes behind the end were left out")
    found: dict[bytes, bytes] = {}
    at = 12
    while at < declared:
        size, kind = int.from_bytes(data[at : at + 4], "little"), data[at + 4 : at + 8]
        if at + 8 + size > declared:
            raise ScanError(f"{name}: a chunk of the GLB file declares {size} bytes; {declared - at - 8} are left")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if b"JSON" not in found:
        raise ScanError(f"{name}: the GLB file has no JSON chunk")
    return found[b"JSON"], found.get(b"BIN\0")


@dataclass(frozen=True, eq=False)
class _Part:
    """A primitive where a node shows it."""

    node: Node
    world: Floats  # 4 x 4, the node's coordinates to the scene's
    primitive: Primitive
    weights: list[float]  # of the primitive's morph targets


class _Scene:
    """The default scene of a document while it is made into one mesh."""

    def __init__(self, buffers: Buffers, notes: list[str]) -> None:
        self.buffers, self.name, self.notes = buffers, buffers.name, notes
        self.item, self.array = buffers.item, buffers.array
        self.worlds: dict[int, Floats] = {}
        self.skins: dict[int, Floats] = {}
        self.shifts = 0  # vertices that morph targets moved so far

    def mesh(self, texture: bool) -> RawMesh:
        """All primitives of the scene in one mesh, in the order of its nodes."""
        parts = self.placed()
        total = faces = 0
        for part in parts:  # counted before anything is read: many nodes may show one large mesh
            total += self.item("accessors", self.position(part.primitive)).count
            if part.primitive.indices is not None:
                faces += self.item("accessors", part.primitive.indices).count // 3
            check_counts(self.name, total, faces)
        if not parts:
            raise ScanError(f"{self.name}: the scene shows no triangles or points")
        vertices: list[Floats] = []
        triangles: list[Ints] = []
        colors: list[NDArray[np.uint8] | None] = []
        first = 0
        for part in parts:
            points, flipped = self.points(part)
            triangle = self.triangles(part.primitive, len(points))
            if flipped:
                triangle = triangle[:, ::-1]
            vertices.append(points)
            triangles.append(triangle + first)
            colors.append(self.colors(part.primitive, len(points)))
            first += len(points)
        mesh = RawMesh(np.concatenate(vertices), np.concatenate(triangles), notes=self.notes)
        check_counts(self.name, first, len(mesh.faces))
        known = [c for c in colors if c is not None]
        if len(known) == len(parts):
            mesh.colors = np.concatenate(known)
        elif known:
            self.notes.append(f"colours are given for {len(known)} of {len(parts)} parts only, and were left out")
        if texture:
            mesh.picture = self.picture({self.picture_of(part.primitive) for part in parts})
            mesh.uv = None if mesh.picture is None else self.uv(parts, vertices, mesh.faces)
        return mesh

    def placed(self) -> list[_Part]:
        """Every primitive of triangles or points where it stands in the scene."""
        document = self.buffers.document
        if document.scenes:
            roots = self.item("scenes", document.scene).nodes
        else:
            children = {c for node in document.nodes for c in node.children}
            roots = [i for i in range(len(document.nodes)) if i not in children]
        out: list[_Part] = []
        waiting = [(np.eye(4), i) for i in reversed(roots)]
        while waiting:
            above, index = waiting.pop()
            if index in self.worlds:
                raise ScanError(f"{self.name}: nodes[{index}] stands in the scene twice; its nodes are no tree")
            node: Node = self.item("nodes", index)
            world = above @ node.affine()
            if not np.isfinite(world).all():
                raise ScanError(f"{self.name}: the matrix of nodes[{index}] is not finite")
            self.worlds[index] = world
            if node.mesh is not None:
                mesh = self.item("meshes", node.mesh)
                weights = mesh.weights if node.weights is None else node.weights
                shown = (p for p in mesh.primitives if p.mode in (POINTS, TRIANGLES, STRIP, FAN))
                out += [_Part(node, world, p, weights) for p in shown]
            waiting += [(world, child) for child in reversed(node.children)]
        return out

    def position(self, primitive: Primitive) -> int:
        """The accessor of the vertices. Compressed ones may be there as they are as well."""
        if "POSITION" not in primitive.attributes:
            raise ScanError(f"{self.name}: a primitive has no POSITION")
        index = primitive.attributes["POSITION"]
        packed = [e for e in primitive.extensions if "compression" in e]
        if packed and self.item("accessors", index).bufferView is None:
            raise ScanError(f"{self.name}: compressed with {packed[0][:60]}; export it uncompressed, or as PLY")
        return index

    def points(self, part: _Part) -> tuple[Floats, bool]:
        """The vertices (N, 3) of a primitive in the scene, and whether they are mirrored there."""
        points = self.array(self.position(part.primitive), "VEC3")
        if any(part.weights) and part.primitive.targets:
            if len(part.weights) != len(part.primitive.targets):
                raise ScanError(
                    f"{self.name}: {len(part.weights)} weights for {len(part.primitive.targets)} morph targets"
                )
            self.count_shifts(len(points) * sum(map(bool, part.weights)))
            for weight, target in zip(part.weights, part.primitive.targets, strict=True):
                if weight and "POSITION" in target:
                    shift = self.array(target["POSITION"], "VEC3", empty=True)
                    if len(shift) != len(points):
                        raise ScanError(f"{self.name}: a morph target moves {len(shift)} of {len(points)} vertices")
                    points = points + weight * shift
        world = part.world
        if part.node.skin is not None:  # the node's own place then does not count
            if part.node.skin not in self.skins:
                self.skins[part.node.skin] = self.joints(self.item("skins", part.node.skin))
            joints = self.skins[part.node.skin]
            if "JOINTS_0" in part.primitive.attributes:
                return self.skinned(part.primitive, joints, points)
            if not np.allclose(joints, joints[0]):
                raise ScanError(f"{self.name}: a mesh with a skin does not say on which joints it hangs (JOINTS_0)")
            world = joints[0]
        return points @ world[:3, :3].T + world[:3, 3], bool(np.linalg.det(world[:3, :3]) < 0)

    def count_shifts(self, count: int) -> None:
        """Raise `ScanError` when there is more to move than a face has."""
        self.shifts += count
        if self.shifts > _MOST_SHIFTS:
            raise ScanError(
                f"{self.name}: morph targets and joints move {self.shifts} vertices, each counted for every one that "
                f"moves it; at most {_MOST_SHIFTS} are moved: export the mesh at rest, without them"
            )

    def joints(self, skin: Skin) -> Floats:
        """(J, 4, 4) what each joint does to a vertex, as the scene stands."""
        lost = [j for j in skin.joints if j not in self.worlds]
        if lost:
            raise ScanError(f"{self.name}: a skin hangs on nodes[{lost[0]}], which the scene does not show")
        worlds = np.array([self.worlds[j] for j in skin.joints])
        if skin.inverseBindMatrices is None:
            return worlds
        inverse = self.array(skin.inverseBindMatrices, "MAT4")
        if len(inverse) < len(worlds) or not np.isfinite(inverse).all():
            raise ScanError(
                f"{self.name}: {len(inverse)} inverse bind matrices for {len(worlds)} joints, or not finite"
            )
        return worlds @ inverse[: len(worlds)].reshape(-1, 4, 4).transpose(0, 2, 1)

    def skinned(self, primitive: Primitive, joints: Floats, points: Floats) -> tuple[Floats, bool]:
        """The vertices moved by the `joints`, by weights that are made to sum to 1."""
        columns = joints[:, :3].transpose(0, 2, 1).reshape(-1, 12)  # each matrix, column by column
        handed = np.sign(np.linalg.det(joints[:, :3, :3]))
        out, total, turned = np.zeros_like(points), np.zeros(len(points)), 0.0
        for i in range(len(primitive.attributes)):
            if f"JOINTS_{i}" not in primitive.attributes or f"WEIGHTS_{i}" not in primitive.attributes:
                break
            self.count_shifts(4 * len(points))
            joint = self.array(primitive.attributes[f"JOINTS_{i}"], "VEC4", integers=True)
            weight = self.array(primitive.attributes[f"WEIGHTS_{i}"], "VEC4")
            if joint.shape != weight.shape or len(joint) != len(points):
                raise ScanError(f"{self.name}: joints for {len(joint)} and weights for {len(weight)} of {len(points)}")
            joint = np.where(weight > 0, joint, 0)
            if joint.max() >= len(joints) or not (weight >= 0).all() or not np.isfinite(weight).all():
                raise ScanError(f"{self.name}: a vertex hangs on a joint that is not there, or by no weight")
            for part in (slice(at, at + _CHUNK) for at in range(0, len(points), _CHUNK)):
                blend = np.zeros((len(points[part]), 12))
                for k in range(4):
                    blend += weight[part, k, None] * columns[joint[part, k]]
                for k in range(3):
                    out[part] += blend[:, 3 * k : 3 * k + 3] * points[part, k, None]
                out[part] += blend[:, 9:]
            total += weight.sum(axis=1)
            turned += float((weight * handed[joint]).sum())
        if not total.all():
            raise ScanError(f"{self.name}: vertex {int(np.argmin(total))} of a skinned mesh hangs on no joint")
        return out / total[:, None], turned < 0

    def triangles(self, primitive: Primitive, count: int) -> Ints:
        """(F, 3) of a primitive of `count` vertices."""
        if primitive.mode == POINTS:
            return np.empty((0, 3), np.int64)
        index = np.arange(count, dtype=np.int64)
        if primitive.indices is not None:
            raw = self.array(primitive.indices, "SCALAR", integers=True)[:, 0]
            index = raw.astype(np.int64)
            if index.max() >= count:
                raise ScanError(
                    f"{self.name}: a face refers to vertex {index.max()}; the primitive has {count}, from 0"
                )
        if primitive.mode == TRIANGLES:
            if len(index) % 3:
                raise ScanError(f"{self.name}: {len(index)} corners of triangles; not a multiple of 3")
            return index.reshape(-1, 3)
        if len(index) < 3:
            raise ScanError(f"{self.name}: a strip or fan of {len(index)} corners")
        if primitive.mode == FAN:
            return np.column_stack([np.full(len(index) - 2, index[0]), index[1:-1], index[2:]])
        return strips(index, np.array([len(index)]))

    def colors(self, primitive: Primitive, count: int) -> NDArray[np.uint8] | None:
        """(V, 3) where the primitive has a colour for each vertex."""
        if "COLOR_0" not in primitive.attributes:
            return None
        index = primitive.attributes["COLOR_0"]
        shade = self.array(index, "VEC3|VEC4")[:, :3]
        accessor = self.item("accessors", index)
        whole = {5121: 255.0, 5123: 65535.0}.get(accessor.componentType, color_unit(shade))
        return colors_from(shade, 1.0 if accessor.normalized else whole) if len(shade) == count else None

    def uv(self, parts: list[_Part], vertices: list[Floats], faces: Ints) -> Floats | None:
        """(F, 3, 2) where every vertex has texture coordinates, else None and a note."""
        found = []
        for part, points in zip(parts, vertices, strict=True):
            index = part.primitive.attributes.get("TEXCOORD_0")
            uv = self.array(index, "VEC2") if index is not None else np.empty((0, 2))
            if len(uv) != len(points):
                self.notes.append(f"no texture: {len(uv)} texture coordinates for {len(points)} vertices")
                return None
            found.append(uv * (1.0, -1.0) + (0.0, 1.0))  # glTF counts v downwards
        return np.concatenate(found)[faces]

    def picture_of(self, primitive: Primitive) -> int | None:
        """The image that a primitive shows."""
        if primitive.material is None:
            return None
        info = self.item("materials", primitive.material).pbrMetallicRoughness.baseColorTexture
        if info is None:
            return None
        shown = self.item("textures", info.index)
        if shown.source is None and shown.extensions:
            self.notes.append(
                f"no texture: the picture is stored by {', '.join(shown.extensions)[:60]}, which is not read"
            )
        return shown.source

    def picture(self, used: set[int | None]) -> str | bytes | None:
        """The one image over the whole scan: its content, or the name of its file."""
        if len(used) != 1 or used == {None}:
            if len(used) > 1:
                self.notes.append("no texture: the parts show different pictures, or some none")
            return None
        image = self.item("images", next(i for i in used if i is not None))
        if image.bufferView is not None:
            return self.buffers.view(image.bufferView)
        if image.uri is not None and image.uri.startswith("data:"):
            return self.buffers.inline(image.uri)
        return unquote(image.uri) if image.uri is not None else None
