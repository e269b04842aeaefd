"""The teacher of a student: which adapter separates each item, at which level, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from level_encoder import LevelEncoder
from small_networks import SMALL, loaded, small_network

from dplass_cli.adapters.bank_folder import BankDomain, bank_key
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.errors import InputError
from dplass_cli.models import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.training.distillation import Route, RoutedTeacher, check_student, check_teacher, inherit, make_route

ENCODER = LevelEncoder()


def bank(device: torch.device = torch.device("cpu"), config: ResUNet30Config = SMALL) -> AdapterBank:  # noqa: B008
    """Adapters of domains 0 and 2, whose texts are the first and the second direction."""
    made = AdapterBank(small_network(config=config))
    for row, domain in enumerate((0, 2)):
        made.add(bank_key(domain), loaded(made.network, AdapterSettings(), seed=domain + 1))
        centroid = torch.eye(8)[row]
        made.domains[bank_key(domain)] = BankDomain(domain, f"d{domain}", (f"caption {domain}",), centroid, centroid)
    return made


def partition(captions: str = "caption") -> Partition:
    """Three domains with a caption each."""
    domains = tuple(Domain(n, f"d{n}", (f"{captions} {n}",), 1) for n in range(3))
    return Partition(domains, torch.eye(3, 8), torch.eye(3, 8), "any", "0")


def by(select: str) -> Callable[[AdapterBank], Route]:
    return lambda loaded: make_route(select, loaded, ENCODER)


def mixtures() -> torch.Tensor:
    return torch.randn(4, 1, 2000, generator=torch.Generator().manual_seed(0))


def expected(mixture: torch.Tensor, condition: torch.Tensor, which: list[Activation]) -> torch.Tensor:
    """Each item separated alone."""
    alone, outputs = bank(), []
    for item, activation in enumerate(which):
        alone.activate(activation)
        with torch.no_grad():
            outputs.append(alone.network(mixture[item : item + 1], condition[item : item + 1]))
    return torch.cat(outputs)


def test_each_item_is_separated_by_the_adapter_of_its_domain() -> None:
    condition = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    output = RoutedTeacher(bank, by("domain"))(mixtures(), condition, torch.tensor([2, 0, 2, 9]))
    which: list[Activation] = ["domain2", "domain0", "domain2", None]  # domain 9 has no adapter
    torch.testing.assert_close(output, expected(mixtures(), condition, which), atol=1e-5, rtol=1e-4)


def test_a_policy_chooses_by_the_query_whatever_the_domain() -> None:
    condition = torch.eye(8)[[1, 0, 0, 1]]
    output = RoutedTeacher(bank, by("text"))(mixtures(), condition, torch.tensor([0, 0, 1, 9]))
    which: list[Activation] = ["domain2", "domain0", "domain0", "domain2"]
    torch.testing.assert_close(output, expected(mixtures(), condition, which), atol=1e-5, rtol=1e-4)


def test_a_teacher_hears_its_own_level_and_answers_at_the_student_s() -> None:
    def quiet(device: torch.device) -> AdapterBank:
        return bank(device, replace(SMALL, input_level_db=-70.0))

    condition, domain = torch.eye(8)[:4], torch.zeros(4, dtype=torch.int64)
    loud = RoutedTeacher(quiet, by("domain"))(mixtures(), condition, domain)
    louder = RoutedTeacher(quiet, by("domain"))(4.0 * mixtures(), condition, domain)
    torch.testing.assert_close(louder, 4.0 * loud, atol=1e-4, rtol=1e-4)
    same_level = RoutedTeacher(quiet, by("domain"), -70.0)(mixtures(), condition, domain)
    assert not torch.allclose(same_level, loud)


def test_the_bank_is_loaded_once() -> None:
    devices: list[torch.device] = []

    def load(device: torch.device) -> AdapterBank:
        devices.append(device)
        return bank(device)

    teacher = RoutedTeacher(load, by("domain"))
    for _ in range(2):
        teacher(torch.zeros(1, 1, 2000), torch.ones(1, 8), torch.tensor([0]))
    assert devices == [torch.device("cpu")]


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("audio", "distil.select audio: does not choose by the query; use domain, text or validated"),
        ("texts", "texts: must be one of .*did you mean 'text'"),
    ],
)
def test_policies_that_cannot_teach_are_refused(select: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_teacher(select, bank(), partition(), [0, 1, 2])


def test_a_bank_without_adapters_cannot_teach() -> None:
    with pytest.raises(InputError, match="needs adapters to learn from; add --adapters BANK"):
        check_teacher("domain", AdapterBank(small_network()), partition(), [0])


def test_a_bank_of_another_partition_teaches_by_query_only() -> None:
    other = partition("other caption")
    with pytest.raises(InputError, match=r"domain0 \(d0\) was trained on a domain of another partition"):
        check_teacher("domain", bank(), other, [0, 1])
    check_teacher("text", bank(), other, [0, 1])
    check_teacher("domain", bank(), partition(), [0, 1])


def test_adapters_of_none_of_the_domains_are_refused() -> None:
    with pytest.raises(InputError, match="domain0, domain2: of none of the domains that are trained on"):
        check_teacher("domain", bank(), partition(), [1])


def test_a_student_works_at_the_teacher_s_sample_rate() -> None:
    with pytest.raises(InputError, match=r"network.sample_rate 16000: the base, .* works at 32000; set it to 32000"):
        check_student(replace(SMALL, sample_rate=16000), SMALL)


def test_a_student_of_twice_the_width_computes_what_the_base_computes() -> None:
    base = small_network()
    student = ResUNet30(SMALL.scaled(2.0)).eval()
    inherit(student, base)
    condition = torch.eye(8)[:4]
    with torch.no_grad():
        torch.testing.assert_close(student(mixtures(), condition), base(mixtures(), condition), atol=1e-5, rtol=1e-4)


def test_a_narrow_student_gets_the_same_channels_of_a_map_wherever_it_is_read() -> None:
    base = small_network(config=replace(SMALL, channels=(6, 9)))
    for parameter in base.parameters():
        if parameter.dim() == 1:  # of norms and biases: the number of each channel
            parameter.data = torch.arange(float(len(parameter)))
    student = ResUNet30(base.config.scaled(2 / 3))
    inherit(student, base)
    assert student.get_parameter("base.encoder_block1.conv_block1.shortcut.bias").tolist() == [0, 1, 3, 4]
    joined = student.get_parameter("base.decoder_block2.conv_block2.bn1.weight")
    assert joined.tolist() == [0, 1, 3, 4, 6, 7, 9, 10]  # four of the decoder's six channels, then of the skip's


def test_a_student_of_another_kind_keeps_its_random_weights() -> None:
    student = small_network(config=replace(SMALL, input_power=0.5))
    before = student.sha256()
    inherit(student, small_network(seed=1))
    assert student.sha256() == before
