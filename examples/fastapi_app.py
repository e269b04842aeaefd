"""An HTTP service: POST a recording, get the sound that a sentence describes as WAV.

pip install dplass fastapi uvicorn
uvicorn --app-dir examples fastapi_app:app
curl --data-binary @mix.wav "http://127.0.0.1:8000/separate?query=a+dog+barking" --output dog.wav
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Lock

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from dplass_cli import Separator
from dplass_cli.errors import DplassError, InputError
from dplass_cli.separation.wishes import understood

MOST_BYTES = 50_000_000

app = FastAPI(title="dplass")
separator = Separator.from_pretrained()
one_at_a_time = Lock()  # a network runs one recording at a time


@app.get("/sounds")
def sounds() -> dict[str, list[str]]:
    """What the model knows, by domain."""
    return separator.sounds()


@app.post("/separate")
async def separate(request: Request, query: str) -> Response:
    """Separate the recording in the body of the request, in any format; ``query`` may be a wish."""
    recording = bytearray()
    async for part in request.stream():
        recording += part
        if len(recording) > MOST_BYTES:
            raise HTTPException(413, f"the recording is larger than {MOST_BYTES:,} bytes")
    try:
        target = await run_in_threadpool(_separated, bytes(recording), query)
    except InputError as error:
        raise HTTPException(422, str(error)) from error
    except DplassError as error:
        raise HTTPException(500, str(error)) from error
    return Response(target, media_type="audio/wav")


def _separated(recording: bytes, query: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, one_at_a_time:
        path = Path(folder) / "recording"
        path.write_bytes(recording)
        asked = understood(query)
        for sentence in asked.sentences:
            if note := separator.encoder.out_of_vocabulary(sentence):
                raise InputError(note)
        (target,) = separator.separate_file(path, [asked], Path(folder) / "out", format="wav")
        return target.path.read_bytes()
