"""Names of downloaded clips, and addresses of videos. The download itself is tested with the verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.locating import ClipIndex
from dplass_cli.data.prepare.video_download import clip_path
from dplass_cli.errors import InputError
from dplass_cli.options.download_audioset_options import VideoSite


def test_a_downloaded_clip_has_a_name_that_preparation_finds() -> None:
    segment = Segment("-0RWZT-miFs", 30.5, 40.5, ("/m/a",))
    path = clip_path(Path("/clips"), segment)
    assert path == Path("/clips/-0RWZT-miFs_30500.flac")
    assert ClipIndex([str(path)]).by_id(segment.ytid, segment.start, segment.end) == str(path)


def test_the_address_of_a_video_contains_its_id() -> None:
    with pytest.raises(InputError, match=r"url .*: must be a URL that contains \{id\}"):
        VideoSite("http://127.0.0.1/")
