"""Which files are taken: a short list of kinds. Content and the ending of the name must agree.

No SVG and no HTML: they would run in whoever opens them. Nothing is unpacked, and no picture is decoded.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

MOST_PIXELS = 25_000_000
MOST_UNPACKED = 100_000_000
MOST_PARTS = 5_000  # of an office document


class FileRefused(Exception):
    """The text says what to do instead."""


@dataclass(frozen=True, slots=True)
class FileType:
    content_type: str
    check: Callable[[bytes], bool]  # is the content of this kind? Raises FileRefused where it is, but must not be taken


def file_type(name: str, content: bytes) -> FileType:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    found = TYPES.get(ending)
    if found is None:
        raise FileRefused(f"Add a file of one of these kinds: {', '.join(sorted(TYPES))}.")
    if not found.check(content):
        raise FileRefused(f"“{name}” is not what its ending says. Save it as {ending.upper()} and add it again.")
    return found


# --- pictures ---------------------------------------------------------------------------------------------------------


def _is_png(content: bytes) -> bool:
    if not content.startswith(b"\x89PNG\r\n\x1a\n") or content[12:16] != b"IHDR" or len(content) < 24:
        return False
    return _small_enough(*struct.unpack(">II", content[16:24]))


def _is_gif(content: bytes) -> bool:
    if content[:6] not in (b"GIF87a", b"GIF89a") or len(content) < 10:
        return False
    return _small_enough(*struct.unpack("<HH", content[6:10]))


def _is_jpeg(content: bytes) -> bool:
    if not content.startswith(b"\xff\xd8\xff"):
        return False
    size = _jpeg_size(content)
    return size is not None and _small_enough(*size)


_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the markers that begin a frame, and so know its size
_ALONE = {0x01, *range(0xD0, 0xD9)}


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Segment by segment up to the frame's head."""
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return None


def _is_webp(content: bytes) -> bool:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return False
    return _small_enough(*_webp_size(content))


def _webp_size(content: bytes) -> tuple[int, int]:
    match content[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
        case b"VP8L":
            packed = int.from_bytes(content[21:25], "little")
            return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
        case _:
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF


def _small_enough(width: int, height: int) -> bool:
    if width * height > MOST_PIXELS:
        raise FileRefused("The picture is larger than 25 megapixels. Make it smaller and add it again.")
    return width > 0 and height > 0


# --- documents --------------------------------------------------------------------------------------------------------


def _is_pdf(content: bytes) -> bool:
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-2048:]


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _office(folder: str) -> Callable[[bytes], bool]:
    def check(content: bytes) -> bool:
        if not content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                parts = packed.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
            return False
        _refuse_bomb(parts)
        names = {part.filename for part in parts}
        return "[Content_Types].xml" in names and any(name.startswith(folder) for name in names)

    return check


def _refuse_bomb(parts: list[zipfile.ZipInfo]) -> None:
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise FileRefused("Unpacked, this document is too large. Add a smaller one, or a PDF of it.")
    if any(part.filename.lower().endswith("vbaproject.bin") for part in parts):
        raise FileRefused("Documents with macros are not taken. Save it without them and add it again.")


_OFFICE = "application/vnd.openxmlformats-officedocument."
TYPES: Final[Mapping[str, FileType]] = {
    "csv": FileType("text/csv", _is_text),
    "docx": FileType(f"{_OFFICE}wordprocessingml.document", _office("word/")),
    "gif": FileType("image/gif", _is_gif),
    "jpeg": FileType("image/jpeg", _is_jpeg),
    "jpg": FileType("image/jpeg", _is_jpeg),
    "md": FileType("text/markdown", _is_text),
    "pdf": FileType("application/pdf", _is_pdf),
    "png": FileType("image/png", _is_png),
    "pptx": FileType(f"{_OFFICE}presentationml.presentation", _office("ppt/")),
    "txt": FileType("text/plain", _is_text),
    "webp": FileType("image/webp", _is_webp),
    "xlsx": FileType(f"{_OFFICE}spreadsheetml.sheet", _office("xl/")),
}
