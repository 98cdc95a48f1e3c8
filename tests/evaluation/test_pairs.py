from pathlib import Path

import pytest

from voxgate.evaluation.pairs import ReferencedRecording, find_pairs


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(folder: Path, *names: str) -> list[ReferencedRecording]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return find_pairs(folder, [folder / name for name in names]).recordings


def test_a_text_beside_a_recording_counts_before_any_manifest(tmp_path: Path) -> None:
    write(
        tmp_path,
        talk_dot_txt="\ufeff By the text.\n",
        all_dot_csv="path,text\ntalk.flac,by the table\nlow/note.ogg,by the table\n",
        low__own_dot_tsv="path\ttext\nnote.ogg\tby its own folder\n",
    )
    pairs = found(tmp_path, "low/note.ogg", "talk.flac")
    assert [(each.name, each.reference.text) for each in pairs] == [
        ("low/note.ogg", "by its own folder"),
        ("talk.flac", "By the text."),
    ]


def test_an_empty_text_is_a_reference_and_no_text_is_none(tmp_path: Path) -> None:
    write(tmp_path, silence_dot_txt="\n")
    (silence,) = found(tmp_path, "silence.wav")
    assert not silence.reference.text
    (tmp_path / "other.wav").touch()
    pairs = find_pairs(tmp_path, [tmp_path / "other.wav", tmp_path / "silence.wav"])
    assert (pairs.left_out, pairs.faults) == (["other.wav"], [])


def test_the_lists_of_librispeech(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{"84__121__84-121_dot_trans_dot_txt": "84-121-0000 GO DO YOU HEAR\n84-121-0001 NO\n\n"},
    )
    pairs = found(tmp_path, "84/121/84-121-0000.flac", "84/121/84-121-0001.flac")
    assert [each.reference.text for each in pairs] == ["GO DO YOU HEAR", "NO"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("test.tsv", 'client_id\tpath\tsentence\tlocale\n1\ta.mp3\tHe said "go\tsv-SE\n'),
        ("metadata.csv", 'File_Name,Transcription,lang\nclips/a.mp3,"He said ""go",sv-SE\n'),
        (
            "manifest.jsonl",
            '{"audio_filepath": "clips/a.mp3", "text": "He said \\"go", "lang": "sv-SE"}\n\n',
        ),
    ],
)
def test_manifests_of_common_data_sets(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content, encoding="utf-8")
    (pair,) = found(tmp_path, "clips/a.mp3")
    assert (pair.reference.text, pair.reference.language) == ('He said "go', "sv-SE")
    assert pair.reference.file == tmp_path / file


def test_an_absolute_path_in_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"path,text\n{tmp_path / 'a.wav'},go\n", encoding="utf-8")
    (pair,) = found(tmp_path, "a.wav")
    assert pair.reference.text == "go"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.tsv", "start\tend\ttext\n0\t900\tgo\n"),
        ("log.jsonl", "not JSON\n"),
        ("log.jsonl", "[" * 200_000 + "\n"),
        ("list.jsonl", '[1]\n{"path": 3, "text": "go"}\n{"path": "a.wav", "text": null}\n'),
        ("empty.csv", ""),
        ("nul.jsonl", '{"path": "a\\u0000.wav", "text": "go"}\n'),
        ("surrogate.jsonl", '{"path": "a\\ud800.wav", "text": "go"}\n'),
        ("short.csv", "path,text\na.wav\n"),
    ],
)
def test_what_is_no_manifest_names_no_reference(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content, encoding="utf-8")
    (tmp_path / "a.wav").touch()
    pairs = find_pairs(tmp_path, [tmp_path / "a.wav"])
    assert (pairs.recordings, pairs.left_out, pairs.faults) == ([], ["a.wav"], [])


def test_a_name_that_leaves_no_room_for_another_ending_has_no_text_beside_it(
    tmp_path: Path,
) -> None:
    name = f"{'a' * 252}.au"  # the longest that a file system has
    write(tmp_path, list_dot_csv=f"path,text\n{name},go\n")
    (recording,) = found(tmp_path, name)
    assert recording.reference.text == "go"


@pytest.mark.parametrize("file", ["a.txt", "list.csv", "x.trans.txt"])
def test_a_reference_that_is_not_utf_8_is_a_fault_with_its_name(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"gr\xfc\xdfe")
    (tmp_path / "a.wav").touch()
    pairs = find_pairs(tmp_path, [tmp_path / "a.wav"])
    (fault,) = pairs.faults
    assert pairs.left_out == ["a.wav"]
    assert fault.sentence == f"{tmp_path / file} is not UTF-8 text (byte 2). Save it as UTF-8."


def test_a_field_that_is_too_long_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"path,text\na.wav,{'x' * 200_000}\n", encoding="utf-8")
    (tmp_path / "a.wav").touch()
    (fault,) = find_pairs(tmp_path, [tmp_path / "a.wav"]).faults
    assert "list.csv is no table" in fault.sentence
