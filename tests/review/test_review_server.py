"""What the server of the page answers, and to whom."""

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import refusal
from judged_pairs import NASTY, SIZE, make_pairs, serving
from starlette.testclient import TestClient

from ppcn.dataset.decisions import read_decisions
from ppcn.params import Params
from ppcn.review.catalogue import read_catalogue
from ppcn.review.server import make_app
from ppcn.review.session import Session

PORT = 4321
OWN = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    make_pairs(folder)
    return folder


@pytest.fixture
def client(pairs: Path, params: Params, tmp_path: Path) -> TestClient:
    catalogue = read_catalogue(pairs / "aligned.h5", pairs / "photos")
    session = Session("iphone", catalogue, tmp_path / "decisions.csv", params)
    app = make_app(session, PORT)
    return TestClient(app, OWN, headers={"Origin": OWN}, raise_server_exceptions=False)


def decide(client: TestClient, index: int, **values: object) -> dict:
    answer = client.post(f"/api/pairs/{index}/decision", json=values)
    return answer.json() | {"code": answer.status_code}


def test_the_most_doubtful_pairs_come_first(client: TestClient) -> None:
    stems = [row[1] for row in client.get("/api/pairs").json()["pairs"]]
    assert stems == ["0000", "0001", "0002", "0003", "0004", NASTY]


def test_pictures_show_both_photos_on_the_same_pixels(client: TestClient) -> None:
    pictures = {}
    for layer in ("phone", "reference", "residual", "correlation"):
        answer = client.get(f"/api/pairs/2/pictures/{layer}")
        assert answer.headers["content-type"] == "image/jpeg"
        pictures[layer] = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert pictures[layer].shape == (SIZE[1], SIZE[0], 3)
    inner = np.s_[20:-20, 20:-20]
    apart = np.abs(pictures["phone"][inner].astype(int) - pictures["reference"][inner])
    assert np.median(apart) < 6


def test_photos_are_served_whole_for_points(client: TestClient) -> None:
    for camera, width in (("phone", SIZE[0]), ("reference", int(SIZE[0] * 1.25))):
        for whole in (0, 1):
            answer = client.get(f"/api/pairs/0/photos/{camera}?whole={whole}")
            photo = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            assert photo.shape[1] == width


def test_decisions_are_saved_and_undone(client: TestClient, tmp_path: Path) -> None:
    assert decide(client, 1, verdict="reject")["verdict"] == "reject"
    points = [[10, 10, 12.5, 12.5], [400, 20, 500, 25], [390, 300, 487, 375], [20, 310, 25, 387]]
    assert decide(client, 0, verdict="points", points=points)["points"] == points
    stored = read_decisions(tmp_path / "decisions.csv").by_stem
    assert [(stem, d.verdict.value) for stem, d in stored.items()] == [
        ("0000", "points"),
        ("0001", "reject"),
    ]
    decide(client, 1, verdict="")
    assert set(read_decisions(tmp_path / "decisions.csv").by_stem) == {"0000"}


def test_what_was_written_meanwhile_stays(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text("stem,verdict,points\nghost,reject,\n3,accept,\n")
    assert client.get("/api/pairs/3").json()["verdict"] == "accept"
    decide(client, 3, verdict="reject")
    stored = read_decisions(tmp_path / "decisions.csv").by_stem
    assert {stem: d.verdict.value for stem, d in stored.items()} == {
        "ghost": "reject",
        "0003": "reject",
    }


@pytest.mark.parametrize(
    "values",
    [{"verdict": "maybe"}, {"verdict": "points", "points": [[1, 2]]}, {"verdict": "points"}],
)
def test_what_is_no_decision_is_refused_in_a_sentence(
    client: TestClient, tmp_path: Path, values: dict
) -> None:
    answer = decide(client, 1, **values)
    assert answer["code"] == 422
    assert answer["error"]
    assert not (tmp_path / "decisions.csv").exists()


def test_a_damaged_file_is_neither_read_nor_replaced(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text("nonsense\n")
    assert "line 1" in decide(client, 1, verdict="reject")["error"]
    assert (tmp_path / "decisions.csv").read_text() == "nonsense\n"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": f"evil.example:{PORT}"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": f"http://localhost:{PORT}"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_are_refused(
    client: TestClient, tmp_path: Path, headers: dict[str, str]
) -> None:
    for path in ("/", "/api/pairs", "/api/pairs/1/pictures/phone"):
        assert client.get(path, headers=headers).status_code == 403
    body = {"verdict": "reject"}
    assert client.post("/api/pairs/1/decision", json=body, headers=headers).status_code == 403
    assert not (tmp_path / "decisions.csv").exists()


def test_what_a_plain_web_form_can_send_is_refused(client: TestClient, tmp_path: Path) -> None:
    body = json.dumps({"verdict": "reject"})
    headers = {"Content-Type": "text/plain"}
    path = "/api/pairs/1/decision"
    assert client.post(path, content=body, headers=headers).status_code == 403
    del client.headers["Origin"]
    assert client.post(path, json={"verdict": "reject"}).status_code == 403
    assert not (tmp_path / "decisions.csv").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/../aligned.h5",
        "/%2e%2e/aligned.h5",
        "/api/pairs/1/photos/..%2f..%2f..%2fetc%2fpasswd",
        "/api/pairs/../../etc/passwd",
        "/api/pairs/99/pictures/phone",
        "/api/pairs/-1/pictures/phone",
        "/api/pairs/0001/photos/canon",
        "/server.py",
        "/etc/passwd",
        "//etc/passwd",
    ],
)
def test_nothing_but_the_pairs_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 422)


def test_the_page_may_load_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    names = ("/", "/review.css", "/review.js", "/viewer.js", "/points.js", "/list.js", "/api.js")
    for name in names:
        text = client.get(name).text
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text


def test_html_in_a_stem_is_text(client: TestClient) -> None:
    answer = client.get("/api/pairs")
    assert answer.headers["content-type"] == "application/json"
    assert NASTY in [row[1] for row in answer.json()["pairs"]]
    assert NASTY not in client.get("/").text


def test_a_photo_that_was_changed_is_noticed(pairs: Path, client: TestClient) -> None:
    photo = pairs / "photos/iphone/0004.jpg"
    assert client.get("/api/pairs/3/unchanged").json() == {"unchanged": True}
    photo.write_bytes(photo.read_bytes() + b" ")
    assert client.get("/api/pairs/4/unchanged").json() == {"unchanged": False}


def test_a_port_in_use_is_one_sentence(pairs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        common = [f"--root={pairs}/photos", f"--aligned={pairs}/aligned.h5", "--no-browser"]
        sentence = refusal(pairs, "review", "--phone=iphone", f"--port={port}", *common)
    assert f"port {port} cannot be used" in sentence


def test_without_alignments_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, "review", "--phone=iphone", f"--root={tmp_path}")
    assert "ppcn-pipeline align --phone iphone" in sentence


@pytest.mark.slow
def test_twenty_decisions_survive_a_kill(tmp_path: Path) -> None:
    """A process of its own is started and killed."""
    make_pairs(tmp_path, 21)
    with serving(tmp_path) as (server, address):
        for index in range(20):
            request = urllib.request.Request(
                f"{address}api/pairs/{index}/decision",
                json.dumps({"verdict": ["accept", "reject"][index % 2]}).encode(),
                {"Content-Type": "application/json", "Origin": address.rstrip("/")},
            )
            urllib.request.urlopen(request)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    stored = read_decisions(tmp_path / "decisions.csv").by_stem
    assert [d.verdict.value for d in stored.values()] == ["accept", "reject"] * 10
    assert {p.name for p in tmp_path.iterdir()} == {"photos", "aligned.h5", "decisions.csv"}
