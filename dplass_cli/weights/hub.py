"""Models and adapters on the Hugging Face Hub: ``hf:owner/name``, optionally ``@revision``.

Only safetensors and JSON are fetched, so nothing that comes from the Hub can run code. Files go to the Hub's own cache
(``HF_HOME``), which works offline too; ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` are respected.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from dplass_cli.errors import InputError, RunError

PREFIX = "hf:"
_ADDRESS = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
CARD = "README.md"
"""The model card of a repository."""

_FETCHED = ["*.safetensors", "*.json"]


class HubAddress(NamedTuple):
    """A repository of models on the Hub.

    Attributes:
        repository: ``owner/name``.
        revision: branch, tag or commit; None: the default branch.
    """

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return PREFIX + self.repository + (f"@{self.revision}" if self.revision else "")


def is_hub_address(text: object) -> bool:
    return str(text).startswith(PREFIX)


def parse_hub_address(text: str) -> HubAddress:
    """Read ``hf:owner/name`` or ``hf:owner/name@revision``; InputError if it is neither."""
    if (match := _ADDRESS.fullmatch(text)) is None:
        raise InputError(f"{text}: expected hf:owner/name or hf:owner/name@revision")
    return HubAddress(match["repository"], match["revision"])


def fetch_from_hub(text: str, also: Sequence[str] = ()) -> tuple[Path, HubAddress]:
    """Fetch a repository into the Hub's cache, unless it is there, and return its folder.

    Args:
        text: the address.
        also: patterns of files to fetch in addition to safetensors and JSON.

    Returns:
        (the folder, the address with the commit as its revision).

    Raises:
        InputError: the address is malformed, there is no such repository or revision, or access is refused.
        RunError: the Hub cannot be reached and the repository is not in the cache.
    """
    from huggingface_hub import snapshot_download

    address = parse_hub_address(text)
    with _one_line_errors(address):
        folder = Path(
            snapshot_download(address.repository, revision=address.revision, allow_patterns=[*_FETCHED, *also])
        )
    return folder, HubAddress(address.repository, folder.name)  # the cache names snapshots by their commits


def push_to_hub(
    folder: Path,
    text: str,
    patterns: Sequence[str],
    contents: Mapping[str, bytes] = MappingProxyType({}),
    private: bool = False,
    message: str = "Upload",
) -> HubAddress:
    """Upload files of a folder in one commit, and create the repository if there is none.

    Args:
        folder: where the files are.
        text: the address, without a revision or with a branch.
        patterns: which files, as globs relative to the folder.
        contents: {path in the repository: content} of further files, or instead of those in the folder.
        private: whether a repository that is created is private.
        message: of the commit.

    Returns:
        The address with the commit as its revision.

    Raises:
        InputError: the address is malformed, or access is refused.
        RunError: the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    address = parse_hub_address(text)
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    uploads: dict[str, Path | bytes] = {path.relative_to(folder).as_posix(): path for path in files}
    operations = [CommitOperationAdd(name, content) for name, content in {**uploads, **contents}.items()]
    api = HfApi(library_name="dplass")
    with _one_line_errors(address):
        api.create_repo(address.repository, private=private or None, exist_ok=True)
        commit = api.create_commit(
            address.repository, operations, commit_message=message, revision=address.revision or "main"
        )
    return HubAddress(address.repository, commit.oid)


@contextlib.contextmanager
def _one_line_errors(address: HubAddress) -> Iterator[None]:
    """Turn the errors of the Hub's client into ours, and keep it from drawing progress bars."""
    from huggingface_hub import errors
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    # Of the HTTP library, which differs between versions.
    client_error: type[BaseException] = errors.HfHubHTTPError.__mro__[1]
    were_disabled = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    except errors.HFValidationError as error:
        raise InputError(f"{address}: not a name that the Hub accepts; check it") from error
    except errors.RevisionNotFoundError as error:
        raise InputError(f"{address}: no such revision; give a branch, tag or commit of it") from error
    except errors.GatedRepoError as error:
        raise InputError(f"{address}: needs permission; ask for it on its page and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(f"{address}: no such repository, or it is private; check the name, or set HF_TOKEN") from error
    except errors.LocalEntryNotFoundError as error:
        raise RunError(
            f"{address}: not in the cache, and the Hub cannot be reached; check the connection and HF_HUB_OFFLINE"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise InputError(
                f"{address}: the Hub refuses access ({status}); set HF_TOKEN to a token that may write there"
            ) from error
        raise RunError(f"{address}: the Hub answers {status}; run again later") from error
    except (client_error, OSError) as error:
        raise RunError(f"{address}: the Hub cannot be reached ({error}); check the connection") from error
    finally:
        if not were_disabled:
            enable_progress_bars()
