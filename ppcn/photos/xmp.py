"""XMP packets: passed on byte for byte, unless something in them is no longer true.

A packet that has to change is read as XML (by expat, which limits entities), and only the
properties concerned are touched.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from xml.dom.minidom import Attr, Document, Element, parseString
from xml.parsers.expat import ExpatError

if TYPE_CHECKING:
    from ppcn.photos.header import Change

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
BASIC = "http://ns.adobe.com/xap/1.0/"
NOTE = "http://ns.adobe.com/xmp/note/"
PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"
ITEM = "http://ns.google.com/photos/1.0/container/item/"
GAIN_MAP = "http://ns.adobe.com/hdr-gain-map/1.0/"
VIDEO = ("MicroVideo", "MotionPhoto")
SIZES = {
    (TIFF, "ImageWidth"): 0,
    (TIFF, "ImageLength"): 1,
    (EXIF, "PixelXDimension"): 0,
    (EXIF, "PixelYDimension"): 1,
}
# One of these names must occur in a packet in which anything may have to change.
TELLTALES = (
    *(b"Orientation", b"ImageWidth", b"ImageLength", b"PixelXDimension", b"PixelYDimension"),
    *(b"GPano", b"panorama", b"MicroVideo", b"MotionPhoto", b"hdr-gain-map", b"container/"),
    b"Thumbnails",
)
# Packets are text; what is larger is no description of a photo.
LARGEST = 64 * 2**20

Property = Attr | Element


def corrected(xmp: bytes, change: "Change", gain_map: int) -> tuple[bytes, tuple[str, ...]]:
    """A packet for a picture made of its photo.

    Args:
        xmp: the packet.
        change: how the picture differs.
        gain_map: bytes of the gain map that goes along; 0 without one.

    Returns:
        The packet, and names of what was taken out.
    """
    if not any(name in xmp for name in TELLTALES):
        return xmp, ()
    document = _parsed(xmp)
    if document is None:
        return b"", ("malformed XMP",)
    dropped: list[str] = []
    changes = 0
    for prop in [*_properties(document)]:
        changes += _correct(prop, change, gain_map, dropped)
    if not changes:
        return xmp, ()
    return _written(document, xmp), tuple(dict.fromkeys(dropped))


def joined(xmp: bytes, extension: bytes) -> bytes:
    """A packet and its extension as one; without the extension if either is malformed."""
    document, more = _parsed(xmp), _parsed(extension)
    if document is None or more is None:
        return xmp
    roots = document.getElementsByTagNameNS(RDF, "RDF")
    if not roots:
        return xmp
    for description in more.getElementsByTagNameNS(RDF, "Description"):
        if description.parentNode and description.parentNode.localName == "RDF":
            roots[0].appendChild(document.importNode(description, True))
    for prop in [*_properties(document)]:
        if (prop.namespaceURI, prop.localName) == (NOTE, "HasExtendedXMP"):
            _remove(prop)
    return _written(document, xmp)


def _parsed(xmp: bytes) -> Document | None:
    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp or len(xmp) > LARGEST:
        return None
    try:
        return parseString(xmp.strip(b"\0 \r\n\t"))
    except (ExpatError, ValueError, LookupError, RecursionError):
        return None


def _written(document: Document, xmp: bytes) -> bytes:
    """The packet with its root element written anew, in the same wrapping."""
    root = document.documentElement
    if root is None:
        return xmp
    name = root.tagName.encode()
    start, end = xmp.find(b"<" + name), xmp.rfind(b"</" + name)
    end = xmp.find(b">", max(end, start)) + 1
    return xmp[:start] + root.toxml().encode() + xmp[end:]


def _properties(document: Document) -> Iterator[Property]:
    for element in document.getElementsByTagName("*"):
        yield element
        for index in range(element.attributes.length):
            attribute = element.attributes.item(index)
            if isinstance(attribute, Attr):
                yield attribute


def _correct(prop: Property, change: "Change", gain_map: int, dropped: list[str]) -> bool:
    """Make one property true; returns whether it was changed."""
    name = (prop.namespaceURI, prop.localName or "")
    if name in SIZES:
        return _set(prop, str((change.width, change.height)[SIZES[name]]))
    if name == (TIFF, "Orientation"):
        return change.is_turned and _set(prop, "1")
    for concerns, correct in RULES:
        if concerns(*name):
            return correct(prop, change, gain_map, dropped)
    return False


def _panorama(prop: Property, change: "Change", gain_map: int, dropped: list[str]) -> bool:
    if change.orientation >= 5:
        dropped.append("description of a panorama")
        return _remove(prop)
    text = _text(prop)
    is_pixels = "Pixels" in (prop.localName or "") or "Rect" in (prop.localName or "")
    if change.scale == 1 or not is_pixels or not text.isdigit():
        return False
    return _set(prop, str(int(text) * change.scale))


def _video(prop: Property, change: "Change", gain_map: int, dropped: list[str]) -> bool:
    return _remove(prop)


def _thumbnails(prop: Property, change: "Change", gain_map: int, dropped: list[str]) -> bool:
    if change.is_same:
        return False
    dropped.append("XMP thumbnail")
    return _remove(prop)


def _gain_map(prop: Property, change: "Change", gain_map: int, dropped: list[str]) -> bool:
    return False if gain_map else _remove(prop)


def _container(prop: Property, change: "Change", gain_map: int, dropped: list[str]) -> bool:
    if prop.localName == "Directory" and not gain_map:
        return _remove(prop)
    if prop.localName != "Item" or not isinstance(prop, Element):
        return False
    parts = {p.localName: p for p in _parts(prop)}
    semantic = _text(parts["Semantic"]) if "Semantic" in parts else ""
    if semantic not in ("Primary", "GainMap"):
        return _remove(prop.parentNode if isinstance(prop.parentNode, Element) else prop)
    if semantic == "GainMap" and "Length" in parts:
        return _set(parts["Length"], str(gain_map))
    return "Padding" in parts and _set(parts["Padding"], "0")


def _parts(item: Element) -> Iterator[Property]:
    for node in item.childNodes:
        if isinstance(node, Element) and node.namespaceURI == ITEM:
            yield node
    for index in range(item.attributes.length):
        attribute = item.attributes.item(index)
        if isinstance(attribute, Attr) and attribute.namespaceURI == ITEM:
            yield attribute


Correct = Callable[[Property, "Change", int, list[str]], bool]
RULES: tuple[tuple[Callable[[str | None, str], bool], Correct], ...] = (
    (lambda space, name: space == PANORAMA, _panorama),
    (lambda space, name: space == CAMERA and name.startswith(VIDEO), _video),
    (lambda space, name: (space, name) == (BASIC, "Thumbnails"), _thumbnails),
    (lambda space, name: space == GAIN_MAP, _gain_map),
    (lambda space, name: space == CONTAINER, _container),
)


def _text(prop: Property) -> str:
    if isinstance(prop, Attr):
        return prop.value.strip()
    return "".join(n.data for n in prop.childNodes if n.nodeType == n.TEXT_NODE).strip()


def _set(prop: Property, text: str) -> bool:
    """Give a property another value; returns whether it was another."""
    if _text(prop) == text:
        return False
    if isinstance(prop, Attr):
        prop.value = text
        return True
    document = prop.ownerDocument
    for node in [*prop.childNodes]:
        prop.removeChild(node)
    if document is not None:
        prop.appendChild(document.createTextNode(text))
    return True


def _remove(prop: Property) -> bool:
    if isinstance(prop, Attr):
        if prop.ownerElement is not None and prop.ownerElement.hasAttribute(prop.name):
            prop.ownerElement.removeAttributeNode(prop)
    elif prop.parentNode is not None:
        prop.parentNode.removeChild(prop)
    return True
