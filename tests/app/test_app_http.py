"""The app by plain HTTP: what it does with exams, and whom and what it refuses."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_uploads import archives, contents
from serving import Answer, Server, exam_zip, ply, start, zipped

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
MARKS = {"markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": []}]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    for visit in ("pre", "post"):
        (root / "bob" / visit).mkdir(parents=True)
        (root / "bob" / visit / "rest.ply").write_bytes(ply(ord(visit[1])))
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, study: Path) -> Iterator[Server]:
    bounds = {"body": 20 << 20, "idle": 1.0, "grace": 1.0, "slowest": 50e3}
    started = start(tmp_path_factory.mktemp("app") / "data", roots=(study,), bounds=bounds)
    yield started
    started.stop()


def added(server: Server, subject: str, visit: str = "", seed: int = 0, **fields: str) -> int:
    sent = {"subject": subject, "visit": visit, **fields, "archive": ("exam.zip", exam_zip(seed))}
    answer = server.post("/add/archive", sent)
    assert answer.status == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


def alarm(text: str) -> str:
    """What a page says is wrong."""
    return " ".join(text[text.index('id="faults"') : text.index("</div>", text.index('id="faults"'))].split())


def test_an_exam_is_added_measured_shown_and_downloaded(server: Server) -> None:
    number = added(server, "a1", "pre", date="2024-05-06", affected_side="left")
    server.settled()
    page = server.get(f"/exams/{number}").text
    assert "a1/pre" in page and "2024-05-06" in page and "done" in page
    report = server.get(f"/exams/{number}/report")
    assert report.status == 200 and "sandbox" in report.headers["content-security-policy"]
    said = json.loads(server.get(f"/exams/{number}/files/result.json").text)
    assert (said["subject"], said["visit"], said["affected_side"]) == ("a1", "pre", "left")
    assert "a1,pre" in server.get("/tables/exams.csv").text
    assert server.get(f"/exams/{number}/files/exam.json").status == 404
    assert server.get(f"/exams/{number}/files/..%2F..%2Fapp.db").status == 404
    assert "a1" in server.get("/").text
    # The same visit again, from another tab, is not a second one.
    again = server.post("/add/archive", {"subject": "a1", "visit": "pre", "archive": ("e.zip", exam_zip(1))})
    assert again.status == 409 and f"/exams/{number}" in again.text


def test_a_report_as_pdf(server: Server) -> None:
    pytest.importorskip("weasyprint")
    number = added(server, "pdf", seed=20)
    server.settled()
    assert "report.pdf" in server.get(f"/exams/{number}").text
    made = server.get(f"/exams/{number}/files/report.pdf")
    assert made.body.startswith(b"%PDF") and "pdf-report.pdf" in made.headers["content-disposition"]


def test_files_by_expression_with_what_they_refer_to(server: Server) -> None:
    sent = {
        "subject": "a2",
        "scan-rest": ("face.ply", ply(1)),
        "scan-snarl": ("face.ply", ply(2)),
        "more": [("a.png", b"\x89PNG"), ("b.mtl", b"newmtl a")],
    }
    answer = server.post("/add/files", sent)
    assert answer.status == 303, answer.text
    server.settled()
    number = answer.headers["location"].rpartition("/")[2]
    said = json.loads(server.get(f"/exams/{number}/files/result.json").text)
    assert list(said["scans"]) == ["rest", "snarl"] and len(set(said["scans"].values())) == 2
    assert {f.name for f in (server.data / "exams" / number).iterdir()} >= {"face.ply", "a.png", "b.mtl"}


def test_a_folder_of_this_computer_is_copied_and_nothing_else_can_be_named(server: Server, study: Path) -> None:
    assert "bob/pre" in server.get("/add").text
    answer = server.post("/add/folder", {"root": "0", "exam": "bob/pre"})
    assert answer.status == 303, answer.text
    number = answer.headers["location"].rpartition("/")[2]
    server.settled()
    said = json.loads(server.get(f"/exams/{number}/files/result.json").text)
    assert (said["subject"], said["visit"]) == ("bob", "pre")
    for root, exam in (("0", "../etc"), ("0", str(study / "bob/pre")), ("1", "bob/pre"), ("-1", "bob/pre"), ("0", "")):
        refused = server.post("/add/folder", {"root": root, "exam": exam})
        assert refused.status == 422 and "not an exam below" in refused.text, (root, exam)


@pytest.mark.parametrize(
    ("files", "fields", "field", "words"),
    [
        ({"rest.ply": b"not a scan"}, {"subject": "w"}, "scans.rest", "rest.ply"),
        ({"rest.ply": ply(), "snarl.ply": ply()[:300]}, {"subject": "w"}, "scans.snarl", "snarl.ply"),
        ({"rest.ply": ply(), "snarl.ply": ply()}, {"subject": "w"}, "scans.snarl", "the same scan"),
        ({"snarl.ply": ply()}, {"subject": "w"}, "", "no exam"),
        ({"rest.ply": ply()}, {}, "subject", "missing"),
        ({"rest.ply": ply()}, {"subject": "w", "date": "6.5.2024"}, "date", "2024-05-06"),
        ({"rest.ply": ply(), "exam.json": b'{"subject": "w", "scans": {"rest": "/etc/passwd"}}'}, {}, "scans.rest", ""),
        ({"exam.json": b'{"subject": "w", "scans": {"rest": "rest.ply"}}'}, {}, "scans.rest", "does not exist"),
        ({"rest.ply": ply(), "exam.json": b'{"subject": "w", "scans": '}, {}, "", "not JSON"),
        ({"rest.ply": ply(), "exam.json": b'{"subject": "w", "affected_side": "up", "scans": {"rest": "rest.ply"}}'},
         {}, "affected_side", "left"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    server: Server, files: dict[str, bytes], fields: dict[str, str], field: str, words: str
) -> None:
    answer = server.post("/add/archive", {**fields, "archive": ("e.zip", zipped(files))})
    assert answer.status == 422
    said = alarm(answer.text)
    assert words in said and (f"<strong>{field}</strong>" in said if field else "<strong>" not in said), said
    assert str(server.data) not in answer.text
    assert not list((server.data / "incoming").iterdir())


@pytest.mark.parametrize("name", [*archives(), *contents()])
def test_hostile_archives_are_refused_and_leave_nothing(server: Server, name: str) -> None:
    before = len(list((server.data / "exams").iterdir()))
    answer = server.post(
        "/add/archive", {"subject": f"h-{name}", "archive": ("e.zip", {**archives(), **contents()}[name])}
    )
    assert answer.status == 422, answer.text
    assert len(list((server.data / "exams").iterdir())) == before
    assert not list((server.data / "incoming").iterdir())
    assert not list(server.data.parent.glob("*.ply"))


def test_names_in_forms_are_not_paths(server: Server) -> None:
    for name in ("../x.ply", "..", "/etc/x.ply", "a\\..\\x.ply", ".hidden.ply", "exam-1.json", "x.exe", "a:b.ply"):
        answer = server.post("/add/files", {"subject": "n", "scan-rest": (name, ply())})
        if answer.status == 303:  # what browsers send of a path is its last part
            number = answer.headers["location"].rpartition("/")[2]
            assert (server.data / "exams" / number / "x.ply").is_file()
            server.settled()
            who = server.get(f"/exams/{number}").text.partition("/subjects/")[2].partition('"')[0]
            assert server.post(f"/subjects/{who}/delete", {"name": "n"}).status == 303
        else:
            assert answer.status == 422, name


def test_who_may_not_ask(server: Server) -> None:
    origin = {"Origin": f"http://{server.host}"}

    def status(method: str, path: str, **headers: str) -> int:
        told = {k.replace("_", "-"): v for k, v in headers.items()}
        connection = http.client.HTTPConnection(server.host, timeout=20)
        connection.putrequest(method, path, skip_host="Host" in told, skip_accept_encoding=True)
        for key, value in ({"Cookie": server.cookie} | told).items():
            connection.putheader(key, value)
        connection.endheaders()
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    home = f"{server.base}/"
    assert status("GET", home) == 200
    assert status("GET", home, Host=server.host.replace("127.0.0.1", "localhost")) == 200
    assert status("GET", home, Host="evil.example:" + server.host.rpartition(":")[2]) == 421
    assert status("GET", home, Host="127.0.0.1") == 421
    assert status("GET", home, Cookie="") == 401
    assert status("GET", home, Cookie="face3d=guess") == 401
    assert status("GET", f"{home}?token=guess", Cookie="") == 401
    assert status("GET", "/") == 404 and status("GET", "/0123456789abcdef/") == 404
    assert status("GET", home, Sec_Fetch_Site="cross-site") == 403
    assert status("GET", f"{home}openapi.json") == 404 and status("GET", f"{home}docs") == 404
    assert status("GET", f"{home}static/../app.db") == 404 and status("GET", f"{home}static/%2e%2e%2fstore.py") == 404
    assert status("GET", f"{home}exams/999") == 404 and status("GET", f"{home}exams/x") == 404
    assert status("POST", f"{home}subjects/1/delete") == 403  # without an origin
    assert status("POST", f"{home}subjects/1/delete", Origin="http://evil.example") == 403
    assert status("POST", f"{home}subjects/1/delete", Origin="null") == 403
    assert status("DELETE", f"{home}subjects/1", **origin) == 405
    json_sent = {"Content_Type": "application/json", "Content_Length": "0"}
    assert status("POST", f"{home}subjects/1/delete", **origin, **json_sent) == 415
    wrong = server.post("/subjects/1/delete", {"csrf": "guess", "name": "a1"})
    assert wrong.status == 403
    without = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\na1\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert server.ask("POST", "/subjects/1/delete", without, {**kind, **origin}).status == 403


def test_pages_carry_their_policies(server: Server) -> None:
    page = server.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["x-frame-options"] == "DENY" and page.headers["cache-control"] == "no-store"
    assert "server" not in page.headers
    entered = server.ask("GET", "/?" + server.address.partition("?")[2], headers={"Cookie": ""})
    assert entered.status == 303 and "token" not in entered.headers["location"]
    assert {"HttpOnly", "SameSite=Strict", f"Path={server.base}/"} <= set(entered.headers["set-cookie"].split("; "))


def test_names_are_text_wherever_they_are_shown(server: Server) -> None:
    name = "<script>alert(1)</script>"
    number = added(server, name)
    server.settled()
    for path in ("/", f"/exams/{number}"):
        text = server.get(path).text
        assert name not in text and "&lt;script&gt;" in text


def test_corrected_landmarks_are_checked_and_measured_again(server: Server) -> None:
    number = added(server, "l1", seed=3)
    server.settled()
    first = server.get(f"/exams/{number}/report").text

    def given(**fields: object) -> Answer:
        sent = {"revision": "1", "expression": "rest", "do": "give", **fields}
        return server.post(f"/exams/{number}/landmarks", sent)

    on_skin = ",".join(ply(6).decode().split("end_header\n")[1].split("\n")[0].split())

    for fields, words in (
        ({"pasted": "{}"}, "landmarks"),
        ({"pasted": "nonsense"}, "landmarks"),
        ({"pasted": json.dumps(MARKS)}, "no landmarks in it"),
        ({"file": ("a.exe", b"MZ")}, "landmark"),
        ({"pasted": "name,x,y,z\nprn,0,0,90\n"}, "do not lie on the scan"),
        ({}, "either a file or pasted text"),
        ({"pasted": "prn,0,0,1", "file": ("m.csv", b"prn,0,0,1")}, "either a file or pasted text"),
        ({"pasted": "prn,0,0,1", "expression": "snarl"}, "no scan of that expression"),
        ({"pasted": "prn,0,0,1", "expression": "../x"}, "no scan of that expression"),
    ):
        answer = given(**fields)
        assert answer.status == 422 and words in alarm(answer.text), alarm(answer.text)
    taken = given(pasted=f"name,x,y,z\nprn,{on_skin}\n")
    assert taken.status == 303, alarm(taken.text)
    server.settled()
    said = json.loads(server.get(f"/exams/{number}/files/result.json").text)
    file = said["scans"]["rest"]["landmarks"]
    assert (server.data / "exams" / str(number) / file).read_text().startswith("name,x,y,z")
    assert server.get(f"/exams/{number}/report").text != first
    assert [p.name for p in (server.data / "results").glob(f"{number}__*")] == [f"{number}__exam-2.json"]
    # Another tab that still shows the exam as it was changes nothing.
    assert given(pasted=f"name,x,y,z\nprn,{on_skin}\n").status == 409
    assert given(do="automatic", revision="2").status == 303
    server.settled()
    said = json.loads(server.get(f"/exams/{number}/files/result.json").text)
    assert "landmarks" not in said["scans"]["rest"]


def test_grades_and_scores_go_into_the_manifest(server: Server) -> None:
    number = added(server, "g1", seed=4)
    server.settled()
    items = {f"grades.sunnybrook.{k}.{n}": str(v) for k, v in (("voluntary", 3), ("synkinesis", 1)) for n in range(5)}
    sent = {
        "revision": "1",
        "affected_side": "right",
        "grades.house_brackmann": "4",
        "grades.rater": "r1",
        "grades.sunnybrook.eye": "1",
        "grades.sunnybrook.nasolabial": "none",
        "grades.sunnybrook.mouth": "0",
        **items,
        "questionnaires.face_total": "61,5",
        "questionnaires.fdi_physical": "-10",
    }
    for name, value, where in (
        ("questionnaires.face_total", "101", "questionnaires.face_total"),
        ("questionnaires.face_total", "many", "questionnaires.face_total"),
        ("grades.sunnybrook.voluntary.2", "", "grades.sunnybrook.voluntary"),
        ("grades.house_brackmann", "7", "grades.house_brackmann"),
    ):
        wrong = server.post(f"/exams/{number}/grades", {**sent, name: value})
        assert wrong.status == 422 and where in alarm(wrong.text), alarm(wrong.text)
        assert 'value="r1"' in wrong.text  # what was typed is still there
    assert server.post(f"/exams/{number}/grades", sent).status == 303
    server.settled()
    said = json.loads(server.get(f"/exams/{number}/files/result.json").text)
    assert said["grades"]["house_brackmann"] == 4 and said["grades"]["sunnybrook"]["voluntary"] == [3] * 5
    assert said["grades"]["sunnybrook"]["nasolabial"] is None
    assert said["questionnaires"]["face_total"] == 61.5 and said["affected_side"] == "right"
    page = server.get(f"/exams/{number}").text
    assert 'value="61.5"' in page and '<option value="none" selected>' in page
    again = server.post(f"/exams/{number}/grades", {"revision": "2"})
    assert again.status == 303
    server.settled()
    assert "grades" not in json.loads(server.get(f"/exams/{number}/files/result.json").text)


def test_visits_are_compared_once_until_one_is_measured_anew(server: Server) -> None:
    one, two = added(server, "c1", "pre", 5), added(server, "c1", "6 months", 6)
    server.settled()
    page = server.get(f"/exams/{one}").text
    who = page.partition("/subjects/")[2].partition('"')[0]
    subject = server.get(f"/subjects/{who}").text
    assert subject.index("pre</a>") < subject.index("6 months</a>")
    job = server.post(f"/subjects/{who}/compare", {"before": one, "after": two}).headers["location"]
    assert server.post(f"/subjects/{who}/compare", {"before": one, "after": two}).headers["location"] == job
    server.settled()
    path = job.removeprefix(server.base)
    assert "compared" in server.get(f"{path}/report").text
    assert server.get(f"{path}/files/changes.csv").status == 200
    assert server.post(f"/subjects/{who}/compare", {"before": one, "after": one}).status == 422
    assert server.post(f"/subjects/{who}/compare", {"before": one, "after": 1}).status == 422
    assert server.post(f"/exams/{one}/again", {"revision": "1"}).status == 303
    server.settled()
    assert server.get(path).status == 404


def test_what_fails_is_said_and_can_be_tried_again(server: Server) -> None:
    refused, crashed = added(server, "f1", seed=7, device="refuse"), added(server, "f2", seed=8, device="crash")
    server.settled()
    page = server.get(f"/exams/{refused}").text
    assert "could not be measured" in page and "no face in it" in page and str(server.data) not in page
    page = server.get(f"/exams/{crashed}").text
    assert "its process ended" in page and "Measure again" in page
    assert server.post(f"/exams/{crashed}/again", {"revision": "1"}).status == 303
    server.settled()


def test_a_deleted_person_is_gone_from_every_file(server: Server) -> None:
    name = "erasable-person"
    one, two = added(server, name, "pre", 9), added(server, name, "post", 10)
    server.settled()
    assert name in server.get("/tables/exams.csv").text
    who = server.get(f"/exams/{one}").text.partition("/subjects/")[2].partition('"')[0]
    server.post(f"/subjects/{who}/compare", {"before": one, "after": two})
    server.settled()
    hung = added(server, name, "third", 11, device="hang")
    time.sleep(0.5)
    assert server.post(f"/subjects/{who}/delete", {"name": "another"}).status == 422
    assert server.post(f"/subjects/{who}/delete", {"name": name}).status == 303
    for path in (f"/exams/{one}", f"/exams/{hung}", f"/subjects/{who}", f"/exams/{two}/report"):
        assert server.get(path).status == 404
    assert name not in server.get("/").text and not server.queue()
    for file in server.data.rglob("*"):
        assert not file.is_file() or name.encode() not in file.read_bytes(), file
    left = {p.name for p in (server.data / "exams").iterdir()} | {p.name for p in (server.data / "results").iterdir()}
    assert not {n for n in left if n.split("__")[0].split("-")[0] in (str(one), str(two), str(hung))}
    assert added(server, name, "pre", 9) > hung  # numbers are not given again
    server.settled()
