"""LangChain's parser of recordings at work; see `openrouter_client.py`.

It raises nothing: it prints why each of its three attempts failed, and has no document then.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import imageio_ffmpeg
from langchain_community.document_loaders.parsers.audio import OpenAIWhisperParser
from langchain_core.documents.base import Blob
from pydub import AudioSegment

AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    parser = OpenAIWhisperParser(asked["key"], base_url=asked["url"], **asked["options"])
    with redirect_stdout(StringIO()) as printed:
        documents = parser.parse(Blob.from_path(asked["file"]))
    texts = [document.page_content for document in documents]
    return {"type": "Document", "value": {"text": "".join(texts)}, "message": printed.getvalue()}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
