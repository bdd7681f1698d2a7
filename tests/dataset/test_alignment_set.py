from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from ppcn.dataset.alignment_set import create_alignments, open_alignments
from ppcn.dataset.pairs import Pair, photo_digest
from ppcn.errors import UserError
from ppcn.registration.alignment import Alignment
from ppcn.registration.pair_gates import Rejection, RejectionReason


def test_alignments_survive_writing(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    alignment = Alignment(
        (880, 600),
        (1200, 800),
        matches=700,
        inliers=600,
        residual_px=0.25,
        agreement=0.75,
        homography=np.array([[1.21, 0.03, 40.0], [-0.02, 1.19, 25.0], [1e-5, -2e-5, 1.0]]),
        displacement=random.normal(0, 2, (75, 110, 2)).astype(np.float16).astype(np.float32),
        step=8,
        crop=(8, 16, 864, 592),
    )
    few = Rejection(RejectionReason.FEW_MATCHES, "only 3 keypoint matches")
    rejected = Alignment((10, 20), (30, 40), matches=3, rejection=few)
    elsewhere = Path("/far/away/a.png")
    with create_alignments(tmp_path / "a.h5", tmp_path, {"phone": "p"}) as writer:
        writer.add(Pair("a", tmp_path / "p/a.jpg", elsewhere), rejected, ["", ""])
        writer.add(Pair("b", tmp_path / "p/b.jpg", tmp_path / "c/b.png"), alignment, ["12", "34"])
    with open_alignments(tmp_path / "a.h5") as loaded:
        assert loaded.rejections == {"a": few, "b": None}
        assert loaded["a"].rejection == few
        assert loaded.aligned == ["b"]
        again = loaded["b"]
        assert loaded.digests("b") == ["12", "34"]
        moved = loaded.pair("b", Path("new"))
        assert loaded.pair("a", Path("new")).reference == elsewhere
    points = np.array([[10.5, 20.0], [300.0, 400.0]])
    assert np.array_equal(again.to_reference(points), alignment.to_reference(points))
    for field in fields(Alignment):
        assert np.array_equal(getattr(again, field.name), getattr(alignment, field.name))
    assert (moved.phone, moved.reference) == (Path("new/p/b.jpg"), Path("new/c/b.png"))


def test_a_rejection_of_another_version_has_an_unknown_reason(tmp_path: Path) -> None:
    few = Rejection(RejectionReason.FEW_MATCHES, "only 3 keypoint matches")
    with create_alignments(tmp_path / "a.h5", tmp_path, {"phone": "p"}) as writer:
        for stem in ("older", "newer"):
            pair = Pair(stem, tmp_path / "p/a.jpg", tmp_path / "c/a.jpg")
            writer.add(pair, Alignment((10, 20), (30, 40), rejection=few), ["", ""])
        del writer.file["older"].attrs["reason"]
        writer.file["newer"].attrs["reason"] = "bad_weather"
    unknown = Rejection(RejectionReason.UNKNOWN, few.sentence)
    with open_alignments(tmp_path / "a.h5") as loaded:
        assert loaded.rejections == {"older": unknown, "newer": unknown}
        assert loaded.aligned == []


def test_a_photo_that_changed_since_is_refused(tmp_path: Path) -> None:
    pair = Pair("a", tmp_path / "p/a.jpg", tmp_path / "c/a.jpg")
    for photo in pair.photos:
        photo.parent.mkdir()
        photo.write_bytes(b"pixels")
    with create_alignments(tmp_path / "a.h5", tmp_path, {"phone": "p"}) as writer:
        writer.add(pair, Alignment((10, 20), (30, 40)), list(map(photo_digest, pair.photos)))
    with open_alignments(tmp_path / "a.h5") as alignments:
        assert alignments.unchanged_pair("a", tmp_path) == pair
        pair.reference.write_bytes(b"other pixels")
        with pytest.raises(UserError, match=r"c/a\.jpg: changed since it was aligned"):
            alignments.unchanged_pair("a", tmp_path)
        assert alignments.phone_photo("a", tmp_path) == pair.phone
        pair.phone.write_bytes(b"other pixels")
        with pytest.raises(UserError, match=r"p/a\.jpg: changed since it was aligned"):
            alignments.phone_photo("a", tmp_path)
        pair.phone.unlink()
        with pytest.raises(UserError, match=r"p/a\.jpg: cannot be read"):
            alignments.phone_photo("a", tmp_path)


def test_a_foreign_file_is_rejected(tmp_path: Path) -> None:
    from ppcn.files.artifacts import create_hdf5

    with create_hdf5(tmp_path / "x.h5", {}) as file:
        file["something"] = [1]
    with open_alignments(tmp_path / "x.h5") as alignment:
        with pytest.raises(UserError, match="not an alignment file"):
            _ = alignment.aligned
        with pytest.raises(UserError, match="not an alignment file"):
            _ = alignment["something"]
