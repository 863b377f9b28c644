"""Search for training settings that suit this library."""

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
from classifier.services.runs.context import JobContext
from classifier.services.training.training import MAX_SEED


def tune(
    context: JobContext,
    *,
    trials: int = 30,
    timeout: float | None = None,
    seed: int = 0,
    settings: Sequence[str] = (),
    fresh: bool = False,
) -> dict[str, Any]:
    """Search for better settings than the defaults and measure them; the active version is not changed.

    The search is stored in the folder ``tuning`` of the data folder. A later call continues it, unless
    `fresh`, if the library, the settings and the seed are the same.

    Parameters
    ----------
    trials
        In total, including those of earlier calls.
    timeout
        Seconds; limits the search, not the reading before and the evaluation after it.
    seed
        0 to `MAX_SEED`; the same seed and library give the same search.
    settings
        ``part.name=value``: fixed, not searched.

    Returns
    -------
    dict
        The attributes of `TuningResult`, ``seed``, and ``command``, which trains with the best settings.

    Raises
    ------
    SettingError
        If a setting, the seed, the number of trials or the timeout is invalid.
    ClassifierError
        If optuna is missing, there are too few books, or the search cannot be stored.
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
            progress=context.progress,
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
    context.finish(result)
    return result


def _train_command(seed: int, settings: Sequence[str]) -> str:
    arguments = ["manage.py", "train", "--seed", str(seed)]
    for setting in settings:
        arguments += ["--set", setting]
    return shlex.join(arguments)
