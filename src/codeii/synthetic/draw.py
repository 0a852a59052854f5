"""Which findings a person has: by age, sex, prevalence in the source, and what goes together."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from codeii.synthetic.effects import findings
from codeii.synthetic.read_tables import read_rows
from codeii.synthetic.twin_source import TwinSource, twin_source

LARGEST_SLOT = 0.95  # a slot's findings never take all exams


@dataclass(frozen=True, slots=True)
class DrawTable:
    """A source's findings as arrays; F findings. The first finding of an ill person is drawn, then the others."""

    names: tuple[str, ...]
    slots: tuple[np.ndarray, ...]  # numbers of the findings of each slot
    slot_of: np.ndarray  # (F,)
    first: np.ndarray  # (F,) relative probability to be the first finding of an ill person
    other: np.ndarray  # (F,) probability to come with other findings of an ill person
    benign: np.ndarray  # (F,) probability of a benign finding in anybody, 0 for the others
    age: np.ndarray  # (F,) log odds per decade from the mean age
    male: np.ndarray  # (F,) log odds in men, half of it taken away in women
    together: np.ndarray  # (F, F) factors on the odds


def ill_share(source: TwinSource, age_years: float | np.ndarray) -> np.ndarray:
    """Probability that a person of this age has a finding that is not benign; its mean is 1 - healthy."""
    shape = 0.25 + 0.75 * np.asarray(age_years) / source.age_mean
    return np.clip((1 - source.healthy) * shape, 0.02, 0.97)


def draw_age(rng: np.random.Generator, source: TwinSource) -> float:
    """Age in years with one decimal: a normal distribution, drawn again outside the source's limits."""
    while True:
        age = source.age_mean + source.age_sd * rng.standard_normal()
        if source.age_low <= age < source.age_high:
            return round(float(age), 1)


def is_benign(source: TwinSource, finding: str) -> bool:
    """Whether an exam with this finding may still be called normal.

    Where a normal ECG carries no other statement (`most` above 0), that is any finding the source does not mention.
    """
    if source.most:
        return all(not row.statement for row in source.labels if row.finding == finding)
    return findings()[finding].benign


@cache
def draw_table(name: str) -> DrawTable:
    """The draw table of a source. Raises ValueError on a source without a twin or a name misspelt in `together.csv`."""
    source = twin_source(name)
    names = tuple(dict.fromkeys(row.finding for row in source.labels))
    order = {slot: number for number, slot in enumerate(dict.fromkeys(one.slot for one in findings().values()))}
    prevalence, slot_of = np.zeros(len(names)), np.array([order[findings()[finding].slot] for finding in names])
    for row in source.labels:
        prevalence[names.index(row.finding)] = row.prevalence
    benign = np.array([is_benign(source, finding) for finding in names])
    in_ill = np.where(benign, 0, prevalence / (1 - source.healthy))
    first = in_ill / in_ill.sum()
    together = _together(names)
    allowed = _allowed(slot_of, np.where(benign, prevalence, in_ill), first, together)
    first_of_slot = np.array([first[slot_of == slot].sum() for slot in slot_of])
    age = np.log([findings()[finding].age for finding in names])
    male = np.log([findings()[finding].male for finding in names])
    scale, first_scale = _scales(source, age, male, benign, first)
    return DrawTable(
        names=names,
        slots=tuple(np.flatnonzero(slot_of == slot) for slot in np.unique(slot_of)),
        slot_of=slot_of,
        first=first * first_scale,
        other=scale * np.where(benign, 0, np.clip((in_ill - first) / (1 - first_of_slot), 0, None) / allowed),
        benign=scale * np.where(benign, prevalence / allowed, 0),
        age=age,
        male=male,
        together=together,
    )


def _allowed(slot_of: np.ndarray, share: np.ndarray, first: np.ndarray, together: np.ndarray) -> np.ndarray:
    """(F,) mean factor on each finding from what is drawn before it: the first finding, then all earlier slots."""
    same = slot_of[:, None] == slot_of
    by_first = np.where(same, 0.0, first * together).sum(axis=1) / np.where(same, 0.0, first).sum(axis=1)
    earlier = np.where(slot_of[None, :] < slot_of[:, None], np.clip(share - first, 0, None), 0.0)
    return np.asarray(by_first * (1 - earlier + earlier * together).prod(axis=1))


def _together(names: tuple[str, ...]) -> np.ndarray:
    number = {name: index for index, name in enumerate(names)}
    members: dict[str, list[int]] = {}
    for name, finding in findings().items():
        here = [number[name]] if name in number else []
        members[name] = here
        members.setdefault(f"*{finding.slot}", []).extend(here)
    factors = np.ones((len(names), len(names)))
    for row in read_rows("together"):
        missing = [row[key] for key in ("one", "other") if row[key] not in members]
        if missing:
            raise ValueError(f"together.csv: {', '.join(missing)} is neither a finding nor *slot")
        for one in members[row["one"]]:
            for other in members[row["other"]]:
                factors[one, other] = factors[other, one] = float(row["factor"])
    return factors


def _scales(
    source: TwinSource, age: np.ndarray, male: np.ndarray, benign: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(F,) constants that keep the mean over ages and sexes at the prevalence, for single draws and for first findings.

    Benign findings are averaged over all persons, the others over the ill. First findings compete with one another,
    so that their constants are found by iteration.
    """
    years, sex = np.meshgrid(np.linspace(source.age_low, source.age_high, 61), [-0.5, 0.5])
    density = np.exp(-0.5 * ((years - source.age_mean) / source.age_sd) ** 2) * np.where(
        sex > 0, source.male, 1 - source.male
    )
    everybody, ill = density.ravel(), (density * ill_share(source, years)).ravel()
    weight = np.exp(age * (years.ravel()[:, None] - source.age_mean) / 10 + sex.ravel()[:, None] * male)
    mean = np.where(benign, everybody @ weight / everybody.sum(), ill @ weight / ill.sum())
    first_scale = 1 / mean
    for _ in range(20):
        competing = (weight * first_scale) @ first
        first_scale = ill.sum() / (ill @ (weight / competing[:, None]))
    return 1 / mean, first_scale


def draw_findings(rng: np.random.Generator, source: TwinSource, age_years: float, sex: str) -> tuple[str, ...]:
    """Findings of one person, in the order of the source's table; empty for a person without any."""
    table = draw_table(source.name)
    sign = 0.5 if sex == "male" else -0.5
    weight = np.exp(table.age * (age_years - source.age_mean) / 10 + sign * table.male)
    uniform = rng.random(len(table.slots) + 2)
    ill = uniform[0] < ill_share(source, age_years)
    chosen: list[int] = []
    if ill:
        first = np.cumsum(table.first * weight)
        chosen.append(int(np.searchsorted(first, uniform[1] * first[-1], "right")))
    weight = weight * (table.benign + table.other * ill)
    for number in chosen:
        weight = weight * table.together[number]
    for slot, draw in zip(table.slots, uniform[2:], strict=True):
        if any(table.slot_of[number] == table.slot_of[slot[0]] for number in chosen):
            continue
        upto = np.cumsum(weight[slot])
        place = int(np.searchsorted(upto * min(1.0, LARGEST_SLOT / max(upto[-1], 1e-9)), draw, "right"))
        if place < len(slot):
            chosen.append(int(slot[place]))
            weight = weight * table.together[chosen[-1]]
    return tuple(table.names[number] for number in sorted(chosen))
