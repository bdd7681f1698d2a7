"""Parameters of the data: photos, cameras, alignment, patches."""

from typing import Annotated, Literal

from pydantic import Field

from ppcn.params.fields import Count, FolderName, Fraction, Group, NonNegative, Positive


class Data(Group):
    """`data`: where photos and patches are read from."""

    root: str
    reference: FolderName
    pair_by: str
    pair_tolerance: NonNegative
    clock_offset: float
    patches: str


class Camera(Group):
    """What a camera of the virtual rig does to a scene; units are commented in params.yaml."""

    width: Annotated[int, Field(ge=200)]
    height: Annotated[int, Field(ge=200)]
    field_of_view: Annotated[float, Field(gt=0.2, le=1)]
    translation: NonNegative
    rotation: NonNegative
    perspective: NonNegative
    distortion: Annotated[float, Field(ge=-0.3, le=0.3)]
    parallax: NonNegative
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

    validation: Fraction | list[str]
    test: Fraction | list[str]


class Patches(Group):
    """`patches`: the cross-correlation window search and its gates."""

    size: Annotated[int, Field(ge=32)]
    grid: Literal["packed", "offset", "dped"]
    min_ncc: Annotated[float, Field(gt=0, lt=1)]
    max_shift: Count
    rotations: Annotated[list[Annotated[float, Field(ge=-10, le=10)]], Field(min_length=1)]
    min_deviation: NonNegative
    max_blown: Fraction
    split: Split
