"""Parameters of the data: photos, cameras, alignment, patches."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ppcn.params.fields import (
    Count,
    FilePath,
    FolderName,
    Fraction,
    Group,
    NonNegative,
    Positive,
    Share,
    Stem,
)


class Data(Group):
    """`data`: where photos and patches are read from."""

    root: FilePath
    reference: FolderName
    pair_by: FilePath
    pair_tolerance: NonNegative
    clock_offset: float
    patches: FilePath
    decisions: FilePath


class Character(Group):
    """What lens, sensor and processing do to a scene; units are commented in params.yaml."""

    blur: NonNegative
    vignetting: Fraction
    white_balance: tuple[Positive, Positive, Positive]
    exposure: Annotated[float, Field(ge=-3, le=3)]
    contrast: Positive
    saturation: NonNegative
    noise_shot: NonNegative
    noise_read: NonNegative
    denoise: NonNegative
    sharpening: NonNegative
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    variation: NonNegative


class Camera(Character):
    """A camera of the virtual rig: its character, its picture size, and where it may stand."""

    width: Annotated[int, Field(ge=200)]
    height: Annotated[int, Field(ge=200)]
    field_of_view: Annotated[float, Field(gt=0.2, le=1)]
    translation: NonNegative
    rotation: NonNegative
    perspective: NonNegative
    distortion: Annotated[float, Field(ge=-0.3, le=0.3)]
    parallax: NonNegative


class Rig(Group):
    """`rig`: the virtual camera rig."""

    reference: Camera


class Align(Group):
    """`align`: keypoints, homography, local refinement and common crop."""

    detect_size: Annotated[int, Field(ge=200)]
    keypoints: Annotated[int, Field(ge=100)]
    ratio: Annotated[float, Field(gt=0, le=1)]
    ransac_threshold: Positive
    min_inliers: Annotated[int, Field(ge=8)]
    min_coverage: Fraction
    max_scale_change: Annotated[float, Field(gt=1)]
    min_overlap: Annotated[float, Field(gt=0, le=1)]
    min_agreement: Fraction
    refine_size: Annotated[int, Field(ge=200)]
    smoothness: Positive


class Split(Group):
    """Which photos are set aside: a share of all photos, or the list of their stems."""

    validation: Fraction | list[Stem]
    test: Fraction | list[Stem]


class Patches(Group):
    """`patches`: the cross-correlation window search and its gates."""

    size: Annotated[int, Field(ge=32)]
    grid: Literal["packed", "offset", "dped"]
    min_ncc: Annotated[float, Field(gt=0, lt=1)]
    max_shift: Count
    rotations: Annotated[list[Annotated[float, Field(ge=-10, le=10)]], Field(min_length=1)]
    min_deviation: NonNegative
    max_blown: Fraction
    scale: Annotated[int, Field(ge=1, le=4)]
    match: Literal["none", "luminance", "color"]
    split: Split


Bounds = tuple[float, float]
# What a camera does that changes neither brightness nor colours, nor one photo against another.
NEUTRAL = {
    "vignetting": 0,
    "white_balance": (1, 1, 1),
    "exposure": 0,
    "contrast": 1,
    "saturation": 1,
    "variation": 0,
}


class CameraBounds(Group):
    """Between which values cameras are drawn at random, and the share of photos left untouched."""

    KEY: ClassVar[str]

    untouched: Share
    blur: Bounds
    noise_shot: Bounds
    noise_read: Bounds
    denoise: Bounds
    sharpening: Bounds
    jpeg_quality: Bounds

    @model_validator(mode="after")
    def _cameras_can_be_drawn(self) -> "CameraBounds":
        for name in self.drawn():
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(
                    f"{self.KEY}.{name}: the lower bound {low} exceeds the upper {high}"
                )
        for end in (0, 1):
            self.camera({name: getattr(self, name)[end] for name in self.drawn()})
        return self

    @classmethod
    def drawn(cls) -> list[str]:
        """Names of what is drawn, in the order of `Character`."""
        return [name for name in Character.model_fields if name in cls.model_fields]

    @staticmethod
    def camera(values: Mapping[str, Any]) -> Character:
        """The camera of drawn values, which does nothing else to a scene."""
        quality = round(values["jpeg_quality"])
        return Character(**{**NEUTRAL, **values, "jpeg_quality": quality})


class Simulate(CameraBounds):
    """`simulate`: windows of good photos, and what random cameras would have recorded of them."""

    KEY = "simulate"

    windows: Count
    size: Annotated[int, Field(ge=32)]
    reduce: Annotated[float, Field(ge=1)]
    split: Split
    cast: NonNegative
    exposure: Bounds
    contrast: Bounds
    saturation: Bounds
