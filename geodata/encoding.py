"""Text whose encoding nobody declared: recognised where that is certain enough to say so."""

import pandas as pd

MIN_SHARE = 0.8


def chinese_from_bytes(data: bytes) -> str:
    """Return bytes read as GB 18030 if they are Chinese text in the GB 2312 family, else an empty string.

    GB 2312 writes a character as two high bytes, which hardly happens in West European text.
    """
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    high = sum(byte > 0x7F for byte in data)
    if not high:
        return ""
    common = sum(_is_gb2312(c) for c in text if ord(c) > 0x7F)
    return text if 2 * common >= MIN_SHARE * high else ""


def _is_gb2312(character: str) -> bool:
    try:
        return character >= "\u3000" and len(character.encode("gb2312")) == 2
    except UnicodeEncodeError:
        return False


def decode(data: bytes, encoding: str) -> tuple[str, str]:
    """Return the text of a file and a note on its encoding (empty: as declared, or UTF-8).

    Raises UnicodeDecodeError where the bytes are not in the declared encoding, or not in UTF-8 and in no other that
    can be recognised; LookupError where there is no such encoding.
    """
    if encoding:
        return data.decode("utf-8-sig" if encoding.replace("-", "").casefold() == "utf8" else encoding), ""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16"), ""
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        text = chinese_from_bytes(data)
        if not text:
            raise
        return text, "GB18030"


def unscramble(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, str] | None]:
    """Return a table with Chinese (or UTF-8) text that was read as ISO-8859-1 put right, and one example (was, is).

    The example is None where nothing had to be put right. Column names are put right too.
    """
    texts = [str(name) for name in frame.columns if name != "geometry"]
    cells = {str(v) for c in texts if frame[c].dtype.kind not in "iufbM" for v in frame[c] if isinstance(v, str)}
    scrambled = {cell for cell in cells | set(texts) if any(ord(c) > 0x7F for c in cell)}
    if not scrambled:
        return frame, None
    right: dict[str, str] = {}
    for cell in sorted(scrambled):
        try:
            data = cell.encode("latin-1")
        except UnicodeEncodeError:
            return frame, None
        try:
            right[cell] = data.decode("utf-8")
        except UnicodeDecodeError:
            right[cell] = chinese_from_bytes(data)
    found = [cell for cell in right if right[cell]]
    if len(found) < MIN_SHARE * len(scrambled):
        return frame, None
    right = {cell: right[cell] for cell in found}
    frame = frame.rename(columns=right)
    for name in frame.columns:
        if name != "geometry" and frame[name].dtype.kind not in "iufbM":
            frame[name] = [right.get(v, v) if isinstance(v, str) else v for v in frame[name]]
    first = found[0]
    return frame, (first, right[first])
