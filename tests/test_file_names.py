import pytest

from voxgate.file_names import base_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.wav", "a.wav"),
        ("/home/me/a.wav", "a.wav"),
        ("C:\\Users\\me\\a.wav", "a.wav"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\a.mp3", "a.mp3"),
        ("mixed/of\\both.ogg", "both.ogg"),
        ("a\x00b\x1b[31m\n.wav", "ab[31m.wav"),
        ("a\ud800b.wav", "ab.wav"),
        ("\u202evaw.txt", "vaw.txt"),
        ("日本\u3000語.wav", "日本\u3000語.wav"),
        ("  a.wav ", "a.wav"),
        ("x" * 300 + ".wav", "x" * 251 + ".wav"),
        ("", None),
        ("/", None),
        ("/home/me/", None),
        ("..", None),
        ("a/..", None),
        ("\x00", None),
    ],
)
def test_base_name(given: str, name: str | None) -> None:
    assert base_name(given) == name
