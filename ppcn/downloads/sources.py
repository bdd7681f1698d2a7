"""What can be fetched: addresses, sizes, digests and licences, in one table.

Where neither the publisher nor anyone else states a digest it is empty here; the first download is
then trusted, and every later one must be the same. Sizes in bytes; a rounded one is marked.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

# A file may be this many times as large as a rounded size says, and an archive hold this many times
# as many files, and some more: what systems put beside photos.
LEEWAY = 2
MORE_FILES = 100
MOST_BYTES_UNKNOWN = 10**9
"""Of a file of which no size is known."""
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
"""Of the photos in all of these data sets; other files are left in the archives."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        url: its address.
        files: how many files an archive holds, roughly; 1 for a file that is no archive.
        digest: "sha256:HEX" or "md5:HEX"; empty if unknown.
        size: bytes; 0 if unknown.
        is_exact: whether the size is so to the byte.
    """

    url: str
    files: int
    digest: str = ""
    size: int = 0
    is_exact: bool = False

    @property
    def name(self) -> str:
        """The last part of the address."""
        return urlsplit(self.url).path.rpartition("/")[2]

    @property
    def most_bytes(self) -> int:
        """What it may measure, downloaded or unpacked; photos hardly shrink in archives."""
        return LEEWAY * self.size or MOST_BYTES_UNKNOWN

    @property
    def most_files(self) -> int:
        """How many files it may hold."""
        return LEEWAY * self.files + MORE_FILES


@dataclass(frozen=True)
class Item:
    """A folder of an archive, or a file.

    Attributes:
        name: of the folder, wherever it lies in the archive, or of the file.
        remote: what it comes in; None where it is given on request only.
        photos: how many the folder holds, if that is known.
        unpacked: bytes of the folder, roughly.
    """

    name: str
    remote: RemoteFile | None
    photos: int | None = None
    unpacked: int = 0


@dataclass(frozen=True)
class DataSet:
    """What one command fetches.

    Attributes:
        title: what it is, in a few words.
        folder: where it is put, below the folder of all data.
        home: the page that describes it, where a new address or a form may be.
        licence: what it may be used for.
        items: what it consists of.
    """

    title: str
    folder: str
    home: str
    licence: str
    items: tuple[Item, ...]

    @property
    def is_on_request(self) -> bool:
        """Whether its authors give it to those who apply, and nowhere else."""
        return any(item.remote is None for item in self.items)

    def only(self, names: list[str]) -> "DataSet":
        """The items of these names alone."""
        return replace(self, items=tuple(item for item in self.items if item.name in names))


# DPED (Ignatov et al. 2017), the patches of 100 px: one archive, a folder for each phone. The home
# page (the authors') calls it "patches for CNN training (6.2 GB)"; its earlier address at
# data.vision.ee.ethz.ch is reported to answer 403, so this is the one on the authors' own server.
# No digest is published. Files: two for each of the paper's 461,000 training pairs, and for tests.
DPED_PATCHES = RemoteFile(
    "https://download.ai-benchmark.com/s/dWZz5RD9kHpedix/download/dped.gz",
    files=950_000,
    size=6_200_000_000,
)
DPED = DataSet(
    title="DPED, patches",
    folder="dped",
    home="https://people.ee.ethz.ch/~ihnatova/#dataset",
    licence="for research; its page has the terms",
    items=(
        Item("iphone", DPED_PATCHES, unpacked=2_200_000_000),
        Item("blackberry", DPED_PATCHES, unpacked=1_900_000_000),
        Item("sony", DPED_PATCHES, unpacked=2_200_000_000),
    ),
)

# DIV2K (Agustsson and Timofte 2017), the sharp photos. Sizes and SHA-256 as TensorFlow Datasets
# lists them (tensorflow_datasets/datasets/div2k/checksums.tsv).
DIV2K = DataSet(
    title="DIV2K, sharp photos",
    folder="div2k",
    home="https://data.vision.ee.ethz.ch/cvl/DIV2K/",
    licence="for academic research only; the copyright belongs to the photos' owners",
    items=(
        Item(
            "DIV2K_train_HR",
            RemoteFile(
                "https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_train_HR.zip",
                files=801,
                digest="sha256:9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
                size=3_530_603_713,
                is_exact=True,
            ),
            photos=800,
            unpacked=3_530_000_000,
        ),
        Item(
            "DIV2K_valid_HR",
            RemoteFile(
                "https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_valid_HR.zip",
                files=101,
                digest="sha256:20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
                size=448_993_893,
                is_exact=True,
            ),
            photos=100,
            unpacked=449_000_000,
        ),
    ),
)


def _on_hub(
    title: str, name: str, revision: str, photos: int, licence: str, digest: str = "", size: int = 0
) -> DataSet:
    """A test set of super-resolution, as the package super-image keeps it on Hugging Face."""
    home = f"https://huggingface.co/datasets/eugenesiow/{name}"
    url = f"{home}/resolve/{revision}/data/{name}_HR.tar.gz"
    remote = RemoteFile(url, files=photos + 1, digest=digest, size=size)
    item = Item(f"{name}_HR", remote, photos, unpacked=size)
    return DataSet(title, "benchmark", home, licence, (item,))


# Test sets of super-resolution, the sharp photos. Of the many mirrors this is the one with a small
# archive for each set, revisions that stay, stated digests and downloads that can be continued.
# EDSR's benchmark.tar holds the same four in one archive of 250 MB, with the small versions, which
# this project makes itself exactly as MATLAB does. SHA-256 as Hugging Face shows it for the files;
# Urban100's MD5 as the package deepinv lists it; Set14's size and digest are stated nowhere known.
BENCHMARKS = {
    "set5": _on_hub(  # Bevilacqua et al. 2012
        "Set5",
        "Set5",
        "bcb97ac28c8a5f9113825f8d163564e16513f3ed",
        photos=5,
        licence="for academic use only",
        digest="sha256:260fc447296333f6c2716bcd65513968c33b666f21a905537ee3330c51a1945b",
        size=852_000,
    ),
    "set14": _on_hub(  # Zeyde et al. 2010
        "Set14",
        "Set14",
        "5afcf80d267dba61cdfa9a32b1a6fe4cca57b6d7",
        photos=14,
        licence="for academic use only",
    ),
    "b100": _on_hub(  # Martin et al. 2001
        "B100, the test photos of BSDS300",
        "BSD100",
        "8fbc3a31603eba947ea6eba928d31fee0f0c31bb",
        photos=100,
        licence="for non-commercial research and education",
        digest="sha256:333495ccded04a0db52b33361140821ea7e0d8af8dfb54b58df79a00010858d6",
        size=27_200_000,
    ),
    "urban100": _on_hub(  # Huang et al. 2015
        "Urban100",
        "Urban100",
        "d37e8442651987135e664a3bb7970054502baada",
        photos=100,
        licence="photos from Flickr, CC BY 4.0",
        digest="md5:65d9d84a34b72c6f7ca1e26a12df1e4c",
        size=135_000_000,
    ),
    # Matsui et al. 2017. Given to those who apply, who are asked not to pass it on.
    "manga109": DataSet(
        "Manga109",
        "benchmark",
        home="http://www.manga109.org/en/download.html",
        licence="for academic use only, not to be passed on",
        items=(Item("Manga109_HR", None, photos=109, unpacked=300_000_000),),
    ),
}

# VGG-19 (Simonyan and Zisserman 2015) without its fully connected layers, as Keras publishes it,
# with its MD5 (keras/applications/vgg19.py).
VGG19 = DataSet(
    title="VGG-19, original weights",
    folder="vgg19",
    home="https://keras.io/api/applications/vgg/",
    licence="CC BY 4.0 (Visual Geometry Group, Oxford)",
    items=(
        Item(
            "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
            RemoteFile(
                "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
                "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                files=1,
                digest="md5:253f8cb515780f3b799900260a226db6",
                size=80_134_624,
                is_exact=True,
            ),
        ),
    ),
)
