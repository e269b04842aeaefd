"""A page for a hosted demo: drop a recording, say what to separate or remove, listen.

pip install dplass gradio
python examples/gradio_app.py
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from dplass_cli import Separator
from dplass_cli.errors import DplassError
from dplass_cli.separation.wishes import understood

MOST_SECONDS = 60.0


@cache
def separator() -> Separator:
    """The bundled models, loaded once."""
    return Separator.from_pretrained(model="tiny")


def separate(recording: str | None, wish: str) -> tuple[str, str, str]:
    """Separate a recording by a wish.

    Args:
        recording: path of the file that was dropped.
        wish: "a dog barking", "remove the wind" …

    Returns:
        (path of the target, path of the residual, what was done).

    Raises:
        DplassError: what is wrong, in one line.
    """
    from dplass_cli.audio.reading import audio_info

    if not recording or not wish.strip():
        raise DplassError("drop a recording and say what to separate, such as: a dog barking")
    if audio_info(recording).seconds > MOST_SECONDS:
        raise DplassError(f"this demo takes recordings of up to {MOST_SECONDS:.0f} s")
    query = understood(wish)
    for sentence in query.sentences:
        if note := separator().encoder.out_of_vocabulary(sentence):
            raise DplassError(note)
    target, residual = separator().separate_file(
        recording, [query], Path(tempfile.mkdtemp(prefix="dplass-demo-")), residual=True, format="wav"
    )
    presence = f", presence {target.presence.score:.2f}" if target.presence else ""
    return str(target.path), str(residual.path), f"adapter {target.adapter or 'none'}{presence}"


def main() -> None:
    import gradio

    def run(recording: str | None, wish: str) -> tuple[str, str, str]:
        try:
            return separate(recording, wish)
        except DplassError as error:
            raise gradio.Error(str(error)) from error

    gradio.Interface(
        run,
        [gradio.Audio(type="filepath", label="Recording"), gradio.Textbox(label="What to separate, or to remove")],
        [gradio.Audio(label="Target"), gradio.Audio(label="Residual"), gradio.Textbox(label="Served by")],
        title="dplass",
    ).launch()


if __name__ == "__main__":
    main()
