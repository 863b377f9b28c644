"""Tuning the settings of training to this library."""

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings

from classifier.errors import ClassifierError, SettingError
from classifier.pipeline.config import Config
from classifier.pipeline.errors import ConfigError, PipelineError
from classifier.selectors.records import all_books, catalogue
from classifier.services.runs.heartbeat import Finish, no_finish
from classifier.services.training.training import MAX_SEED
from library.console import Progress, no_progress


def tune(
    *,
    trials: int = 30,
    timeout: float | None = None,
    seed: int = 0,
    settings: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Search better settings than the defaults, and say what they bring; nothing is put into use.

    The search is kept in the folder ``tuning`` of the data folder and gone on with by a later call, as
    long as the library, the settings and the seed are the same.

    Parameters
    ----------
    trials : int
        In all, with those of earlier calls.
    timeout : float, optional
        Seconds; bounds the search, not the reading before and the measuring after it.
    seed : int
        0 to `MAX_SEED`. Same seed and same library: same search.
    settings : sequence of str
        ``part.name=value``: fixed, not searched.
    fresh : bool
        Forget the search that is kept.
    progress, finish : callable

    Returns
    -------
    dict
        The attributes of `classifier.pipeline.training.tune.Tuning`, ``seed``, and ``command``: the training
        that uses what was found.

    Raises
    ------
    SettingError
        If a setting, the seed, the number of trials or the time cannot be used.
    ClassifierError
        If optuna is missing, there is too little to learn from, or the search cannot be kept.
    """
    if not 0 <= seed <= MAX_SEED:
        raise SettingError(f"The seed is {seed}; it must be from 0 to {MAX_SEED}.", seed=seed)
    if trials < 1:
        raise SettingError(f"{trials} trials search nothing; it must be 1 or more.", trials=trials)
    if timeout is not None and not timeout > 0:
        raise SettingError(f"The time is {timeout:g} seconds; it must be above 0.", timeout=timeout)
    try:
        import optuna  # noqa: F401

        from classifier.pipeline.training import tune as pipeline
    except ImportError as error:
        raise ClassifierError(
            f"Tuning needs optuna, which cannot be loaded ({error}). Install it: pip install 'optuna>=4'"
        ) from error
    folder = Path(django_settings.DATA_DIR) / "tuning"
    try:
        tuning = pipeline.tune(
            catalogue(all_books()),
            config=Config().with_settings(settings),
            fixed=[setting.partition("=")[0].strip() for setting in settings],
            seed=seed,
            trials=trials,
            folder=folder,
            timeout=timeout,
            fresh=fresh,
            progress=progress,
        )
    except ConfigError as error:
        raise SettingError(error.message, **error.extra) from error
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    except OSError as error:
        raise ClassifierError(f"The search cannot be kept in {folder}: {error}.") from error
    result = {
        **dataclasses.asdict(tuning),
        "seed": seed,
        "command": _train_command(seed, [*settings, *tuning.settings]),
    }
    finish(result)
    return result


def _train_command(seed: int, settings: Sequence[str]) -> str:
    words = ["manage.py", "train", "--seed", str(seed)]
    for setting in settings:
        words += ["--set", setting]
    return shlex.join(words)
