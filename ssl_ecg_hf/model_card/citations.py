"""What a card cites, and what it knows of public datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS: dict[str, str] = {
    "simclr": """\
@inproceedings{chen2020simclr,
  title     = {A Simple Framework for Contrastive Learning of Visual Representations},
  author    = {Chen, Ting and Kornblith, Simon and Norouzi, Mohammad and Hinton, Geoffrey},
  booktitle = {International Conference on Machine Learning},
  year      = {2020}
}""",
    "byol": """\
@inproceedings{grill2020byol,
  title     = {Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning},
  author    = {Grill, Jean-Bastien and Strub, Florian and Altch{\\'e}, Florent and Tallec, Corentin and
               Richemond, Pierre H. and Buchatskaya, Elena and Doersch, Carl and Avila Pires, Bernardo and
               Guo, Zhaohan Daniel and Gheshlaghi Azar, Mohammad and Piot, Bilal and Kavukcuoglu, Koray and
               Munos, R{\\'e}mi and Valko, Michal},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2020}
}""",
}
"""BibTeX of each pretraining objective."""


@dataclass(frozen=True, kw_only=True)
class PublicDataset:
    """What a card says of a public dataset.

    Args:
        license: its licence.
        url: where to get it.
        limits: what a reader must know of its records.
        bibtex: what to cite.
    """

    license: str
    url: str
    limits: str
    bibtex: str


DATASETS: dict[str, PublicDataset] = {
    "ptb-xl": PublicDataset(
        license="CC BY 4.0",
        url="https://physionet.org/content/ptb-xl/",
        limits=(
            "PTB-XL was recorded in Germany, decades ago, with devices of one manufacturer, mostly in "
            "adults. Its labels come from reports by cardiologists or by a machine, some without a second "
            "reading; its superclasses join findings of very different urgency."
        ),
        bibtex="""\
@article{wagner2020ptbxl,
  title   = {{PTB-XL}, a large publicly available electrocardiography dataset},
  author  = {Wagner, Patrick and Strodthoff, Nils and Bousseljot, Ralf-Dieter and Kreiseler, Dieter and
             Lunze, Fatima I. and Samek, Wojciech and Schaeffter, Tobias},
  journal = {Scientific Data},
  volume  = {7},
  pages   = {154},
  year    = {2020},
  doi     = {10.1038/s41597-020-0495-6}
}""",
    ),
}
"""Public datasets by the beginning of their name, in lower case."""


def public_dataset(name: str) -> PublicDataset | None:
    """What is known of a dataset, found by the beginning of its name."""
    return next((known for key, known in DATASETS.items() if name.lower().startswith(key)), None)


def objective_names(config: Mapping[str, Any], recipe: Mapping[str, Any] | None) -> list[str]:
    """Pretraining objectives that a checkpoint rests on, in lower case, each once.

    Args:
        config: a class such as ``SslEcgForSimCLR`` among its ``architectures`` names one.
        recipe: so does an ``objective`` at any depth of it.
    """
    architectures = [str(name).lower() for name in config.get("architectures") or []]
    found = [
        name for name in METHODS if any(class_name.endswith(f"for{name}") for class_name in architectures)
    ]
    found += [value.lower() for value in _values_of(recipe or {}, "objective") if isinstance(value, str)]
    return list(dict.fromkeys(found))


def _values_of(mapping: Mapping[str, Any], wanted: str) -> Iterator[Any]:
    for key, value in mapping.items():
        if key == wanted:
            yield value
        if isinstance(value, Mapping):
            yield from _values_of(value, wanted)
