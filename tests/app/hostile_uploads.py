"""What somebody might send who means harm, or whose disk is broken: files that must be refused."""

from __future__ import annotations

import gzip
import io
import json
import stat
import zipfile
from functools import cache

from serving import exam_zip, ply, zipped

_MB = 1 << 20


@cache
def archives() -> dict[str, bytes]:
    """Zip files that nobody packs by mistake."""
    out = {"empty": b"", "text": b"PK is not all", "cut": exam_zip()[:-30]}
    with_names = {
        "up": "../rest.ply",
        "deep": "a/../../rest.ply",
        "root": "/rest.ply",
        "drive": "c:rest.ply",
        "back": "..\\rest.ply",
    }
    out |= {name: zipped({"rest.ply": ply(), path: ply()}) for name, path in with_names.items()}
    out["nul"] = zipped({"rest.ply": ply(), "open_smile.ply": ply()}).replace(b"open_smile.ply", b"open_smile\0ply")
    out["bomb"] = zipped({"rest.ply": ply(), "open_smile.ply": b"0" * (60 * _MB)})
    out["gzip bomb"] = zipped({"rest.ply": ply(), "open_smile.ply.gz": gzip.compress(b"0" * (60 * _MB))})
    out["file and folder"] = zipped({"rest.ply": ply(), "rest.ply/a/b.ply": ply()})
    out["many"] = zipped({"rest.ply": ply(), **{f"f{k}.ply": b"x" for k in range(5001)}})
    link = zipfile.ZipInfo("rest.ply")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(linked := io.BytesIO(), "w") as archive:
        archive.writestr(link, "/etc/passwd")
    out["link"] = linked.getvalue()
    lying = bytearray(zipped({"rest.ply": b"0" * (60 * _MB)}))
    at = lying.rindex(b"PK\x01\x02") + 24
    lying[at : at + 4] = (1000).to_bytes(4, "little")
    out["lying"] = bytes(lying)
    return out


@cache
def contents() -> dict[str, bytes]:
    """Good zip files with bad things in them."""
    manifests = {
        "absolute": {"scans": {"rest": "/etc/passwd"}},
        "above": {"scans": {"rest": "../../app.db"}},
        "marks above": {"scans": {"rest": {"path": "rest.ply", "landmarks": "../../../etc/passwd"}}},
        "number": {"scans": {"rest": 7}},
    }
    out = {
        name: zipped({"rest.ply": ply(), "exam.json": json.dumps({"subject": "x", **said}).encode()})
        for name, said in manifests.items()
    }
    out["list"] = zipped({"rest.ply": ply(), "exam.json": b"[]"})
    out["nested"] = zipped({"rest.ply": ply(), "exam.json": b"[" * 200_000})
    bodies = {
        "program": b"\x7fELF" + bytes(4000),
        "pdf": b"%PDF-1.7\n" + bytes(4000),
        "page": b"<html><script>alert(1)</script></html>",
        "zeros": bytes(5000),
        "pickle": b"\x80\x04cos\nsystem\n(S'touch /tmp/x'\ntR.",
        "huge count": ply().replace(b"element vertex 62", b"element vertex 4000000000"),
        "no count": ply().replace(b"element vertex 62", b"element vertex -1"),
        "far": ply().replace(b"3 0 1 2\n", b"3 0 1 99999\n"),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
    }
    return out | {name: zipped({"rest.ply": body}) for name, body in bodies.items()}
