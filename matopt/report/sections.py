"""The sections of the report's page, in their order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A part of the page, with a heading and a text that is shown above its figures.

    Attributes:
        title: the heading.
        text: what the figures are about; empty where they speak for themselves.
    """

    title: str
    text: str = ""


SAMPLES = Section(
    "Artificial microstructures",
    "The same authentic images taught every generator. Samples are shown as the generator draws them, before they are "
    "binarised: grey is where it is unsure. Labels are always taken of binarised samples.",
)
AUGMENTATION = Section(
    "What augmentation is worth to the predictor",
    "Predictors are trained on the authentic training set and on artificial microstructures with simulated properties, "
    "and tested on authentic microstructures that nothing before has seen. The R² of a property on a logarithmic scale "
    "is that of its logarithm.",
)
TRAITS = Section(
    "Responses and traits",
    "A design changes a microstructure step by step, so what counts is what a predictor says of small changes. Its "
    "response skill is the share of what such moves do in the physics that it foretells. A trait is a constraint that "
    "the physics is known to satisfy; violations are no score, as a model that says nothing violates little.",
)
DESIGN = Section(
    "Design",
    "Seeds were improved by what the predictor says of them, as one batch in each space, at the porosity that they "
    "started with unless it is said to be free. All are binary microstructures. The simulators have the last word: "
    "they solved those at the steps shown.",
)
SEARCH = Section("Search", "Trials are scored on the validation set. The marked one was taken over.")

SECTIONS = (SAMPLES, AUGMENTATION, TRAITS, DESIGN, SEARCH)
"""The page's own sections; those of further figures come behind them."""
