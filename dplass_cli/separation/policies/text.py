"""``text``: the domain whose text centroid is nearest the query."""

from __future__ import annotations

import torch

from dplass_cli.errors import InputError
from dplass_cli.separation.policies.base import Choice


class Text:
    """Chooses before anything is separated, so one forward serves a query."""

    name = "text"
    uses_reference = False

    def choose(self, choice: Choice) -> str | None:
        """Return the adapter of the domain with the largest cosine to the query.

        Raises:
            InputError: no bank with domains is loaded.
        """
        domains = choice.bank.domains
        if not domains:
            raise InputError(
                "--select text: needs a bank of adapters with domains; give --adapters BANK or --select base"
            )
        centroids = torch.stack([domain.text_centroid for domain in domains.values()])
        return list(domains)[int((centroids @ choice.query).argmax())]
