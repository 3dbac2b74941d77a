import pandas as pd
import pytest

from geodata.encoding import chinese_from_bytes, decode, unscramble

TEXT = "社区,名称\nc1,开元中街\n"


@pytest.mark.parametrize("encoding", ["GBK", "GB18030", "gb2312", "Big5"])
def test_declared(encoding: str) -> None:
    text = "社區" if encoding == "Big5" else TEXT
    assert decode(text.encode(encoding), encoding) == (text, "")


def test_bom_and_utf16() -> None:
    assert decode(b"\xef\xbb\xbf" + TEXT.encode(), "") == (TEXT, "")
    assert decode(b"\xef\xbb\xbf" + TEXT.encode(), "UTF-8") == (TEXT, "")
    assert decode(TEXT.encode("utf-16"), "") == (TEXT, "")


def test_gbk_is_recognised_and_said() -> None:
    assert decode(TEXT.encode("gbk"), "") == (TEXT, "GB18030")


@pytest.mark.parametrize("text", ["São Paulo, Müller, Straße, Łódź".replace("Ł", "L").replace("ź", "z"), "naïve café"])
def test_western_text_is_not_taken_for_chinese(text: str) -> None:
    assert chinese_from_bytes(text.encode("latin-1")) == ""
    with pytest.raises(UnicodeDecodeError):
        decode(text.encode("latin-1"), "")
    assert chinese_from_bytes(b"plain") == ""


def test_text_read_as_latin1_is_put_right() -> None:
    wrong = pd.DataFrame(
        {"名称".encode("gbk").decode("latin-1"): ["开元".encode("gbk").decode("latin-1"), "x"], "n": [1, 2]}
    )
    right, example = unscramble(wrong)
    assert list(right.columns) == ["名称", "n"]
    assert right["名称"].tolist() == ["开元", "x"]
    assert example is not None
    assert unscramble(right)[1] is None


def test_western_names_stay() -> None:
    frame = pd.DataFrame({"name": ["São Paulo", "Müller"]})
    assert unscramble(frame) == (frame, None)
