import subprocess
import sys
import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ppcn.dataset.extract import Window
from ppcn.dataset.window_gates import Outcome
from ppcn.photos.decode import Photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import size_of, transform_points
from ppcn.registration.pair_gates import Rejection, RejectionReason
from ppcn.registration.register import Evidence
from ppcn.report.drawing import Key, framed, ramp, round_length, shades, swatch
from ppcn.report.pair_overview import OUTCOME_COLOURS, explanation, quick_look

# The phone sees this part of the scene, at half the brightness; the reference camera sees it all,
# larger.
LEFT, TOP, WIDTH, HEIGHT = 150, 60, 896, 600
ZOOM = 1.5
TRUTH = np.array([[1, 0, LEFT + 0.5], [0, 1, TOP + 0.5], [0, 0, 1 / ZOOM]]) * ZOOM
TRUTH[:2, 2] -= 0.5
# Of the panels that `quick_look` makes of such photos.
PANEL = 448, 300
YELLOW, PURPLE = shades(np.array([1.0, 0.0]))


@pytest.fixture
def phone(scene: Photo) -> Photo:
    return scene[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] // 2


@pytest.fixture
def reference(scene: Photo) -> Photo:
    return cv2.resize(scene, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)


def _aligned(homography: NDArray[np.float64] = TRUTH) -> Alignment:
    return Alignment((WIDTH, HEIGHT), (1800, 1200), homography=homography)


def _moved(x: float, y: float) -> NDArray[np.float64]:
    """The truth, off by so many px of the phone's photo."""
    return TRUTH @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def _evidence(off: float = 0.0) -> Evidence:
    """A hundred matches, every fifth of them wrong, all `off` phone px to the right."""
    random = np.random.default_rng(0)
    kpts_phone = random.uniform([50, 50], [WIDTH - 50, HEIGHT - 50], (100, 2))
    kpts_reference = transform_points(TRUTH, kpts_phone + np.array([off, 0]))
    inlier = np.arange(100) % 5 > 0
    kpts_reference[~inlier] = random.uniform(0, [1800, 1200], (20, 2))
    return Evidence(kpts_phone, kpts_reference, inlier)


def _panels(picture: Photo) -> tuple[Photo, Photo]:
    """The two panels of a quick look, without titles and legends."""
    top = int(np.argmax((picture[:, -1] != picture[0, -1]).any(axis=1)))
    width, height = PANEL
    return picture[top : top + height, :width], picture[top : top + height, -width:]


def _amount(picture: Photo, colour: NDArray[np.uint8]) -> int:
    """Pixels of exactly this colour."""
    return int((picture == colour).all(axis=2).sum())


def _squares() -> NDArray[np.bool_]:
    """Where a panel shows the reference photo, well inside the squares."""
    y, x = np.indices(PANEL[::-1]) / (PANEL[0] / 10)
    inner = (abs(x % 1 - 0.5) < 0.4) & (abs(y % 1 - 0.5) < 0.4)
    return inner & ((x.astype(int) + y.astype(int)) % 2 == 1)


def test_the_reference_lies_over_the_phone_to_a_fraction_of_a_pixel(
    phone: Photo, reference: Photo
) -> None:
    small = cv2.resize(phone, PANEL, interpolation=cv2.INTER_AREA).astype(float)
    errors = []
    for x in (-1.0, 0.0, 1.0):
        left, _ = _panels(quick_look(phone, reference, _aligned(_moved(x, 0)), [], 100))
        errors.append(np.abs(left / 2 - small)[_squares()].mean())
    # Rounding alone is a quarter of a grey level; half a panel's pixel off is seven times as much.
    assert errors[1] < 0.4
    assert min(errors[0], errors[2]) > 2
    assert abs(errors[0] - errors[2]) < 0.1


def test_the_other_squares_are_the_phones(phone: Photo, reference: Photo) -> None:
    small = cv2.resize(phone, PANEL, interpolation=cv2.INTER_AREA)
    left, _ = _panels(quick_look(phone, reference, _aligned(), [], 100))
    assert np.array_equal(left[:44, :44], small[:44, :44])
    assert np.array_equal(left[46:88, 46:88], small[46:88, 46:88])


def test_what_the_reference_does_not_see_is_the_phones_but_dark(
    phone: Photo, reference: Photo
) -> None:
    small = cv2.resize(phone, PANEL, interpolation=cv2.INTER_AREA)
    left, _ = _panels(quick_look(phone, reference, _aligned(_moved(-LEFT - 448, 0)), [], 100))
    assert np.array_equal(left[:, :220], small[:, :220] // 3)
    assert (left[:, 228:] > small[:, 228:] // 3).any(axis=2).mean() > 0.95


def test_windows_are_filled_by_correlation_and_framed_by_outcome(
    phone: Photo, reference: Photo
) -> None:
    outcomes = (Outcome.KEPT, Outcome.LOW_CORRELATION, Outcome.FLAT)
    windows = [
        Window((200 * n, 200), outcome, ncc)
        for n, (outcome, ncc) in enumerate(zip(outcomes, (1.0, 0.1, 0.0), strict=True))
    ]
    _, right = _panels(quick_look(phone, reference, _aligned(), windows, 100))
    for n, outcome in enumerate(outcomes):
        box = right[100:150, 100 * n : 100 * n + 50]
        for edge in (box[1], box[-2], box[:, 1], box[:, -2]):
            assert np.median(edge, axis=0).tolist() == list(OUTCOME_COLOURS[outcome])
        struck = np.abs(
            np.diagonal(box[20:40, 20:40]).T.astype(int) - OUTCOME_COLOURS[outcome]
        ).max()
        assert (struck < 30) == (outcome is not Outcome.KEPT)
    kept, low, flat = (right[110:120, x : x + 10].reshape(-1, 3).mean(0) for x in (35, 135, 235))
    assert kept[0] > kept[2] + 80
    assert low[2] > low[1] + 30
    assert np.ptp(flat) < 1


def test_every_outcome_has_a_colour_of_its_own() -> None:
    assert set(OUTCOME_COLOURS) == set(Outcome)
    assert len(set(OUTCOME_COLOURS.values())) == len(OUTCOME_COLOURS)


def test_a_quick_look_of_an_upright_photo_is_as_wide_as_asked(
    phone: Photo, reference: Photo
) -> None:
    upright = np.ascontiguousarray(phone.swapaxes(0, 1))
    alignment = replace(_aligned(), phone_size=size_of(upright))
    picture = quick_look(upright, reference, alignment, [], 100, width=640)
    assert picture.shape[1] == 640
    assert picture.shape[0] > 318 * WIDTH / HEIGHT
    assert picture.dtype == np.uint8


def test_an_aligned_pair_is_explained_step_by_step(phone: Photo, reference: Photo) -> None:
    displacement = np.full((6, 9, 2), 4, np.float32)
    alignment = replace(_aligned(), displacement=displacement, step=100)
    evidence = replace(_evidence(), agreement=np.ones((37, 56), np.float32))
    pictures = explanation(
        phone, reference, alignment, evidence, [Window((0, 0), Outcome.KEPT, 1.0)], 100
    )
    steps = "matches inliers residual displacement correlation checkerboard windows"
    assert list(pictures) == steps.split()
    for name, picture in pictures.items():
        assert picture.shape[1] == 1600, name
        assert picture.dtype == np.uint8


def test_a_rejected_pair_is_explained_as_far_as_it_got(phone: Photo, reference: Photo) -> None:
    nothing = Evidence(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, bool))
    none = Rejection(RejectionReason.FEW_MATCHES, "only 0 keypoint matches")
    rejected = _aligned(np.eye(3)).reject(none)
    assert list(explanation(phone, reference, rejected, nothing, [], 100)) == ["matches"]
    sentence = "only 80 of 100 matches agree on one homography"
    few = rejected.reject(Rejection(RejectionReason.FEW_INLIERS, sentence))
    assert list(explanation(phone, reference, few, _evidence(), [], 100)) == ["matches", "inliers"]
    sentence = "the photos agree in only 10% of the textured area"
    unlike = _aligned().reject(Rejection(RejectionReason.DISAGREEMENT, sentence))
    evidence = replace(_evidence(), agreement=np.zeros((37, 56), np.float32))
    shown = set(explanation(phone, reference, unlike, evidence, [], 100))
    assert shown == {"matches", "inliers", "correlation", "checkerboard"}


def test_a_homography_that_folds_the_photo_is_still_shown(phone: Photo, reference: Photo) -> None:
    folding = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 447.5, 0, 1]])
    rejected = _aligned(folding).reject(
        Rejection(RejectionReason.FOLDED, "homography folds the photo")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures = explanation(phone, reference, rejected, _evidence(), [], 100)
    assert "checkerboard" in pictures


def test_matches_that_agree_differ_in_colour_from_the_others(
    phone: Photo, reference: Photo
) -> None:
    evidence = _evidence()
    blue, vermilion = (0, 114, 178), (213, 94, 0)
    amounts = []
    for inlier in (evidence.inlier, np.ones(100, bool)):
        shown = replace(evidence, inlier=inlier)
        picture = explanation(phone, reference, _aligned(), shown, [], 100)["inliers"]
        amounts.append([_amount(picture, np.array(colour)) for colour in (blue, vermilion)])
    assert amounts[0][1] > 20 * 2 * 5
    assert amounts[1][1] == 12 * 12
    assert amounts[1][0] > amounts[0][0] > amounts[0][1]


def test_an_error_that_remains_is_visible(phone: Photo, reference: Photo) -> None:
    yellow = []
    for off in (0.0, 3.0):
        pictures = explanation(phone, reference, _aligned(), _evidence(off), [], 100)
        yellow.append(_amount(pictures["residual"], YELLOW))
    assert yellow[0] < 100
    # Eighty lines, magnified ten times on a picture of 1600/896 of the size, 2 px wide or nearly.
    assert yellow[1] > 80 * 3 * 10 * (1600 / 896)


def test_the_displacement_is_drawn_where_it_is(phone: Photo, reference: Photo) -> None:
    displacement = np.zeros((6, 9, 2), np.float32)
    displacement[:, 5:] = [0, 5]
    alignment = replace(_aligned(), displacement=displacement, step=100)
    picture = explanation(phone, reference, alignment, _evidence(), [], 100)["displacement"]
    left, right = picture[100:1000, :800], picture[100:1000, 900:]
    assert _amount(left, YELLOW) == 0
    assert _amount(right, YELLOW) > 1000
    assert _amount(left, PURPLE) > 1000


def test_agreement_is_shown_in_its_place(phone: Photo, reference: Photo) -> None:
    agreement = np.ones((37, 56), np.float32)
    agreement[:, 28:] = 0
    agreement[:18] = np.nan
    evidence = replace(_evidence(), agreement=agreement, cell=16)
    picture = explanation(phone, reference, _aligned(), evidence, [], 100)["correlation"]
    body = picture[35:-35]
    good, bad = body[700:1000, 50:750].astype(int), body[700:1000, 850:1550].astype(int)
    assert (good[..., 0] > good[..., 2] + 80).all()
    assert (bad[..., 2] > bad[..., 1] + 30).all()
    unknown = body[50:450]
    assert (unknown.max(axis=2) == unknown.min(axis=2)).all()


def test_a_legend_is_never_cut_off() -> None:
    picture = np.zeros((50, 300, 3), np.uint8)
    keys: list[Key] = [ramp("an amount"), *(swatch((1, 2, 3), f"entry {n}") for n in range(6))]
    shown = framed(picture, "title", keys)
    assert shown.shape[1] == 300
    assert _amount(shown, np.array([1, 2, 3])) == 6 * 12 * 12
    assert len(framed(picture, "title")) < len(framed(picture, "title", keys[:1])) < len(shown)


@pytest.mark.parametrize(
    ("longest", "length"), [(38.8, 20), (5.0, 5), (0.99, 0.5), (1.0, 1), (0.1, 0.1), (204, 200)]
)
def test_scale_bars_have_round_lengths(longest: float, length: float) -> None:
    assert round_length(longest) == pytest.approx(length)


def test_workers_need_neither_torch_nor_matplotlib() -> None:
    heavy = "{'torch', 'matplotlib'}"
    check = f"import sys, ppcn.report.pair_overview; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
